/**
 * Elementwise kernels, each a row in a table: its expression in WGSL and the same in float64. A row's derivative, where
 * it needs one, is a row too: it takes the input as `a` and the output's gradient as `b`.
 */
import shader from '../shaders/elementwise.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel, type KernelCase, type KernelSpec } from './spec.ts';
import { withStorage } from './storage.ts';

/** `factor` is there for rows that use it. */
type PlainParams = { count: number };
type ScaledParams = { count: number; factor: number };

interface Row {
  readonly name: string;
  readonly arity: 1 | 2 | 3;
  /** In terms of `a`, `b`, `c` and `params.factor`; must be valid for scalars and vec4. */
  readonly wgsl: string;
  readonly reference: (a: number, b: number, factor: number, c: number) => number;
  /** Arithmetic operations an element. */
  readonly flops: number;
  /** Default: a few roundings. */
  readonly tolerance?: { readonly absolute: number; readonly relative: number };
  /** Whether it is defined for `a` above 0 alone. */
  readonly positive?: boolean;
}

/** Beyond where exp and tanh overflow in float32. */
const largeInputs: Readonly<Record<string, readonly number[]>> = {
  a: [-1000, -100, -80, -20, 20, 80, 100, 1000],
  b: [1, 1, 1, 1, 1, 1, 1, 1],
  c: [2, 2, 2, 2, 2, 2, 2, 2],
};
/** Near the ends of what is above 0. */
const farInputs = { a: [1e-30, 1e-6, 1, 1e6, 1e30] };
const positiveInputs = (count: number, random: () => number) => ({
  a: Array.from({ length: count }, () => Math.abs(random()) + 0.01),
});
/** Beyond what f16 holds. */
const hugeInputs = { a: [-70_000, -65_520, 65_520, 70_000] };

const sigmoidOf = (x: number) => 1 / (1 + Math.exp(-x));
/** √(2/π), in the tanh form of GELU (Hendrycks and Gimpel, arXiv 1606.08415, section 2). */
const geluScale = Math.sqrt(2 / Math.PI);
/**
 * σ(2u) = (1 + tanh u) / 2 for GELU's u: one exp, where tanh takes two in some drivers. exp would overflow beyond 88.
 */
const geluSigmoid =
  '(1.0 / (1.0 + exp(clamp(-1.5957691216 * (a + 0.044715 * a * a * a), $ELEMENT(-80.0), $ELEMENT(80.0)))))';

/**
 * Φ, the standard normal distribution function, in WGSL: good to 1e-7 (Abramowitz and Stegun, Handbook of Mathematical
 * Functions, 26.2.17).
 */
const normalCdf = (() => {
  const t = '(1.0 / (1.0 + 0.2316419 * abs(a)))';
  const series = [1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153].reduce(
    (inner, term) => `(${inner} * ${t} + (${term}))`,
    '0.0',
  );
  const tail = `(0.3989422804 * exp(-0.5 * min(a * a, $ELEMENT(200.0))) * ${series} * ${t})`;
  return `select(1.0 - ${tail}, ${tail}, a < $ELEMENT(0.0))`;
})();

/** Φ and its derivative in float64: Taylor's series near 0, Laplace's continued fraction far from it. */
function normal(x: number): { readonly cdf: number; readonly density: number } {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const far = Math.abs(x);
  if (far > 4) {
    let fraction = far;
    for (let n = 60; n > 0; n--) fraction = far + n / fraction;
    return { cdf: x < 0 ? density / fraction : 1 - density / fraction, density };
  }
  let [term, sum] = [x, x];
  for (let n = 1; n < 100; n++) sum += term *= (x * x) / (2 * n + 1);
  return { cdf: 0.5 + density * sum, density };
}

function kernelOfRow<P extends PlainParams = PlainParams>(row: Row, factor?: number): KernelSpec<P> {
  return withStorage(kernelIn32<P>(row, factor));
}

