/**
 * Tensor types of GGUF, and the widening of the usual ones to float32. Quantised types store blocks of values: a few
 * bits for each value, and for the block one scale, and for some a minimum, in half precision. The K types share 256
 * values among smaller groups with integer scales of their own. The layouts are those of ggml; every product here is
 * exact in float64, so each value is rounded once, as the reference rounds it.
 */
import { bfloat16ToFloat32, float16ToFloat32, halfValue } from '../../base/float16.ts';

/** How a type is stored. */
export interface GgufType {
  readonly name: string;
  /** Values in a block. */
  readonly blockValues: number;
  readonly blockBytes: number;
}

const plain = (name: string, blockBytes: number): GgufType => ({ name, blockValues: 1, blockBytes });
const quantised = (name: string, blockValues: number, blockBytes: number): GgufType => ({
  name,
  blockValues,
  blockBytes,
});

/** Types by their number in a file. Those that cannot be widened are here for their sizes. */
export const ggufTypes: ReadonlyMap<number, GgufType> = new Map([
  [0, plain('F32', 4)],
  [1, plain('F16', 2)],
  [2, quantised('Q4_0', 32, 18)],
  [3, quantised('Q4_1', 32, 20)],
  [6, quantised('Q5_0', 32, 22)],
  [7, quantised('Q5_1', 32, 24)],
  [8, quantised('Q8_0', 32, 34)],
  [9, quantised('Q8_1', 32, 40)],
  [10, quantised('Q2_K', 256, 84)],
  [11, quantised('Q3_K', 256, 110)],
  [12, quantised('Q4_K', 256, 144)],
  [13, quantised('Q5_K', 256, 176)],
  [14, quantised('Q6_K', 256, 210)],
  [15, quantised('Q8_K', 256, 292)],
  [16, quantised('IQ2_XXS', 256, 66)],
  [17, quantised('IQ2_XS', 256, 74)],
  [18, quantised('IQ3_XXS', 256, 98)],
  [19, quantised('IQ1_S', 256, 50)],
  [20, quantised('IQ4_NL', 32, 18)],
  [21, quantised('IQ3_S', 256, 110)],
  [22, quantised('IQ2_S', 256, 82)],
  [23, quantised('IQ4_XS', 256, 136)],
  [24, plain('I8', 1)],
  [25, plain('I16', 2)],
  [26, plain('I32', 4)],
  [27, plain('I64', 8)],
  [28, plain('F64', 8)],
  [29, quantised('IQ1_M', 256, 56)],
  [30, plain('BF16', 2)],
  [34, quantised('TQ1_0', 256, 54)],
  [35, quantised('TQ2_0', 256, 66)],
  [39, quantised('MXFP4', 32, 17)],
]);

/** Writes the values of one block. `at` and `to` are offsets of the block's first byte and value. */
type BlockReader = (bytes: Uint8Array, at: number, values: Float32Array, to: number) => void;

function half(bytes: Uint8Array, at: number): number {
  return halfValue(bytes[at]! | (bytes[at + 1]! << 8));
}

function signed(byte: number): number {
  return (byte << 24) >> 24;
}

const readQ8: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at);
  for (let i = 0; i < 32; i++) values[to + i] = scale * signed(bytes[at + 2 + i]!);
};

/**
 * Q4_0, Q4_1, Q5_0, Q5_1: 32 values; those of 16 bytes' lower halves come first, then those of their upper halves. The
 * fifth bits of the Q5 types lie together in front. The `_0` types are centred by an offset, the `_1` types add a
 * minimum.
 */
function nibbleReader(hasFifthBit: boolean, hasMinimum: boolean): BlockReader {
  const offset = hasMinimum ? 0 : hasFifthBit ? 16 : 8;
  const bitsAt = hasMinimum ? 4 : 2;
  return (bytes, at, values, to) => {
    const scale = half(bytes, at);
    // Adding -0 changes nothing, not even the sign of a zero.
    const minimum = hasMinimum ? half(bytes, at + 2) : -0;
    const nibblesAt = at + bitsAt + (hasFifthBit ? 4 : 0);
    for (let i = 0; i < 32; i++) {
      const nibble = (bytes[nibblesAt + (i & 15)]! >> (i & 16 ? 4 : 0)) & 15;
      const fifth = hasFifthBit ? ((bytes[at + bitsAt + (i >> 3)]! >> (i & 7)) & 1) << 4 : 0;
      values[to + i] = scale * ((nibble | fifth) - offset) + minimum;
    }
  };
}

