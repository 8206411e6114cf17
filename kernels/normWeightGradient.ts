/** Gradient of the weight of RMSNorm and LayerNorm, in runs of rows. */
import shader from '../shaders/norm_weight_gradient.wgsl';
import { type AdapterProfile, type BindingSpec, defineKernel, type KernelSpec, type Variant } from './spec.ts';

/** `run`: rows that one invocation sums. */
export type NormWeightParams = { rows: number; width: number; run: number };

/** Partial sums that remain; at least one, so that an empty matrix gives zeros. */
export const normWeightRuns = ({ rows, run }: Pick<NormWeightParams, 'rows' | 'run'>): number => Math.max(1, Math.ceil(rows / run));

/** Columns that a workgroup takes: few for software adapters, so that every core has some. */
const layouts = [
  { label: 'columns16', workgroup: 16, prefer: ({ kind }: AdapterProfile) => kind === 'cpu' },
  { label: 'columns64', workgroup: 64, prefer: () => true },
];
const elements = [
  { label: 'vec4', constants: { WIDTH: 4, ELEMENT: 'vec4<f32>' }, vector: { dy: 4, x: 4, partial: 4 } },
  { label: 'scalar', constants: { WIDTH: 1, ELEMENT: 'f32' }, vector: {} },
] as const;

function variantOf(
  { label, workgroup, prefer }: (typeof layouts)[number],
  element: (typeof elements)[number],
  centred: boolean,
): Variant<NormWeightParams> {
  return {
    label: `${label}.${element.label}.f32`,
    constants: { ...element.constants, WORKGROUP: workgroup, CENTRED: centred },
    vector: element.vector,
    requires: (_, { width }) => width % element.constants.WIDTH === 0,
    prefer,
  };
}

function kernelOf(centred: boolean): KernelSpec<NormWeightParams> {
  const read: BindingSpec = { dtype: 'f32', access: 'read' };
  return defineKernel<NormWeightParams>({
    name: centred ? 'layerNormWeightGradient' : 'rmsNormWeightGradient',
    shader,
    bindings: { dy: read, x: read, ...(centred ? { mean: read } : {}), scale: read, partial: { dtype: 'f32', access: 'write' } },
    params: { rows: 'u32', width: 'u32', run: 'u32' },
    variants: layouts.flatMap((layout) => elements.map((element) => variantOf(layout, element, centred))),
    sizes: (params) => {
      const { rows, width } = params;
      return {
        dy: rows * width,
        x: rows * width,
        ...(centred ? { mean: rows } : {}),
        scale: rows,
        partial: normWeightRuns(params) * width,
      };
    },
    dispatch: (params, { WORKGROUP, WIDTH }) => [Math.ceil(params.width / (Number(WORKGROUP) * Number(WIDTH))), normWeightRuns(params), 1],
    cost: (params) => ({
      flops: 4 * params.rows * params.width,
      bytes: 4 * (2 * params.rows * params.width + params.rows + normWeightRuns(params) * params.width),
    }),
    reference: ({ dy, x, mean, scale }, params) => {
      const { rows, width, run } = params;
      const partial = new Float64Array(normWeightRuns(params) * width);
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < width; i++) {
          const normed = (x![row * width + i]! - (mean?.[row] ?? 0)) * scale![row]!;
          partial[Math.floor(row / run) * width + i]! += dy![row * width + i]! * normed;
        }
      }
      return { partial };
    },
    cases: [
      { params: { rows: 1, width: 1, run: 1 } },
      { params: { rows: 0, width: 8, run: 16 } },
      { params: { rows: 37, width: 70, run: 10 } },
      { params: { rows: 1000, width: 64, run: 16 } },
      { params: { rows: 40, width: 1028, run: 40 } },
    ],
    benchCases: [{ params: { rows: 8192, width: 64, run: 128 } }],
    // Sums of up to 40 products of three standard normal numbers.
    tolerance: { absolute: 1e-4, relative: 1e-5 },
  });
}

export const rmsNormWeightGradient = kernelOf(false);
export const layerNormWeightGradient = kernelOf(true);