/** @param saves whether a copy of `a` is written beside the result */
function kernelIn32<P extends PlainParams = PlainParams>(row: Row, factor?: number, saves = false): KernelSpec<P> {
  const read = { dtype: 'f32', access: 'read' } as const;
  const outputs = ['y', ...(saves ? ['saved'] : [])];
  const inputs = ['a', 'b', 'c'].slice(0, row.arity);
  const names = [...inputs, ...outputs];
  const expand = (element: string) => row.wgsl.replaceAll('$ELEMENT', element);
  const withFactor = factor === undefined ? {} : { factor };
  const paramsOf = (count: number) => ({ count, ...withFactor }) as unknown as P;
  const caseOf = (count: number): KernelCase<P> => ({
    params: paramsOf(count),
    ...(row.positive ? { inputs: (random: () => number) => positiveInputs(count, random) } : {}),
  });
  const special = (note: string, inputs: Readonly<Record<string, readonly number[]>>): KernelCase<P> => ({
    params: paramsOf(inputs.a!.length),
    note,
    inputs: () => inputs,
  });
  return defineKernel<P>({
    name: saves ? `${row.name}.saved` : row.name,
    shader,
    bindings: {
      ...Object.fromEntries(inputs.map((name) => [name, read])),
      ...Object.fromEntries(outputs.map((name) => [name, { dtype: 'f32', access: 'write' } as const])),
    },
    params: { count: 'u32', ...(factor === undefined ? {} : { factor: 'f32' }) } as KernelSpec<P>['params'],
    variants: elementVariants<P>(names, { ARITY1: row.arity === 1, ARITY2: row.arity === 2, SAVED: saves }).map(
      (variant) => ({
        ...variant,
        constants: { ...variant.constants, EXPRESSION: expand(String(variant.constants.ELEMENT)) },
      }),
    ),
    sizes: ({ count }) => Object.fromEntries(names.map((name) => [name, count])),
    dispatch: elementDispatch,
    cost: ({ count }) => ({ flops: row.flops * count, bytes: 4 * names.length * count }),
    reference: ({ a, b, c }, { count, ...rest }) => ({
      y: Float64Array.from({ length: count }, (_, i) =>
        row.reference(a?.[i] ?? 0, b?.[i] ?? 0, (rest as { factor?: number }).factor ?? 0, c?.[i] ?? 0),
      ),
      ...(saves ? { saved: a ?? [] } : {}),
    }),
    cases: [
      ...[1, 0, 63, 260, 70_001].map(caseOf),
      ...(row.positive
        ? [special('small and large values', farInputs)]
        : [special('large values', Object.fromEntries(inputs.map((name) => [name, largeInputs[name]!])))]),
      ...(row.arity === 1 && !row.positive ? [special('beyond what f16 holds', hugeInputs)] : []),
    ],
    benchCases: [caseOf(1 << 20)],
    ...(row.positive ? { tuningCase: (params: P) => ({ ...caseOf(params.count), params }) } : {}),
    tolerance: row.tolerance ?? { absolute: 1e-6, relative: 1e-6 },
    inPlace: { input: 'a', output: 'y' },
  });
}

/**
 * An activation in float32; with the result in f16; and with a copy of the input in f16 beside that, for the backward
 * pass.
 */
function activationForms(row: Row) {
  const kernel = kernelIn32(row);
  return {
    f32: withStorage(kernel),
    f16: withStorage(kernel, ['y']),
    saved: withStorage(kernelIn32(row, undefined, true), ['y', 'saved']),
  } as const;
}

/** An activation's derivative from its input in float32, and from the copy in f16. */
function derivativeForms(row: Row) {
  const kernel = kernelIn32(row);
  return { f32: withStorage(kernel), f16: withStorage(kernel, ['a']) } as const;
}

/** a + b */
export const add = kernelOfRow({ name: 'add', arity: 2, flops: 1, wgsl: 'a + b', reference: (a, b) => a + b });

/** a · b */
export const multiply = kernelOfRow({
  name: 'multiply',
  arity: 2,
  flops: 1,
  wgsl: 'a * b',
  reference: (a, b) => a * b,
});

/** factor · a */
export const scale = kernelOfRow<ScaledParams>(
  { name: 'scale', arity: 1, flops: 1, wgsl: 'params.factor * a', reference: (a, _, factor) => factor * a },
  0.75,
);

