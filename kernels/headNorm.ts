/** RMSNorm over each head of queries and keys within a fused projection, and its gradients. */
import shader from '../shaders/head_norm.wgsl';
import backwardShader from '../shaders/head_norm_backward.wgsl';
import weightShader from '../shaders/head_norm_weight_gradient.wgsl';
import { normRuns } from './normBackward.ts';
import { rowDispatch, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel, type Variant } from './spec.ts';

type Heads = { rows: number; heads: number; kvHeads: number; headDim: number };
type HeadNormParams = Heads & { epsilon: number };
/** `run`: rows of a partial sum. */
type HeadNormWeightParams = Heads & { run: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };
const fields = { rows: 'u32', heads: 'u32', kvHeads: 'u32', headDim: 'u32' } as const;
// As for RMSNorm.
const tolerance = { absolute: 1e-5, relative: 1e-5 };

const headsOf = ({ heads, kvHeads }: Heads) => heads + 2 * kvHeads;
const sizeOf = (params: Heads) => params.rows * headsOf(params) * params.headDim;
const headDispatch = (params: Heads, constants: Variant['constants']) =>
  rowDispatch({ rows: params.rows * headsOf(params) }, constants);

/** Rows as short as a head keep 32 lanes busy at most. */
function headVariants<P extends Heads>(vectorised: readonly string[]): readonly Variant<P>[] {
  const variants = rowVariants<P>(vectorised, {}, ({ headDim }) => headDim);
  return variants.map((variant) => ({ ...variant, constants: { ...variant.constants, WORKGROUP: 32 } }));
}

/**
 * One invocation for each element of the weights on software adapters, where a barrier is dear; GPUs share its rows
 * among 16.
 */
function weightVariants(): readonly Variant<HeadNormWeightParams>[] {
  const vector = Object.fromEntries(['dy', 'x', 'partialQ', 'partialK'].map((name) => [name, 4 as const]));
  const shared = [4, 1].map((width): Variant<HeadNormWeightParams> => {
    const isVector = width === 4;
    return {
      label: `columns16x16.${isVector ? 'vec4' : 'scalar'}.f32`,
      constants: { COLUMNS: 16, DEPTH: 16, SHARED: true, WIDTH: width, ELEMENT: isVector ? 'vec4<f32>' : 'f32' },
      vector: isVector ? vector : {},
      requires: (_, { headDim }) => headDim % width === 0,
    };
  });
  const alone = { COLUMNS: 16, DEPTH: 1, SHARED: false, WIDTH: 1, ELEMENT: 'f32' };
  return [{ label: 'columns16.f32', constants: alone, prefer: ({ kind }) => kind === 'cpu' }, ...shared];
}

/** Calls `visit` for each head: `at` is its first element, `weight` which weight it has, null for values. */
function eachHead(params: Heads, visit: (row: number, at: number, weight: 'weightQ' | 'weightK' | null) => void): void {
  for (let row = 0; row < params.rows * headsOf(params); row++) {
    const head = row % headsOf(params);
    const weight = head < params.heads ? 'weightQ' : head < params.heads + params.kvHeads ? 'weightK' : null;
    visit(row, row * params.headDim, weight);
  }
}

const shapes: readonly Heads[] = [
  { rows: 1, heads: 1, kvHeads: 1, headDim: 2 },
  { rows: 0, heads: 2, kvHeads: 1, headDim: 8 },
  { rows: 7, heads: 3, kvHeads: 1, headDim: 7 },
  { rows: 33, heads: 4, kvHeads: 2, headDim: 16 },
  { rows: 3, heads: 2, kvHeads: 2, headDim: 132 },
];
const bench: Heads = { rows: 8192, heads: 4, kvHeads: 2, headDim: 16 };

