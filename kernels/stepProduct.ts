/**
 * Products of one row, as a step of decoding a single reply has them, with what comes before and after them
 * (shaders/lib/step_ends.wgsl). So a step takes fewer dispatches: a software driver waits for each, and what is between
 * products is too little to share out. In layout nt, with W in float32 or packed:
 *
 * - `normed`: c = norm(x) · Wᵀ + bias for an RMSNorm, from `a` = x · weight of the norm, and from `squares`, the sums
 *   of x² of each group of 8 columns. The norm's factor is the same for the whole row, so it multiplies the product.
 * - `swiglu` and `geglu`: the gated activation of the same; W has the gates' rows, then those of what they gate.
 * - `residual`: c = residual + a · Wᵀ, and what the next norm's product reads: `scaled` = c · gain, and `squares`.
 *
 * n, k and what is gated are multiples of 8.
 */
import shader from '../shaders/step_product.wgsl';
import { activationOf } from './gatedLinear.ts';
import { multiply } from './matmulReference.ts';
import { rowVariants } from './matmulRow.ts';
import { constantsOf, type MatmulForm, type MatmulParams, tilesOf } from './matmulVariants.ts';
import {
  blockValues,
  isPacked,
  type PackedType,
  packedBytes,
  packedRowWords,
  packedTypes,
  randomPacked,
  widened,
} from './packed.ts';
import {
  type BindingSpec,
  type Constants,
  defineKernel,
  foldWorkgroups,
  type KernelCase,
  type Variant,
} from './spec.ts';

/** What is done beside multiplying. */
export type StepEnds = 'normed' | 'swiglu' | 'geglu' | 'residual';

/** How W is stored. */
export type StepWeight = 'f32' | PackedType;

export interface StepForm {
  readonly ends: StepEnds;
  /** A bias for each column, where the ends are `normed`. */
  readonly bias?: boolean;
  readonly weight: StepWeight;
}

export type StepParams = MatmulParams & { epsilon: number };

/** Columns of a group, whose squares are summed. */
export const groupColumns = 8;

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };

function isGated(ends: StepEnds): ends is 'swiglu' | 'geglu' {
  return ends === 'swiglu' || ends === 'geglu';
}

/** Sums of the squares of each group. */
function squaresOf(row: ArrayLike<number>): number[] {
  return Array.from({ length: Math.ceil(row.length / groupColumns) }, (_, group) => {
    const values = Array.from(row).slice(group * groupColumns, (group + 1) * groupColumns);
    return values.reduce((sum, value) => sum + value * value, 0);
  });
}

/** For adapters without subgroups of four or eight lanes: a workgroup shares the depths of its columns out. */
const wideWorkgroup = { lanes: 64, columns: 8 };

function variantsOf({ ends, bias = false, weight }: StepForm): Variant<StepParams>[] {
  const form: MatmulForm = { layout: 'nt', bias, b: weight };
  const own: Constants = {
    FUSED: true,
    ELEMENT: 'f32',
    NORMED: ends !== 'residual',
    GATED: isGated(ends),
    GELU: ends === 'geglu',
    RESIDUAL: ends === 'residual',
  };
  const constants = (tile: { readonly rows: number; readonly columns: number }) => ({
    ...constantsOf(form, tile, true),
    ...own,
  });
  const byColumns = rowVariants(form, constants, 'f32').filter(
    ({ constants: { DEPTHS, TILE_M } }) => DEPTHS === false && TILE_M === 1,
  );
  const { lanes, columns } = wideWorkgroup;
  const tile = { rows: 1, columns: isGated(ends) ? 2 * columns : columns };
  return [
    ...byColumns,
    {
      label: `row.workgroup${lanes}.f32.1x${tile.columns}`,
      constants: {
        ...constants(tile),
        ...{ ROW: true, DEPTHS: true, LANES: lanes, SUBGROUP_SUM: false, WORDS: false, WORDS_A: false },
      },
      vector: isPacked(weight) ? { a: 4 } : { a: 4, b: 4 },
      // A software driver takes seconds to compile so much widening, and has subgroups.
      requires: ({ kind, features, subgroupMinSize, subgroupMaxSize }) =>
        kind === 'gpu' ||
        !isPacked(weight) ||
        !(features.has('subgroups') && subgroupMinSize <= 8 && subgroupMaxSize >= 4),
    },
  ];
}

