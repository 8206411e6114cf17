import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from '../../src/base/float16.ts';

const allBits = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

/**
 * A number rounded to `fractionBits` bits after the leading one, ties to even, with no exponent below `minExponent`.
 */
function rounded(value: number, fractionBits: number, minExponent: number, largest: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), minExponent);
  const quantum = 2 ** (exponent - fractionBits);
  const steps = Math.abs(value) / quantum;
  const below = Math.floor(steps);
  const isUp = steps - below > 0.5 || (steps - below === 0.5 && below % 2 !== 0);
  const result = (isUp ? below + 1 : below) * quantum;
  return Math.sign(value) * (result > largest ? Number.POSITIVE_INFINITY : result);
}

/** Numbers where rounding is hard: any float32, and those half way between two neighbours. */
const float32 = fc.oneof(
  fc.float({ noNaN: true }),
  fc
    .nat(0x7bff)
    .map((bits) => (float16ToFloat32(Uint16Array.of(bits))[0]! + float16ToFloat32(Uint16Array.of(bits + 1))[0]!) / 2),
);

describe('F16', () => {
  test('known values', () => {
    const values = [0, -0, 1, -2, 65504, 2 ** -14, 2 ** -24, 1 / 3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const bits = [0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x3555, 0x7c00, 0xfc00];
    expect(Array.from(float32ToFloat16(Float32Array.from(values)))).toEqual(bits);
    expect(float16ToFloat32(Uint16Array.from(bits))[7]).toBe(0x555 / 4096);
    expect(float16ToFloat32(float32ToFloat16(Float32Array.of(Number.NaN)))[0]).toBeNaN();
  });

  test('every half survives widening and narrowing', () => {
    const values = float16ToFloat32(allBits);
    const back = float32ToFloat16(values);
    const lost = allBits.filter((bits) => !Number.isNaN(values[bits]!) && back[bits] !== bits);
    expect(Array.from(lost)).toEqual([]);
    expect(values.filter(Number.isNaN)).toHaveLength(2 * 1023);
  });

  test('narrowing rounds to the nearest, ties to even', () => {
    fc.assert(
      fc.property(float32, (value) => {
        const [result] = float16ToFloat32(float32ToFloat16(Float32Array.of(value)));
        expect(result).toBe(rounded(Math.fround(value), 10, -14, 65504));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('BF16', () => {
  test('every value survives widening and narrowing', () => {
    const values = bfloat16ToFloat32(allBits);
    const back = float32ToBfloat16(values);
    expect(Array.from(allBits.filter((bits) => !Number.isNaN(values[bits]!) && back[bits] !== bits))).toEqual([]);
    expect(bfloat16ToFloat32(float32ToBfloat16(Float32Array.of(Number.NaN)))[0]).toBeNaN();
  });

  test('narrowing rounds to the nearest, ties to even', () => {
    const tie = 1 + 2 ** -8;
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        const [result] = bfloat16ToFloat32(float32ToBfloat16(Float32Array.of(value)));
        expect(result).toBe(rounded(value, 7, -126, 255 * 2 ** 120));
      }),
      { numRuns: 1000, examples: [[tie], [tie + 2 ** -7], [3.4028234663852886e38]] },
    );
  });
});
