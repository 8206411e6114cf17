/**
 * LayerNorm and RMSNorm by rows, alone or fused with the residual addition before them; the result in float32 or, for a
 * product that reads it, in f16.
 */
import shader from '../shaders/norm.wgsl';
import { type RowParams, registerRowVariants, rowDispatch, rowShapes, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel, type KernelSpec, type Params, type Variant } from './spec.ts';
import { withStorage } from './storage.ts';

export type NormParams = { rows: number; width: number; epsilon: number };

/** `centred`: LayerNorm, else RMSNorm. `residual`: of x + residual. */
export interface NormForm {
  readonly centred: boolean;
  readonly residual: boolean;
}

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };

// inverseSqrt is good to 2 ulp, a row's sums to a few more. A row of one element has variance 0: its scale is 1 /
// √epsilon, about 300, and multiplies the roundings.
export const normTolerance = { absolute: 2e-5, relative: 1e-5 };
export const normBench: RowParams = { rows: 8192, width: 64 };

/** The kernel's name, of which its gradients' names are made. */
export function normName({ centred, residual }: NormForm): string {
  const name = centred ? 'layerNorm' : 'rmsNorm';
  return residual ? `add${name.charAt(0).toUpperCase()}${name.slice(1)}` : name;
}

/** Numbers of a row that the backward pass reads, in one binding: LayerNorm's mean and scale, RMSNorm's scale. */
export const statisticsOf = ({ centred }: NormForm): 1 | 2 => (centred ? 2 : 1);

/** The variants of a form: LayerNorm's statistics are a vector in each. */
export function withStatistics<P extends Params>(
  { centred }: NormForm,
  variants: readonly Variant<P>[],
): readonly Variant<P>[] {
  return centred ? variants.map((variant) => ({ ...variant, vector: { ...variant.vector, statistics: 2 } })) : variants;
}

function normKernel(form: NormForm): KernelSpec<NormParams> {
  const { centred, residual } = form;
  const inputs = ['x', ...(residual ? ['residual'] : []), 'weight', ...(centred ? ['bias'] : [])];
  const outputs = [...(residual ? ['sum'] : []), 'y'];
  const constants = { CENTRED: centred, RESIDUAL: residual, VALUES: residual ? 'sum' : 'x' };
  const vectorised = [...inputs, ...outputs];
  const caseOf = ({ rows, width }: RowParams) => ({ params: { rows, width, epsilon: 1e-5 } });
  return defineKernel<NormParams>({
    name: normName(form),
    shader,
    bindings: Object.fromEntries([
      ...inputs.map((name) => [name, read]),
      ...[...outputs, 'statistics'].map((name) => [name, write]),
    ]),
    params: { rows: 'u32', width: 'u32', epsilon: 'f32' },
    variants: withStatistics(form, [
      ...registerRowVariants<NormParams>(vectorised, constants),
      ...rowVariants<NormParams>(vectorised, constants),
    ]),
    sizes: ({ rows, width }) => ({
      ...Object.fromEntries([...inputs, ...outputs].map((name) => [name, rows * width])),
      weight: width,
      ...(centred ? { bias: width } : {}),
      statistics: statisticsOf(form) * rows,
    }),
    dispatch: rowDispatch,
    cost: ({ rows, width }) => ({
      flops: (centred ? 8 : 4) * rows * width,
      bytes: 4 * ((residual ? 4 : 2) * rows * width + statisticsOf(form) * rows + (centred ? 2 : 1) * width),
    }),
    reference: (given, params) => reference(form, given, params),
    cases: rowShapes.map(caseOf),
    benchCases: [caseOf(normBench), caseOf({ rows: 2048, width: 128 })],
    tolerance: normTolerance,
  });
}

function reference(
  { centred, residual }: NormForm,
  given: Readonly<Record<string, Float64Array>>,
  { rows, width, epsilon }: NormParams,
) {
  const { weight, bias } = given;
  const sum = residual ? given.x!.map((value, at) => value + given.residual![at]!) : given.x!;
  const [y, mean, scale] = [new Float64Array(rows * width), new Float64Array(rows), new Float64Array(rows)];
  for (let row = 0; row < rows; row++) {
    const values = sum.subarray(row * width, (row + 1) * width);
    if (centred) mean[row] = values.reduce((total, value) => total + value, 0) / width;
    const variance = values.reduce((total, value) => total + (value - mean[row]!) ** 2, 0) / width;
    scale[row] = 1 / Math.sqrt(variance + epsilon);
    for (let i = 0; i < width; i++)
      y[row * width + i] = (values[i]! - mean[row]!) * scale[row]! * weight![i]! + (bias?.[i] ?? 0);
  }
  const statistics = centred ? Array.from(scale).flatMap((value, row) => [mean[row]!, value]) : scale;
  return { y, statistics, ...(residual ? { sum } : {}) };
}

/** A norm with y in float32, and with y in f16. */
function formsOf(form: NormForm) {
  const kernel = normKernel(form);
  return { f32: withStorage(kernel), f16: withStorage(kernel, ['y']) } as const;
}

/**
 * y = (x − mean) / √(variance + epsilon) · weight + bias for each row; `statistics` [rows, 2] are the mean, and the
 * factor of the row before the weight.
 */
export const layerNorm = formsOf({ centred: true, residual: false });

/** `layerNorm` of sum = x + residual, which is kept. */
export const addLayerNorm = formsOf({ centred: true, residual: true });

/**
 * y = x / √(mean(x²) + epsilon) · weight for each row; `statistics` [rows] are the factor of the row before the weight.
 */
export const rmsNorm = formsOf({ centred: false, residual: false });

/** `rmsNorm` of sum = x + residual, which is kept. */
export const addRmsNorm = formsOf({ centred: false, residual: true });

export const normKernels = [layerNorm, addLayerNorm, rmsNorm, addRmsNorm].flatMap(({ f32, f16 }) => [f32, f16]);