/**
 * Q4_K, Q5_K: 8 groups of 32 values. First two halves, scale of scales and of minima. Then 12 bytes with 8 scales and 8
 * minima of 6 bits. For Q5_K 32 bytes of fifth bits follow, bit g of byte i for value i of group g. Last come 4 times
 * 32 bytes whose lower halves are one group and upper halves the next.
 */
function superBlockReader(hasFifthBit: boolean): BlockReader {
  const nibblesOffset = hasFifthBit ? 48 : 16;
  return (bytes, at, values, to) => {
    const scales = at + 4;
    for (let group = 0; group < 8; group++) {
      const scale = half(bytes, at) * sixBits(bytes, scales, group);
      const minimum = half(bytes, at + 2) * sixBits(bytes, scales, group + 8);
      const nibbles = at + nibblesOffset + (group >> 1) * 32;
      for (let i = 0; i < 32; i++) {
        const nibble = (bytes[nibbles + i]! >> (group & 1 ? 4 : 0)) & 15;
        const fifth = hasFifthBit ? ((bytes[at + 16 + i]! >> group) & 1) << 4 : 0;
        values[to + group * 32 + i] = scale * (nibble | fifth) - minimum;
      }
    }
  };
}

/**
 * Number `index` of 16 numbers of 6 bits in 12 bytes. Bytes 0 to 7 hold numbers 0 to 3 and 8 to 11 in their lower 6
 * bits; their upper two bits, and the halves of bytes 8 to 11, hold numbers 4 to 7 and 12 to 15.
 */
function sixBits(bytes: Uint8Array, at: number, index: number): number {
  const group = index & 7;
  const isMinimum = index >> 3;
  if (group < 4) return bytes[at + group + 4 * isMinimum]! & 63;
  const low = (bytes[at + group + 4]! >> (4 * isMinimum)) & 15;
  return low | ((bytes[at + group - 4 + 4 * isMinimum]! >> 6) << 4);
}

/**
 * Q6_K: two halves of 128 values, in 4 runs of 32. 128 bytes with the lower 4 bits, 64 bytes with the upper 2 bits of 4
 * values each, 16 signed scales for 16 values each, and one half that scales those.
 */
const readQ6K: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at + 208);
  for (let i = 0; i < 256; i++) {
    const [part, run, place] = [i >> 7, (i >> 5) & 3, i & 31];
    const low = (bytes[at + part * 64 + (run & 1) * 32 + place]! >> (run & 2 ? 4 : 0)) & 15;
    const high = (bytes[at + 128 + part * 32 + place]! >> (2 * run)) & 3;
    values[to + i] = scale * signed(bytes[at + 192 + (i >> 4)]!) * ((low | (high << 4)) - 32);
  }
};

const blockReaders: Readonly<Record<string, BlockReader>> = {
  Q4_0: nibbleReader(false, false),
  Q4_1: nibbleReader(false, true),
  Q5_0: nibbleReader(true, false),
  Q5_1: nibbleReader(true, true),
  Q8_0: readQ8,
  Q4_K: superBlockReader(false),
  Q5_K: superBlockReader(true),
  Q6_K: readQ6K,
};

/** Types whose values can be widened to float32. */
export const readableTypes: readonly string[] = ['F32', 'F16', 'BF16', 'F64', ...Object.keys(blockReaders)];

/**
 * Float32 values of whole blocks: exact for F32, F16 and BF16, rounded for F64.
 * @param type one of `readableTypes`
 * @param bytes starts at a multiple of 8 bytes in its buffer
 * @param values as many as the blocks hold
 */
export function dequantize(type: GgufType, bytes: Uint8Array, values: Float32Array): void {
  const { buffer, byteOffset } = bytes;
  if (type.name === 'F32') values.set(new Float32Array(buffer, byteOffset, values.length));
  else if (type.name === 'F16') values.set(float16ToFloat32(new Uint16Array(buffer, byteOffset, values.length)));
  else if (type.name === 'BF16') values.set(bfloat16ToFloat32(new Uint16Array(buffer, byteOffset, values.length)));
  else if (type.name === 'F64') values.set(new Float64Array(buffer, byteOffset, values.length));
  else {
    const read = blockReaders[type.name]!;
    for (let at = 0, to = 0; to < values.length; at += type.blockBytes, to += type.blockValues)
      read(bytes, at, values, to);
  }
}