function stepProduct(form: StepForm) {
  const { ends, bias = false, weight } = form;
  const packed = isPacked(weight) ? weight : null;
  const hasResidual = ends === 'residual';
  const width = ({ n }: StepParams) => (isGated(ends) ? n / 2 : n);
  const withInputs = (params: StepParams, note?: string): KernelCase<StepParams> => {
    const { n, k } = params;
    const inputs = (random: () => number) => ({
      ...(packed ? { b: randomPacked(packed, n, k, random) } : {}),
      ...(hasResidual ? {} : { squares: squaresOf(Array.from({ length: k }, random)) }),
    });
    return { params, inputs, ...(note ? { note } : {}) };
  };
  const shape = (n: number, k: number, note?: string) =>
    withInputs({ m: 1, n, k, batch: 1, splits: 1, epsilon: 1e-5 }, note);
  const block = packed ? blockValues(packed) : groupColumns;
  return defineKernel<StepParams>({
    name: stepName(form),
    shader,
    bindings: {
      a: read,
      b: packed ? { dtype: 'u32', access: 'read' } : read,
      ...(bias ? { bias: read } : {}),
      ...(hasResidual ? { residual: read, gain: read } : { squares: read }),
      c: write,
      ...(hasResidual ? { scaled: write, squares: write } : {}),
    },
    params: { m: 'u32', n: 'u32', k: 'u32', batch: 'u32', splits: 'u32', epsilon: 'f32' },
    variants: variantsOf(form),
    sizes: (params) => {
      const { n, k } = params;
      return {
        a: k,
        b: packed ? n * packedRowWords(packed, k) : n * k,
        ...(bias ? { bias: n } : {}),
        ...(hasResidual ? { residual: n, gain: n, scaled: n } : {}),
        squares: (hasResidual ? n : k) / groupColumns,
        c: width(params),
      };
    },
    dispatch: (params, { TILE_M, TILE_N }) =>
      foldWorkgroups(tilesOf(params, { rows: Number(TILE_M), columns: Number(TILE_N) })),
    cost: (params) => {
      const { n, k } = params;
      const rows = k + width(params) + (hasResidual ? 3 * n : 0);
      return { flops: 2 * n * k, bytes: 4 * rows + (packed ? packedBytes(packed, n, k) : 4 * n * k) };
    },
    reference: (inputs, params) => reference(form, inputs, params),
    cases: [shape(2 * groupColumns, block), shape(88, 3 * block, 'a last tile that is not full')],
    benchCases: [shape(hasResidual ? 1024 : 4096, 1024)],
    tuningCase: (params) => withInputs(params),
    // As of products (matmulPacked.ts); what is gated is a product of two such sums.
    tolerance: { absolute: 1e-3, relative: 2e-5 },
  });
}

function reference(
  { ends, weight }: StepForm,
  inputs: Readonly<Record<string, Float64Array>>,
  params: StepParams,
): Readonly<Record<string, ArrayLike<number>>> {
  const { n, k, epsilon } = params;
  const { bias, squares, residual, gain } = inputs;
  const b = isPacked(weight) ? widened(weight, inputs.b!, n, k) : inputs.b!;
  const product = multiply('nt', { a: inputs.a!, b }, params);
  if (ends === 'residual') {
    const c = product.map((value, column) => value + residual![column]!);
    return { c, scaled: c.map((value, column) => value * gain![column]!), squares: squaresOf(c) };
  }
  const meanSquare = squares!.reduce((sum, value) => sum + value, 0) / k;
  const factor = 1 / Math.sqrt(meanSquare + epsilon);
  const normed = product.map((value, column) => factor * value + (bias?.[column] ?? 0));
  if (!isGated(ends)) return { c: normed };
  const gate = activationOf(ends);
  return { c: normed.subarray(0, n / 2).map((value, column) => gate(value) * normed[n / 2 + column]!) };
}

function stepName({ ends, bias, weight }: StepForm): string {
  return `stepProduct.${ends}${bias ? '.bias' : ''}${weight === 'f32' ? '' : `.${weight}`}`;
}

export const stepProductKernels = (['f32', ...packedTypes] as const).flatMap((weight) => [
  stepProduct({ ends: 'normed', weight }),
  stepProduct({ ends: 'normed', bias: true, weight }),
  stepProduct({ ends: 'swiglu', weight }),
  stepProduct({ ends: 'geglu', weight }),
  stepProduct({ ends: 'residual', weight }),
]);

/** The kernel of a form. */
export function stepProductOf(form: StepForm) {
  return stepProductKernels.find(({ name }) => name === stepName(form))!;
}
