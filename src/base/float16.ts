/**
 * 16-bit floating point numbers in files: IEEE 754 half precision (F16: 5 bits of exponent, 10 of fraction) and
 * bfloat16 (BF16: the upper half of a float32). JavaScript has no arrays of either, so they travel as their bits in a
 * `Uint16Array`. Widening is exact; narrowing rounds to the nearest, ties to even, overflows to infinity and keeps NaN.
 */

/** Float32 values of half precision bits. */
export function float16ToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i]!;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) values[i] = (sign ? -1 : 1) * fraction * 2 ** -24;
    else if (exponent === 31) words[i] = sign | 0x7f800000 | (fraction << 13);
    else words[i] = sign | ((exponent + 112) << 23) | (fraction << 13);
  }
  return values;
}

let valuesOfHalves: Float32Array | undefined;

/** The value of one half precision number, looked up by its bits. */
export function halfValue(bits: number): number {
  valuesOfHalves ??= float16ToFloat32(Uint16Array.from({ length: 2 ** 16 }, (_, each) => each));
  return valuesOfHalves[bits]!;
}

/** Half precision bits of float32 values. */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(values.length);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < values.length; i++) {
    const sign = (words[i]! >>> 16) & 0x8000;
    bits[i] = sign | halfMagnitude(words[i]! & 0x7fffffff, Math.abs(values[i]!));
  }
  return bits;
}

/** Half precision bits of a magnitude, given as float32 bits and as a number. */
function halfMagnitude(word: number, value: number): number {
  if (word > 0x7f800000) return 0x7e00;
  // From 65520 on, the nearest half is infinity.
  if (word >= 0x477ff000) return 0x7c00;
  // Below 2^-14 halves are multiples of 2^-24. Adding and subtracting 2^52 rounds to an integer, ties to even.
  if (word < 0x38800000) return value * 2 ** 24 + 2 ** 52 - 2 ** 52;
  // The exponent's bias changes from 127 to 15; a carry out of the fraction moves into the exponent, as it should.
  return (word - (112 << 23) + 0xfff + ((word >> 13) & 1)) >> 13;
}

/** Float32 values of bfloat16 bits. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}

/** Bfloat16 bits of float32 values. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint16Array(values.length);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < values.length; i++) {
    const word = words[i]!;
    const notANumber = (word & 0x7fffffff) > 0x7f800000;
    bits[i] = notANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}
