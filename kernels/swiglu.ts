/** SwiGLU over a fused gate and up projection, and its gradient. */
import shader from '../shaders/swiglu.wgsl';
import { rowDispatch, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel, type KernelCase } from './spec.ts';

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
];
const benchCases = [{ params: { rows: 8192, width: 160 } }];
// exp of drivers is good to about 1e-5.
const tolerance = { absolute: 1e-5, relative: 1e-5 };

/** y [rows, width] = silu(gateUp[:, 0 … width]) · gateUp[:, width … 2 · width] */
export const swiglu = defineKernel<SwigluParams>({
  name: 'swiglu',
  shader,
  bindings: { gateUp: read, y: write },
  params: { rows: 'u32', width: 'u32' },
  variants: rowVariants(['gateUp', 'y'], { BACKWARD: false }),
  sizes: ({ rows, width }) => ({ gateUp: 2 * rows * width, y: rows * width }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 7 * rows * width, bytes: 12 * rows * width }),
  reference: ({ gateUp }, { rows, width }) => ({
    y: Float64Array.from({ length: rows * width }, (_, at) => {
      const gate = gateUp![at + Math.floor(at / width) * width]!;
      return gate * sigmoid(gate) * gateUp![at + (Math.floor(at / width) + 1) * width]!;
    }),
  }),
  cases,
  benchCases,
  tolerance,
});

/** Gradient of `swiglu` in gateUp. */
export const swigluBackward = defineKernel<SwigluParams>({
  name: 'swigluBackward',
  shader,
  bindings: { dy: read, gateUp: read, dGateUp: write },
  params: { rows: 'u32', width: 'u32' },
  variants: rowVariants(['dy', 'gateUp', 'dGateUp'], { BACKWARD: true }),
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
});
