/** Gradients of LayerNorm and RMSNorm: in the input alone, or in weight and bias as well, these in runs of rows. */
import shader from '../shaders/norm_backward.wgsl';
import { type NormForm, normBench, normName, normTolerance, statisticsOf, withStatistics } from './norm.ts';
import { registerRowVariants, rowDispatch, rowShapes, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel, foldWorkgroups, type KernelSpec } from './spec.ts';

export type NormBackwardParams = { rows: number; width: number };

/** `run`: rows whose share of the gradients of weight and bias one workgroup sums. */
export type NormGradientsParams = NormBackwardParams & { run: number };

/** Partial sums that remain; at least one, so that an empty matrix gives zeros. */
export const normRuns = ({ rows, run }: Pick<NormGradientsParams, 'rows' | 'run'>): number =>
  Math.max(1, Math.ceil(rows / run));

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };

/** What the two kernels of a form share. */
function partsOf(form: NormForm) {
  const { centred, residual } = form;
  const matrices = ['dy', 'x', ...(residual ? ['dSum'] : [])];
  return {
    matrices,
    bindings: Object.fromEntries([...matrices, 'weight', 'statistics'].map((name) => [name, read])),
    constants: { CENTRED: centred, RESIDUAL: residual },
    vectorised: [...matrices, 'weight', 'dx'],
    sizes: ({ rows, width }: NormBackwardParams) => ({
      ...Object.fromEntries([...matrices, 'dx'].map((name) => [name, rows * width])),
      weight: width,
      statistics: statisticsOf(form) * rows,
    }),
    bytes: ({ rows, width }: NormBackwardParams) =>
      4 * ((matrices.length + 1) * rows * width + width + statisticsOf(form) * rows),
  };
}

function backwardKernel(form: NormForm): KernelSpec<NormBackwardParams> {
  const { bindings, constants, vectorised, sizes, bytes } = partsOf(form);
  return defineKernel<NormBackwardParams>({
    name: `${normName(form)}Backward`,
    shader,
    bindings: { ...bindings, dx: write },
    params: { rows: 'u32', width: 'u32' },
    variants: withStatistics(form, [
      ...registerRowVariants<NormBackwardParams>(vectorised, { ...constants, PARTIALS: false }),
      ...rowVariants<NormBackwardParams>(vectorised, { ...constants, PARTIALS: false }),
    ]),
    sizes,
    dispatch: rowDispatch,
    cost: (params) => ({ flops: 12 * params.rows * params.width, bytes: bytes(params) }),
    reference: (inputs, params) => ({ dx: inputGradient(form, inputs, params) }),
    cases: rowShapes.map((params) => ({ params: { ...params } })),
    benchCases: [{ params: { ...normBench } }],
    tolerance: normTolerance,
  });
}

function gradientsKernel(form: NormForm): KernelSpec<NormGradientsParams> {
  const { bindings, constants, vectorised, sizes, bytes } = partsOf(form);
  const partials = ['dWeight', ...(form.centred ? ['dBias'] : [])];
  const rows = [...vectorised, ...partials];
  const plain = rowVariants<NormGradientsParams>(rows, { ...constants, PARTIALS: true });
  return defineKernel<NormGradientsParams>({
    name: `${normName(form)}Gradients`,
    shader,
    bindings: { ...bindings, dx: write, ...Object.fromEntries(partials.map((name) => [name, write])) },
    params: { rows: 'u32', width: 'u32', run: 'u32' },
    variants: withStatistics(form, [
      ...registerRowVariants<NormGradientsParams>(rows, { ...constants, PARTIALS: true }, true),
      ...plain.filter(({ constants: { COOPERATIVE } }) => COOPERATIVE),
    ]),
    sizes: (params) => ({
      ...sizes(params),
      ...Object.fromEntries(partials.map((name) => [name, normRuns(params) * params.width])),
    }),
    dispatch: (params) => foldWorkgroups(normRuns(params)),
    cost: (params) => ({
      flops: 15 * params.rows * params.width,
      bytes: bytes(params) + 4 * partials.length * normRuns(params) * params.width,
    }),
    reference: (inputs, params) => ({
      dx: inputGradient(form, inputs, params),
      ...parameterGradients(form, inputs, params),
    }),
    cases: [
      { params: { rows: 1, width: 1, run: 1 } },
      { params: { rows: 0, width: 8, run: 16 } },
      { params: { rows: 37, width: 70, run: 10 } },
      { params: { rows: 200, width: 64, run: 16 } },
      { params: { rows: 9, width: 300, run: 4 } },
      { params: { rows: 20, width: 1028, run: 20 } },
      { params: { rows: 3, width: 4100, run: 2 } },
    ],
    benchCases: [{ params: { ...normBench, run: 128 } }, { params: { rows: 1024, width: 128, run: 16 } }],
    tolerance: normTolerance,
  });
}

