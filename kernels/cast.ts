/** Conversions between float32 and f16 storage. */
import shader from '../shaders/cast.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel, elementBytes, type KernelCase, type Variant } from './spec.ts';

type CastParams = { count: number };
type FloatType = 'f32' | 'f16';

/** The nearest f16, ties to even: 11 significant bits, none below 2^-24, infinity from 65520 on. */
export function roundToHalf(x: number): number {
  if (Math.abs(x) >= 65520) return Math.sign(x) * Number.POSITIVE_INFINITY;
  const spacing = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(x)))) - 10);
  const steps = Math.abs(x) / spacing;
  // Adding and subtracting 2^52 rounds to an integer, ties to even.
  return Math.sign(x) * (steps + 2 ** 52 - 2 ** 52) * spacing;
}

/** Ties, the edges of normal, subnormal and infinite, and what is neither. */
const edges = [
  [0, -0, 1, -1, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 2049, 2051, -4098, 65504, 65519, 65520, -65520, 1e30],
  [
    2 ** -14,
    2 ** -14 - 2 ** -26,
    2 ** -15,
    3 * 2 ** -25,
    5 * 2 ** -25,
    2 ** -24,
    2 ** -25,
    1.5 * 2 ** -25,
    2 ** -26,
    1e-30,
    -1e-7,
  ],
  [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN],
].flat();

const cases: readonly KernelCase<CastParams>[] = [1, 0, 65, 260, 2500, 2501].map((count) => ({ params: { count } }));

function variantsOf(from: FloatType, to: FloatType): readonly Variant<CastParams>[] {
  return elementVariants<CastParams>(['x', 'y'], {}, from).map((variant) => {
    const vector = variant.constants.WIDTH === 4;
    const typeOf = (scalar: string) => (vector ? `vec4<${scalar}>` : scalar);
    return {
      ...variant,
      constants: {
        ...variant.constants,
        NARROW: to === 'f16',
        VECTOR: vector,
        RESULT: typeOf(to),
        WORDS: typeOf('u32'),
      },
    };
  });
}

/**
 * y = x as the nearest f16, ties to even; the same bits as on the host. y is a variable's storage, which is
 * overwritten.
 */
export const narrow = defineKernel<CastParams>({
  name: 'cast.narrow',
  shader,
  bindings: { x: { dtype: 'f32', access: 'read' }, y: { dtype: 'f16', access: 'readWrite' } },
  params: { count: 'u32' },
  variants: variantsOf('f32', 'f16'),
  sizes: ({ count }) => ({ x: count, y: count }),
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: 0, bytes: (elementBytes.f32 + elementBytes.f16) * count }),
  reference: ({ x }) => ({ y: (x ?? new Float64Array()).map(roundToHalf) }),
  cases: [
    ...cases,
    ...[edges, [...edges, 0.1]].map((x) => ({
      params: { count: x.length },
      inputs: () => ({ x }),
      note: 'edges of rounding',
    })),
  ],
  benchCases: [{ params: { count: 1 << 22 } }],
  // Rounded in integers.
  tolerance: { absolute: 0, relative: 0 },
});

/** y = x in float32. */
export const widen = defineKernel<CastParams>({
  name: 'cast.widen',
  shader,
  bindings: { x: { dtype: 'f16', access: 'read' }, y: { dtype: 'f32', access: 'write' } },
  params: { count: 'u32' },
  variants: variantsOf('f16', 'f32'),
  sizes: ({ count }) => ({ x: count, y: count }),
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: 0, bytes: (elementBytes.f32 + elementBytes.f16) * count }),
  reference: ({ x }) => ({ y: x ?? [] }),
  cases,
  benchCases: [{ params: { count: 1 << 22 } }],
  // Every f16 is a float32.
  tolerance: { absolute: 0, relative: 0 },
});

export const castKernels = [narrow, widen] as const;