/** GELU, tanh form. exp of drivers is good to about 1e-5. */
export const gelu = activationForms({
  name: 'gelu',
  arity: 1,
  flops: 12,
  wgsl: `a * ${geluSigmoid}`,
  reference: (a) => 0.5 * a * (1 + Math.tanh(geluScale * (a + 0.044715 * a ** 3))),
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** Gradient of GELU: `a` is the input, `b` the output's gradient. */
export const geluBackward = derivativeForms({
  name: 'geluBackward',
  arity: 2,
  flops: 24,
  wgsl: `b * ${geluSigmoid} * (1.0 + a * (1.0 - ${geluSigmoid}) * 1.5957691216 * (1.0 + 0.134145 * a * a))`,
  reference: (a, dy) => {
    const tanh = Math.tanh(geluScale * (a + 0.044715 * a ** 3));
    return dy * (0.5 * (1 + tanh) + 0.5 * a * (1 - tanh * tanh) * geluScale * (1 + 3 * 0.044715 * a * a));
  },
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** GELU as it is defined, a · Φ(a). */
export const geluErf = activationForms({
  name: 'geluErf',
  arity: 1,
  flops: 20,
  wgsl: `a * ${normalCdf}`,
  reference: (a) => a * normal(a).cdf,
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** Gradient of `geluErf`: `a` is the input, `b` the output's gradient. */
export const geluErfBackward = derivativeForms({
  name: 'geluErfBackward',
  arity: 2,
  flops: 26,
  wgsl: `b * (${normalCdf} + a * 0.3989422804 * exp(-0.5 * min(a * a, $ELEMENT(200.0))))`,
  reference: (a, dy) => dy * (normal(a).cdf + a * normal(a).density),
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** exp(-a) would overflow below -88; from -80 on, SiLU and its derivative are 0 to within 1e-32. */
const siluExp = 'exp(-max(a, $ELEMENT(-80.0)))';

/** SiLU: a · σ(a). */
export const silu = kernelOfRow({
  name: 'silu',
  arity: 1,
  flops: 6,
  wgsl: `a / (1.0 + ${siluExp})`,
  reference: (a) => a * sigmoidOf(a),
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** Gradient of SiLU: `a` is the input, `b` the output's gradient. */
export const siluBackward = kernelOfRow({
  name: 'siluBackward',
  arity: 2,
  flops: 12,
  wgsl: `b / (1.0 + ${siluExp}) * (1.0 + a * (1.0 - 1.0 / (1.0 + ${siluExp})))`,
  reference: (a, dy) => dy * sigmoidOf(a) * (1 + a * (1 - sigmoidOf(a))),
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** max(a, 0) */
export const relu = kernelOfRow({
  name: 'relu',
  arity: 1,
  flops: 1,
  wgsl: 'max(a, $ELEMENT(0.0))',
  reference: (a) => Math.max(a, 0),
});

/** Gradient of ReLU: `a` is the output, `b` its gradient; 0 at 0. */
export const reluBackward = kernelOfRow({
  name: 'reluBackward',
  arity: 2,
  flops: 1,
  wgsl: 'select($ELEMENT(0.0), b, a > $ELEMENT(0.0))',
  reference: (y, dy) => (y > 0 ? dy : 0),
});

/** tanh a. From ±10 on it is ±1 in float32, and drivers' own may overflow far beyond. */
export const tanh = kernelOfRow({
  name: 'tanh',
  arity: 1,
  flops: 10,
  wgsl: 'tanh(clamp(a, $ELEMENT(-10.0), $ELEMENT(10.0)))',
  reference: (a) => Math.tanh(a),
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** Gradient of tanh: `a` is the output, `b` its gradient. */
export const tanhBackward = kernelOfRow({
  name: 'tanhBackward',
  arity: 2,
  flops: 3,
  wgsl: 'b * (1.0 - a * a)',
  reference: (y, dy) => dy * (1 - y * y),
  tolerance: { absolute: 1e-6, relative: 1e-5 },
});

/** σ(a) = 1 / (1 + exp(−a)) */
export const sigmoid = kernelOfRow({
  name: 'sigmoid',
  arity: 1,
  flops: 6,
  wgsl: `1.0 / (1.0 + ${siluExp})`,
  reference: sigmoidOf,
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** Gradient of σ: `a` is the output, `b` its gradient. */
export const sigmoidBackward = kernelOfRow({
  name: 'sigmoidBackward',
  arity: 2,
  flops: 3,
  wgsl: 'b * a * (1.0 - a)',
  reference: (y, dy) => dy * y * (1 - y),
  tolerance: { absolute: 1e-6, relative: 1e-5 },
});

/** exp(a); infinite above 88.7. */
export const exp = kernelOfRow({
  name: 'exp',
  arity: 1,
  flops: 4,
  wgsl: 'exp(a)',
  reference: (a) => Math.fround(Math.exp(a)),
  // WGSL allows 3 + 2 |a| units in the last place.
  tolerance: { absolute: 1e-5, relative: 3e-5 },
});

/** ln a, for a above 0 */
export const log = kernelOfRow({
  name: 'log',
  arity: 1,
  flops: 4,
  wgsl: 'log(a)',
  reference: (a) => Math.log(a),
  tolerance: { absolute: 1e-5, relative: 1e-5 },
  positive: true,
});

/** √a, for a of 0 or more */
export const sqrt = kernelOfRow({
  name: 'sqrt',
  arity: 1,
  flops: 2,
  wgsl: 'sqrt(a)',
  reference: (a) => Math.sqrt(a),
  positive: true,
});

/** b where a is not 0, c elsewhere */
export const where = kernelOfRow({
  name: 'where',
  arity: 3,
  flops: 1,
  wgsl: 'select(c, b, a != $ELEMENT(0.0))',
  reference: (a, b, _, c) => (a === 0 ? c : b),
});

export const elementwiseKernels = [
  ...[add, multiply, scale, silu, siluBackward, relu, reluBackward, tanh, tanhBackward, sigmoid, sigmoidBackward],
  ...[exp, log, sqrt, where],
  ...[gelu, geluErf].flatMap(({ f32, f16, saved }) => [f32, f16, saved]),
  ...[geluBackward, geluErfBackward].flatMap(({ f32, f16 }) => [f32, f16]),
];
