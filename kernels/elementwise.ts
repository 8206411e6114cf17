/**
 * Elementwise kernels, each a row in a table: its expression in WGSL and the same in float64. A row's derivative, where
 * it needs one, is a row too: it takes the input as `a` and the output's gradient as `b`.
 */
import shader from '../shaders/elementwise.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel, type KernelSpec } from './spec.ts';
import { withStorage } from './storage.ts';

/** `factor` is there for rows that use it. */
type PlainParams = { count: number };
type ScaledParams = { count: number; factor: number };

interface Row {
  readonly name: string;
  readonly arity: 1 | 2;
  /** In terms of `a`, `b` and `params.factor`; must be valid for scalars and vec4. */
  readonly wgsl: string;
  readonly reference: (a: number, b: number, factor: number) => number;
  /** Arithmetic operations an element. */
  readonly flops: number;
  /** Default: a few roundings. */
  readonly tolerance?: { readonly absolute: number; readonly relative: number };
}

/** Beyond where exp and tanh overflow in float32. */
const largeInputs = { a: [-1000, -100, -80, -20, 20, 80, 100, 1000], b: [1, 1, 1, 1, 1, 1, 1, 1] };
/** Beyond what f16 holds. */
const hugeInputs = { a: [-70_000, -65_520, 65_520, 70_000] };

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
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
  const binary = row.arity === 2;
  const read = { dtype: 'f32', access: 'read' } as const;
  const outputs = ['y', ...(saves ? ['saved'] : [])];
  const names = ['a', ...(binary ? ['b'] : []), ...outputs];
  const expand = (element: string) => row.wgsl.replaceAll('$ELEMENT', element);
  const withFactor = factor === undefined ? {} : { factor };
  const caseOf = (count: number) => ({ params: { count, ...withFactor } as unknown as P });
  return defineKernel<P>({
    name: saves ? `${row.name}.saved` : row.name,
    shader,
    bindings: {
      a: read,
      ...(binary ? { b: read } : {}),
      ...Object.fromEntries(outputs.map((name) => [name, { dtype: 'f32', access: 'write' } as const])),
    },
    params: { count: 'u32', ...(factor === undefined ? {} : { factor: 'f32' }) } as KernelSpec<P>['params'],
    variants: elementVariants<P>(names, { BINARY: binary, SAVED: saves }).map((variant) => ({
      ...variant,
      constants: { ...variant.constants, EXPRESSION: expand(String(variant.constants.ELEMENT)) },
    })),
    sizes: ({ count }) => Object.fromEntries(names.map((name) => [name, count])),
    dispatch: elementDispatch,
    cost: ({ count }) => ({ flops: row.flops * count, bytes: 4 * names.length * count }),
    reference: ({ a, b }, { count, ...rest }) => ({
      y: Float64Array.from({ length: count }, (_, i) =>
        row.reference(a?.[i] ?? 0, b?.[i] ?? 0, (rest as { factor?: number }).factor ?? 0),
      ),
      ...(saves ? { saved: a ?? [] } : {}),
    }),
    cases: [
      ...[1, 0, 63, 260, 70_001].map(caseOf),
      { ...caseOf(8), note: 'large values', inputs: () => largeInputs },
      ...(binary ? [] : [{ ...caseOf(4), note: 'beyond what f16 holds', inputs: () => hugeInputs }]),
    ],
    benchCases: [caseOf(1 << 20)],
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
  reference: (a) => a * sigmoid(a),
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** Gradient of SiLU: `a` is the input, `b` the output's gradient. */
export const siluBackward = kernelOfRow({
  name: 'siluBackward',
  arity: 2,
  flops: 12,
  wgsl: `b / (1.0 + ${siluExp}) * (1.0 + a * (1.0 - 1.0 / (1.0 + ${siluExp})))`,
  reference: (a, dy) => dy * sigmoid(a) * (1 + a * (1 - sigmoid(a))),
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

export const elementwiseKernels = [
  ...[add, multiply, scale, silu, siluBackward],
  ...[gelu, geluErf].flatMap(({ f32, f16, saved }) => [f32, f16, saved]),
  ...[geluBackward, geluErfBackward].flatMap(({ f32, f16 }) => [f32, f16]),
];
