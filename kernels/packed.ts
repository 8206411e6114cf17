/**
 * Matrices that stay packed on the device: 4, 6 or 8 bits for each value, and scales for groups of them, as the
 * quantised types of GGUF have them (ggml's Q4_0, Q4_1, Q8_0, Q4_K and Q6_K). Kernels that read one widen it as they go
 * (shaders/lib/packed.wgsl), to the very float32 numbers that widening the file gives.
 *
 * A value is scale · q + shift, where q is 0 to 15, 63 or 255. A row is u32 words: first the scales of its groups,
 * padded to whole quads of words, then the groups of 32 values, `bits` words each. In a group, word j < 4 has the lower
 * four bits of the values 4j to 4j + 3 in the lower halves of its bytes and those of the values 16 + 4j to 16 + 4j + 3
 * in the upper halves. With 6 bits, word 4 + h has the upper two bits of 16 values from 16h on: those of value
 * 16h + 4j + c at bit 8c + 2j. With 8 bits, word j has the values 4j to 4j + 3, a byte each.
 *
 * The scales: for q4_0 and q8_0 one f16 a group; shift is −8 or −128 times the scale. For q4_1 two f16 a group, scale
 * and shift. For q4_k four words for 8 groups, two f16 d and m, then 8 scales and 8 minima of 6 bits as in ggml's 12
 * bytes; scale is d times the one, shift −m times the other. For q6_k 16 signed bytes for 8 groups, one for 16 values
 * each, then for all of the row one f16 d for 8 groups each; scale is d times the byte, shift −32 times that.
 */
import { halfValue } from '../src/base/float16.ts';
import { elementBytes } from './spec.ts';

export const packedTypes = ['q4_0', 'q4_1', 'q8_0', 'q4_k', 'q6_k'] as const;
export type PackedType = (typeof packedTypes)[number];

/** Values of a group. */
export const groupValues = 32;

interface Format {
  /** Bits of a value: words of a group. */
  readonly bits: 4 | 6 | 8;
  /** Groups of a block, of which rows are whole numbers. */
  readonly groups: number;
  /** Words of scales of a row of this many blocks. */
  readonly scaleWords: (blocks: number) => number;
}

const formats: Readonly<Record<PackedType, Format>> = {
  q4_0: { bits: 4, groups: 1, scaleWords: (blocks) => Math.ceil(blocks / 2) },
  q4_1: { bits: 4, groups: 1, scaleWords: (blocks) => blocks },
  q8_0: { bits: 8, groups: 1, scaleWords: (blocks) => Math.ceil(blocks / 2) },
  q4_k: { bits: 4, groups: 8, scaleWords: (blocks) => 4 * blocks },
  q6_k: { bits: 6, groups: 8, scaleWords: (blocks) => 4 * blocks + Math.ceil(blocks / 2) },
};

export function isPacked(storage: string): storage is PackedType {
  return (packedTypes as readonly string[]).includes(storage);
}

/** Values of which rows are whole multiples. */
export function blockValues(type: PackedType): number {
  return formats[type].groups * groupValues;
}

/** Words before the groups of a row. */
export function scaleWordsOf(type: PackedType, columns: number): number {
  return Math.ceil(formats[type].scaleWords(columns / blockValues(type)) / 4) * 4;
}

/** Words of a group. */
export function groupWordsOf(type: PackedType): number {
  return formats[type].bits;
}

/** Words of a row. */
export function packedRowWords(type: PackedType, columns: number): number {
  return scaleWordsOf(type, columns) + (columns / groupValues) * formats[type].bits;
}

/** Bytes of a matrix. */
export function packedBytes(type: PackedType, rows: number, columns: number): number {
  return rows * packedRowWords(type, columns) * elementBytes.u32;
}

/** What shaders/lib/packed.wgsl is told. */
export function packedConstants(type: PackedType) {
  return {
    PACKED: true,
    BITS: formats[type].bits,
    SIX_BITS: formats[type].bits === 6,
    EIGHT_BITS: formats[type].bits === 8,
    GROUPS_OF_BLOCK: formats[type].groups,
    ...Object.fromEntries(packedTypes.map((each) => [each.toUpperCase(), each === type])),
    CENTRED: type === 'q4_0' || type === 'q8_0',
  };
}

