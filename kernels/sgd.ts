/**
 * A step of gradient descent with momentum over a slab of parameters, with clipping by the global norm; a gradient that
 * is not finite changes nothing.
 */
import shader from '../shaders/sgd.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel, type KernelCase } from './spec.ts';

/** `nesterov` is 1 or 0. Decay holds for the first `decaySize` elements, a multiple of 4. */
type SgdParams = {
  count: number;
  decaySize: number;
  nesterov: number;
  momentum: number;
  weightDecay: number;
  maxNorm: number;
};

const defaults = { momentum: 0.9, weightDecay: 0.01, maxNorm: 1 };

function caseOf(
  note: string,
  shape: Pick<SgdParams, 'count' | 'decaySize'>,
  norm: number,
  nesterov = 0,
  gradientScale = 0.5,
): KernelCase<SgdParams> {
  return {
    note,
    params: { ...shape, nesterov, ...defaults },
    inputs: () => ({ norm: [norm], hyperparameters: [1e-2, gradientScale] }),
  };
}

export const sgd = defineKernel<SgdParams>({
  name: 'sgd',
  shader,
  bindings: {
    parameters: { dtype: 'f32', access: 'readWrite' },
    velocity: { dtype: 'f32', access: 'readWrite' },
    gradients: { dtype: 'f32', access: 'read' },
    norm: { dtype: 'f32', access: 'read' },
    hyperparameters: { dtype: 'f32', access: 'read' },
    scaledNorm: { dtype: 'f32', access: 'write' },
  },
  params: { count: 'u32', decaySize: 'u32', nesterov: 'u32', momentum: 'f32', weightDecay: 'f32', maxNorm: 'f32' },
  variants: elementVariants(['parameters', 'velocity', 'gradients']),
  sizes: ({ count }) => ({
    parameters: count,
    velocity: count,
    gradients: count,
    norm: 1,
    hyperparameters: 2,
    scaledNorm: 1,
  }),
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: 7 * count, bytes: 20 * count }),
  reference: (inputs, params) => {
    const { gradients, norm, hyperparameters } = inputs;
    const [learningRate, gradientScale] = hyperparameters as unknown as [number, number];
    const wholeNorm = Math.fround(norm![0]! * gradientScale);
    const parameters = Float64Array.from(inputs.parameters!);
    const velocity = Float64Array.from(inputs.velocity!);
    const clip = Math.min(1, params.maxNorm / (wholeNorm + 1e-6));
    for (let i = 0; i < params.count && Number.isFinite(wholeNorm); i++) {
      const decay = i < params.decaySize ? params.weightDecay : 0;
      const g = gradients![i]! * gradientScale * clip + decay * parameters[i]!;
      velocity[i] = params.momentum * velocity[i]! + g;
      parameters[i]! -= learningRate * (params.nesterov ? g + params.momentum * velocity[i]! : velocity[i]!);
    }
    return { parameters, velocity, scaledNorm: [wholeNorm] };
  },
  cases: [
    caseOf('one', { count: 1, decaySize: 0 }, 1.5),
    caseOf('clipped', { count: 63, decaySize: 20 }, 40),
    caseOf('Nesterov', { count: 1024, decaySize: 512 }, 0.1, 1),
    caseOf('infinite norm', { count: 128, decaySize: 64 }, Number.POSITIVE_INFINITY),
    caseOf('norm not a number', { count: 128, decaySize: 64 }, Number.NaN),
    caseOf('norm that overflows', { count: 128, decaySize: 64 }, 1e38, 0, 8),
  ],
  benchCases: [caseOf('', { count: 1 << 20, decaySize: 1 << 19 }, 2)],
  tuningCase: (params) => ({ ...caseOf('', params, 2), params }),
  // Half a dozen roundings.
  tolerance: { absolute: 1e-6, relative: 2e-6 },
});
