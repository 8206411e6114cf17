/** SwiGLU over a fused gate and up projection, and its gradient. */
import shader from '../shaders/swiglu.wgsl';
import { rowDispatch, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel, type KernelCase } from './spec.ts';
import { withStorage } from './storage.ts';

/** `width` is that of the result: half of the input's. */
type SwigluParams = { rows: number; width: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const cases: readonly KernelCase<SwigluParams>[] = [
  { params: { rows: 1, width: 1 } },
  { params: { rows: 0, width: 8 } },
  { params: { rows: 9, width: 7 } },
  { params: { rows: 33, width: 160 } },
  {
    note: 'large gates',
    params: { rows: 1, width: 4 },
    inputs: () => ({ gateUp: [-1000, -90, 90, 1000, 1, 1, 1, 1], dy: [1, 1, 1, 1] }),
  },
  {
    note: 'beyond what f16 holds',
    params: { rows: 1, width: 4 },
    inputs: () => ({ gateUp: [400, 70_000, -3, 5, 400, 1, 1e5, -1e5], dy: [1, 1, 1, 1] }),
  },
];
const benchCases = [{ params: { rows: 8192, width: 160 } }];
// exp of drivers is good to about 1e-5.
const tolerance = { absolute: 1e-5, relative: 1e-5 };

/** @param saves whether a copy of gateUp is written beside the result */
function forward(saves: boolean) {
  return defineKernel<SwigluParams>({
    name: saves ? 'swiglu.saved' : 'swiglu',
    shader,
    bindings: { gateUp: read, y: write, ...(saves ? { saved: write } : {}) },
    params: { rows: 'u32', width: 'u32' },
    variants: rowVariants(['gateUp', 'y', 'saved'], { BACKWARD: false, SAVED: saves }),
    sizes: ({ rows, width }) => ({
      gateUp: 2 * rows * width,
      y: rows * width,
      ...(saves ? { saved: 2 * rows * width } : {}),
    }),
    dispatch: rowDispatch,
    cost: ({ rows, width }) => ({ flops: 7 * rows * width, bytes: (saves ? 20 : 12) * rows * width }),
    reference: ({ gateUp }, { rows, width }) => ({
      y: Float64Array.from({ length: rows * width }, (_, at) => {
        const gate = gateUp![at + Math.floor(at / width) * width]!;
        return gate * sigmoid(gate) * gateUp![at + (Math.floor(at / width) + 1) * width]!;
      }),
      ...(saves ? { saved: gateUp! } : {}),
    }),
    cases,
    benchCases,
    tolerance,
  });
}

/**
 * y [rows, width] = silu(gateUp[:, 0 … width]) · gateUp[:, width … 2 · width]: in float32; with y in f16; and with a
 * copy of gateUp in f16 beside that, for the backward pass.
 */
export const swiglu = {
  f32: withStorage(forward(false)),
  f16: withStorage(forward(false), ['y']),
  saved: withStorage(forward(true), ['y', 'saved']),
} as const;

const backward = defineKernel<SwigluParams>({
  name: 'swigluBackward',
  shader,
  bindings: { dy: read, gateUp: read, dGateUp: write },
  params: { rows: 'u32', width: 'u32' },
  variants: rowVariants(['dy', 'gateUp', 'dGateUp'], { BACKWARD: true, SAVED: false }),
  sizes: ({ rows, width }) => ({ dy: rows * width, gateUp: 2 * rows * width, dGateUp: 2 * rows * width }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 12 * rows * width, bytes: 20 * rows * width }),
  reference: ({ dy, gateUp }, { rows, width }) => {
    const dGateUp = new Float64Array(2 * rows * width);
    for (let at = 0; at < rows * width; at++) {
      const gateAt = at + Math.floor(at / width) * width;
      const [gate, up] = [gateUp![gateAt]!, gateUp![gateAt + width]!];
      dGateUp[gateAt] = dy![at]! * up * sigmoid(gate) * (1 + gate * (1 - sigmoid(gate)));
      dGateUp[gateAt + width] = dy![at]! * gate * sigmoid(gate);
    }
    return { dGateUp };
  },
  cases,
  benchCases,
  tolerance,
  inPlace: { input: 'gateUp', output: 'dGateUp' },
});

/** Gradient of `swiglu` in gateUp, from gateUp in float32 or from the copy in f16. */
export const swigluBackward = { f32: withStorage(backward), f16: withStorage(backward, ['gateUp']) } as const;

export const swigluKernels = [...[swiglu.f32, swiglu.f16, swiglu.saved], ...[swigluBackward.f32, swigluBackward.f16]];