/** y [rows, heads + 2 · kvHeads, headDim] and `scale` [rows, heads + 2 · kvHeads]. */
export const headNorm = defineKernel<HeadNormParams>({
  name: 'headNorm',
  shader,
  bindings: { x: read, weightQ: read, weightK: read, y: write, scale: write },
  params: { ...fields, epsilon: 'f32' },
  variants: headVariants(['x', 'weightQ', 'weightK', 'y']),
  sizes: (params) => {
    const { rows, headDim } = params;
    return { x: sizeOf(params), weightQ: headDim, weightK: headDim, y: sizeOf(params), scale: rows * headsOf(params) };
  },
  dispatch: headDispatch,
  cost: (params) => ({ flops: 4 * sizeOf(params), bytes: 8 * sizeOf(params) }),
  reference: (inputs, params) => {
    const y = Float64Array.from(inputs.x!);
    const scale = new Float64Array(params.rows * headsOf(params)).fill(1);
    eachHead(params, (row, at, weight) => {
      if (!weight) return;
      const head = inputs.x!.subarray(at, at + params.headDim);
      scale[row] = 1 / Math.sqrt(head.reduce((sum, value) => sum + value * value, 0) / params.headDim + params.epsilon);
      for (let i = 0; i < params.headDim; i++) y[at + i] = head[i]! * scale[row]! * inputs[weight]![i]!;
    });
    return { y, scale };
  },
  cases: shapes.map((heads) => ({ params: { ...heads, epsilon: 1e-6 } })),
  benchCases: [{ params: { ...bench, epsilon: 1e-6 } }],
  tolerance,
});

/** Gradient of `headNorm` in x. */
export const headNormBackward = defineKernel<Heads>({
  name: 'headNormBackward',
  shader: backwardShader,
  bindings: { dy: read, x: read, weightQ: read, weightK: read, scale: read, dx: write },
  params: fields,
  variants: headVariants(['dy', 'x', 'weightQ', 'weightK', 'dx']),
  sizes: (params) => {
    const { rows, headDim } = params;
    const size = sizeOf(params);
    return { dy: size, x: size, weightQ: headDim, weightK: headDim, scale: rows * headsOf(params), dx: size };
  },
  dispatch: headDispatch,
  cost: (params) => ({ flops: 8 * sizeOf(params), bytes: 12 * sizeOf(params) }),
  reference: (inputs, params) => {
    const { dy, x, scale } = inputs;
    const dx = Float64Array.from(dy!);
    eachHead(params, (row, at, weight) => {
      if (!weight) return;
      const gradient = (i: number) => dy![at + i]! * inputs[weight]![i]!;
      let products = 0;
      for (let i = 0; i < params.headDim; i++) products += gradient(i) * x![at + i]!;
      for (let i = 0; i < params.headDim; i++)
        dx[at + i] = scale![row]! * gradient(i) - (x![at + i]! * scale![row]! ** 3 * products) / params.headDim;
    });
    return { dx };
  },
  cases: shapes.map((heads) => ({ params: { ...heads } })),
  benchCases: [{ params: { ...bench } }],
  tolerance,
});

/** Gradient of `headNorm` in its weights, as partial sums [runs, headDim] each. */
export const headNormWeightGradient = defineKernel<HeadNormWeightParams>({
  name: 'headNormWeightGradient',
  shader: weightShader,
  bindings: { dy: read, x: read, scale: read, partialQ: write, partialK: write },
  params: { ...fields, run: 'u32' },
  variants: weightVariants(),
  sizes: (params) => {
    const partial = normRuns(params) * params.headDim;
    return {
      dy: sizeOf(params),
      x: sizeOf(params),
      scale: params.rows * headsOf(params),
      partialQ: partial,
      partialK: partial,
    };
  },
  dispatch: (params, { COLUMNS, WIDTH }) => [
    Math.ceil((2 * params.headDim) / (Number(COLUMNS) * Number(WIDTH))),
    normRuns(params),
    1,
  ],
  cost: (params) => ({ flops: 3 * sizeOf(params), bytes: 8 * sizeOf(params) }),
  reference: ({ dy, x, scale }, params) => {
    const size = normRuns(params) * params.headDim;
    const partial = { weightQ: new Float64Array(size), weightK: new Float64Array(size) };
    eachHead(params, (row, at, weight) => {
      if (!weight) return;
      const run = Math.floor(row / headsOf(params) / params.run);
      for (let i = 0; i < params.headDim; i++)
        partial[weight][run * params.headDim + i]! += dy![at + i]! * x![at + i]! * scale![row]!;
    });
    return { partialQ: partial.weightQ, partialK: partial.weightK };
  },
  cases: shapes.flatMap((heads) => [1, 16, 40].map((run) => ({ params: { ...heads, run } }))),
  benchCases: [{ params: { ...bench, run: 128 } }],
  // Sums of up to 132 products of three standard normal numbers.
  tolerance: { absolute: 1e-4, relative: 1e-5 },
});

export const headNormKernels = [headNorm, headNormBackward, headNormWeightGradient] as const;
