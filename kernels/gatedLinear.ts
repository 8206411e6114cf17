/** SwiGLU and GeGLU over a fused gate and up projection, and their gradients. */
import shader from '../shaders/gated_linear.wgsl';
import { rowDispatch, rowVariants } from './rows.ts';
import { type BindingSpec, defineKernel, type KernelCase } from './spec.ts';
import { withStorage } from './storage.ts';

/** `width` is that of the result: half of the input's. */
type GatedParams = { rows: number; width: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** An activation of the gate, gate · σ(z(gate)), as its z and the derivative of that. */
interface Activation {
  readonly name: 'swiglu' | 'geglu';
  readonly z: (gate: number) => number;
  readonly slope: (gate: number) => number;
}

/** SiLU. */
const swish: Activation = { name: 'swiglu', z: (gate) => gate, slope: () => 1 };
/** 2 · √(2/π), in the tanh form of GELU as a sigmoid. */
const geluScale = 2 * Math.sqrt(2 / Math.PI);
const tanhGelu: Activation = {
  name: 'geglu',
  z: (gate) => geluScale * (gate + 0.044715 * gate ** 3),
  slope: (gate) => geluScale * (1 + 3 * 0.044715 * gate ** 2),
};

/** The activation of a gate alone. */
export function activationOf(name: Activation['name']): (gate: number) => number {
  const { z } = name === 'swiglu' ? swish : tanhGelu;
  return (gate) => gate * sigmoid(z(gate));
}

const cases: readonly KernelCase<GatedParams>[] = [
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
function forward({ name, z }: Activation, saves: boolean) {
  return defineKernel<GatedParams>({
    name: saves ? `${name}.saved` : name,
    shader,
    bindings: { gateUp: read, y: write, ...(saves ? { saved: write } : {}) },
    params: { rows: 'u32', width: 'u32' },
    variants: rowVariants(['gateUp', 'y', 'saved'], { BACKWARD: false, SAVED: saves, GELU: name === 'geglu' }),
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
        return gate * sigmoid(z(gate)) * gateUp![at + (Math.floor(at / width) + 1) * width]!;
      }),
      ...(saves ? { saved: gateUp! } : {}),
    }),
    cases,
    benchCases,
    tolerance,
  });
}

function backward({ name, z, slope }: Activation) {
  return defineKernel<GatedParams>({
    name: `${name}Backward`,
    shader,
    bindings: { dy: read, gateUp: read, dGateUp: write },
    params: { rows: 'u32', width: 'u32' },
    variants: rowVariants(['dy', 'gateUp', 'dGateUp'], { BACKWARD: true, SAVED: false, GELU: name === 'geglu' }),
    sizes: ({ rows, width }) => ({ dy: rows * width, gateUp: 2 * rows * width, dGateUp: 2 * rows * width }),
    dispatch: rowDispatch,
    cost: ({ rows, width }) => ({ flops: 12 * rows * width, bytes: 20 * rows * width }),
    reference: ({ dy, gateUp }, { rows, width }) => {
      const dGateUp = new Float64Array(2 * rows * width);
      for (let at = 0; at < rows * width; at++) {
        const gateAt = at + Math.floor(at / width) * width;
        const [gate, up] = [gateUp![gateAt]!, gateUp![gateAt + width]!];
        const share = sigmoid(z(gate));
        dGateUp[gateAt] = dy![at]! * up * share * (1 + gate * (1 - share) * slope(gate));
        dGateUp[gateAt + width] = dy![at]! * gate * share;
      }
      return { dGateUp };
    },
    cases,
    benchCases,
    tolerance,
    inPlace: { input: 'gateUp', output: 'dGateUp' },
  });
}

function gated(activation: Activation) {
  return {
    f32: withStorage(forward(activation, false)),
    f16: withStorage(forward(activation, false), ['y']),
    saved: withStorage(forward(activation, true), ['y', 'saved']),
    backward: {
      f32: withStorage(backward(activation)),
      f16: withStorage(backward(activation), ['gateUp']),
    },
  } as const;
}

/**
 * y [rows, width] = silu(gateUp[:, 0 … width]) · gateUp[:, width … 2 · width]: in float32; with y in f16; and with a
 * copy of gateUp in f16 beside that, for the backward pass. `backward` is its gradient in gateUp, from gateUp in
 * float32 or from the copy in f16.
 */
export const swiglu = gated(swish);

/** The same with GELU, in its tanh form, in place of SiLU. */
export const geglu = gated(tanhGelu);

export const gatedLinearKernels = [swiglu, geglu].flatMap(({ f32, f16, saved, backward: gradient }) => [
  ...[f32, f16, saved],
  ...[gradient.f32, gradient.f16],
]);