/** The values of packed rows, exact in float64 but for the one rounding of a stored float32. @param words u32 */
export function widened(type: PackedType, words: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const values = new Float64Array(rows * columns);
  const pitch = packedRowWords(type, columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const { scale, shift } = scaleAt(type, words, row * pitch, columns, column);
      const q = numberAt(type, words, row * pitch + scaleWordsOf(type, columns), column);
      values[row * columns + column] = Math.fround(scale * q + shift);
    }
  }
  return values;
}

function numberAt(type: PackedType, words: ArrayLike<number>, groups: number, column: number): number {
  const { bits } = formats[type];
  const start = groups + Math.floor(column / groupValues) * bits;
  const [quad, place] = [Math.floor(column / 4) % 8, column % 4];
  if (bits === 8) return byteOf(words[start + quad]!, place);
  const low = (byteOf(words[start + (quad % 4)]!, place) >> (quad < 4 ? 0 : 4)) & 15;
  if (bits === 4) return low;
  return low | (((byteOf(words[start + 4 + (quad >> 2)]!, place) >> (2 * (quad % 4))) & 3) << 4);
}

function scaleAt(
  type: PackedType,
  words: ArrayLike<number>,
  start: number,
  columns: number,
  column: number,
): { readonly scale: number; readonly shift: number } {
  const group = Math.floor(column / groupValues);
  const halfAt = (word: number, index: number) => halfValue((words[word]! >>> (16 * index)) & 0xffff);
  if (type === 'q4_1') return { scale: halfAt(start + group, 0), shift: halfAt(start + group, 1) };
  if (type === 'q4_0' || type === 'q8_0') {
    const scale = halfAt(start + (group >> 1), group & 1);
    return { scale, shift: (type === 'q4_0' ? -8 : -128) * scale };
  }
  const block = group >> 3;
  if (type === 'q4_k') {
    const at = start + 4 * block;
    const [scale, minimum] = sixBits([1, 2, 3].map((word) => words[at + word]!) as [number, number, number], group & 7);
    return { scale: halfAt(at, 0) * scale, shift: -(halfAt(at, 1) * minimum) };
  }
  const half = (column >> 4) & 15;
  const byte = byteOf(words[start + 4 * block + (half >> 2)]!, half & 3);
  const halves = start + 4 * (columns / blockValues(type));
  const scale = halfAt(halves + (block >> 1), block & 1) * ((byte << 24) >> 24);
  return { scale, shift: -32 * scale };
}

/** Scale and minimum of a group of q4_k, from ggml's 12 bytes as three words. */
function sixBits([scales, minima, rest]: readonly [number, number, number], group: number): readonly [number, number] {
  const [scale, minimum, last] = [scales, minima, rest].map((word) => byteOf(word, group & 3)) as [
    number,
    number,
    number,
  ];
  if (group < 4) return [scale & 63, minimum & 63];
  return [(last & 15) | ((scale >> 6) << 4), (last >> 4) | ((minimum >> 6) << 4)];
}

function byteOf(word: number, index: number): number {
  return (word >>> (8 * index)) & 255;
}

/**
 * Random rows, for tests and benches: any numbers, and values of a size of about 1.
 * @param random standard normal numbers
 */
export function randomPacked(type: PackedType, rows: number, columns: number, random: () => number): Float64Array {
  const pitch = packedRowWords(type, columns);
  const word = () => Math.floor(((Math.abs(random()) * 1e6) % 1) * 2 ** 32);
  const words = Float64Array.from({ length: rows * pitch }, word);
  const blocks = columns / blockValues(type);
  /** Two f16 of either sign, from `smallest` to twice that. */
  const halves = (smallest: number) => {
    const exponent = 15 + Math.log2(smallest);
    const half = () => ((random() < 0 ? 0x8000 : 0) | (exponent << 10) | (word() & 1023)) >>> 0;
    return half() + half() * 2 ** 16;
  };
  for (let row = 0; row < rows; row++) {
    const start = row * pitch;
    const fill = (first: number, count: number, smallest: number) => {
      for (let at = 0; at < count; at++) words[start + first + at] = halves(smallest);
    };
    if (type === 'q4_k') for (let block = 0; block < blocks; block++) fill(4 * block, 1, 2 ** -10);
    else if (type === 'q6_k') fill(4 * blocks, Math.ceil(blocks / 2), 2 ** -12);
    else fill(0, formats[type].scaleWords(blocks), type === 'q8_0' ? 2 ** -7 : 2 ** -4);
  }
  return words;
}