type Arrays = Readonly<Record<string, Float64Array>>;

/** The mean, which is 0 for RMSNorm, and the scale of a row. */
function statisticsAt(
  { centred }: NormForm,
  statistics: Float64Array,
  row: number,
): readonly [mean: number, scale: number] {
  return centred ? [statistics[2 * row]!, statistics[2 * row + 1]!] : [0, statistics[row]!];
}

function inputGradient(
  form: NormForm,
  { dy, x, weight, statistics, dSum }: Arrays,
  { rows, width }: NormBackwardParams,
): Float64Array {
  const { centred, residual } = form;
  const dx = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const [mean, scale] = statisticsAt(form, statistics!, row);
    const normed = (i: number) => (x![row * width + i]! - mean) * scale;
    const gradient = (i: number) => dy![row * width + i]! * weight![i]!;
    let [meanGradient, meanProduct] = [0, 0];
    for (let i = 0; i < width; i++) {
      if (centred) meanGradient += gradient(i) / width;
      meanProduct += (gradient(i) * normed(i)) / width;
    }
    for (let i = 0; i < width; i++) {
      const at = row * width + i;
      dx[at] = scale * (gradient(i) - meanGradient - normed(i) * meanProduct) + (residual ? dSum![at]! : 0);
    }
  }
  return dx;
}

function parameterGradients(form: NormForm, { dy, x, statistics }: Arrays, params: NormGradientsParams) {
  const { rows, width, run } = params;
  const dWeight = new Float64Array(normRuns(params) * width);
  const dBias = new Float64Array(normRuns(params) * width);
  for (let row = 0; row < rows; row++) {
    const [mean, scale] = statisticsAt(form, statistics!, row);
    for (let i = 0; i < width; i++) {
      const at = row * width + i;
      const partial = Math.floor(row / run) * width + i;
      dWeight[partial]! += dy![at]! * (x![at]! - mean) * scale;
      dBias[partial]! += dy![at]!;
    }
  }
  return { dWeight, ...(form.centred ? { dBias } : {}) };
}

const layer: NormForm = { centred: true, residual: false };
const addLayer: NormForm = { centred: true, residual: true };
const rms: NormForm = { centred: false, residual: false };
const addRms: NormForm = { centred: false, residual: true };

/**
 * Gradients in x. Those of the `add…` kernels are in x and in the residual, which is one and the same; dSum is the
 * gradient of the sum from elsewhere.
 */
export const layerNormBackward = backwardKernel(layer);
export const addLayerNormBackward = backwardKernel(addLayer);
export const rmsNormBackward = backwardKernel(rms);
export const addRmsNormBackward = backwardKernel(addRms);

/** The same with the gradients of weight and bias: sums over runs of rows, `[normRuns, width]`. */
export const layerNormGradients = gradientsKernel(layer);
export const addLayerNormGradients = gradientsKernel(addLayer);
export const rmsNormGradients = gradientsKernel(rms);
export const addRmsNormGradients = gradientsKernel(addRms);

export const normBackwardKernels = [
  layerNormBackward,
  addLayerNormBackward,
  rmsNormBackward,
  addRmsNormBackward,
  layerNormGradients,
  addLayerNormGradients,
  rmsNormGradients,
  addRmsNormGradients,
] as const;
