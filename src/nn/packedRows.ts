/** Packed rows as kernels read them (kernels/packed.ts), from the blocks of a GGUF file. */
import {
  blockValues,
  groupValues,
  groupWordsOf,
  type PackedType,
  packedRowWords,
  scaleWordsOf,
} from '../../kernels/packed.ts';

interface BlockLayout {
  readonly bytes: number;
  /** Where its numbers of half precision lie. */
  readonly halves: readonly number[];
  /** Which of its bytes are scales that lie one block after another in front of a row. */
  readonly scales: readonly [start: number, end: number];
  /** Where the one scale lies that goes behind those of all blocks. */
  readonly last?: number;
}

const layouts: Readonly<Record<PackedType, BlockLayout>> = {
  q4_0: { bytes: 18, halves: [0], scales: [0, 2] },
  q4_1: { bytes: 20, halves: [0, 2], scales: [0, 4] },
  q8_0: { bytes: 34, halves: [0], scales: [0, 2] },
  q4_k: { bytes: 144, halves: [0, 2], scales: [0, 16] },
  q6_k: { bytes: 210, halves: [208], scales: [192, 208], last: 208 },
};

/** Whether no scale of some blocks is NaN or infinite: then all their values are numbers. */
export function haveFiniteScales(type: PackedType, blocks: Uint8Array): boolean {
  const { bytes, halves } = layouts[type];
  for (let from = 0; from < blocks.length; from += bytes)
    for (const at of halves) if ((blocks[from + at + 1]! & 0x7c) === 0x7c) return false;
  return true;
}

/** @param blocks of ggml, row by row */
export function rowsOfBlocks(type: PackedType, blocks: Uint8Array, columns: number): Uint32Array<ArrayBuffer> {
  const { bytes: blockBytes, scales, last } = layouts[type];
  const perRow = columns / blockValues(type);
  const rows = blocks.length / (perRow * blockBytes);
  const pitch = 4 * packedRowWords(type, columns);
  const bytes = new Uint8Array(rows * pitch);
  const scaleBytes = scales[1] - scales[0];
  const groupBytes = (blockValues(type) * groupWordsOf(type)) / 8;
  for (let row = 0; row < rows; row++) {
    const front = row * pitch;
    const groups = front + 4 * scaleWordsOf(type, columns);
    for (let block = 0; block < perRow; block++) {
      const from = (row * perRow + block) * blockBytes;
      bytes.set(blocks.subarray(from + scales[0], from + scales[1]), front + scaleBytes * block);
      if (last !== undefined)
        bytes.set(blocks.subarray(from + last, from + last + 2), front + scaleBytes * perRow + 2 * block);
      copyNumbers(type, blocks, from, bytes, groups + groupBytes * block);
    }
  }
  return new Uint32Array(bytes.buffer);
}

/** The numbers of a block, as groups. */
function copyNumbers(type: PackedType, blocks: Uint8Array, from: number, bytes: Uint8Array, to: number): void {
  if (type === 'q4_0') bytes.set(blocks.subarray(from + 2, from + 18), to);
  else if (type === 'q4_1') bytes.set(blocks.subarray(from + 4, from + 20), to);
  else if (type === 'q8_0') for (let i = 0; i < 32; i++) bytes[to + i] = blocks[from + 2 + i]! ^ 128;
  else if (type === 'q4_k')
    regroup(to, 16, bytes, (group, i) => halfOf(blocks, from + 16 + 32 * (group >> 1) + i, group & 1));
  else {
    const lowOf = (group: number, i: number) =>
      halfOf(blocks, from + 64 * (group >> 2) + 32 * (group & 1) + i, (group >> 1) & 1);
    regroup(to, 24, bytes, lowOf);
    for (let group = 0; group < 8; group++) {
      for (let i = 0; i < groupValues; i++) {
        const upper = (blocks[from + 128 + 32 * (group >> 2) + i]! >> (2 * (group & 3))) & 3;
        const place = to + 24 * group + 16 + 4 * (i >> 4) + (i & 3);
        bytes[place] = bytes[place]! | (upper << (2 * ((i >> 2) & 3)));
      }
    }
  }
}

/** Eight groups of four bits, `pitch` bytes from one to the next. */
function regroup(to: number, pitch: number, bytes: Uint8Array, numberOf: (group: number, i: number) => number): void {
  for (let group = 0; group < 8; group++)
    for (let i = 0; i < 16; i++) bytes[to + pitch * group + i] = numberOf(group, i) | (numberOf(group, i + 16) << 4);
}

function halfOf(blocks: Uint8Array, at: number, upper: number): number {
  return (blocks[at]! >> (4 * upper)) & 15;
}
