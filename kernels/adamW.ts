/**
 * The optimiser's step over a slab of parameters, with clipping by the global norm; a gradient that is not finite
 * changes nothing.
 */
import shader from '../shaders/adam_w.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { defineKernel, type KernelCase } from './spec.ts';

/** `gain` is 1 − beta, rounded once. Decay holds for the first `decaySize` elements, a multiple of 4. */
type AdamWParams = {
  count: number;
  decaySize: number;
  beta1: number;
  beta2: number;
  gain1: number;
  gain2: number;
  epsilon: number;
  weightDecay: number;
  maxNorm: number;
};

const defaults = { beta1: 0.9, beta2: 0.999, gain1: 0.1, gain2: 0.001, epsilon: 1e-8, weightDecay: 0.01, maxNorm: 1 };

function caseOf(
  count: number,
  decaySize: number,
  norm: number,
  note: string,
  gradientScale = 0.5,
): KernelCase<AdamWParams> {
  return {
    note,
    params: { count, decaySize, ...defaults },
    inputs: (random) => ({
      secondMoment: Array.from({ length: count }, () => random() ** 2),
      norm: [norm],
      hyperparameters: [1e-2, 1 - 0.9 ** 3, 1 - 0.999 ** 3, gradientScale],
    }),
  };
}

export const adamW = defineKernel<AdamWParams>({
  name: 'adamW',
  shader,
  bindings: {
    parameters: { dtype: 'f32', access: 'readWrite' },
    firstMoment: { dtype: 'f32', access: 'readWrite' },
    secondMoment: { dtype: 'f32', access: 'readWrite' },
    gradients: { dtype: 'f32', access: 'read' },
    norm: { dtype: 'f32', access: 'read' },
    hyperparameters: { dtype: 'f32', access: 'read' },
    scaledNorm: { dtype: 'f32', access: 'write' },
  },
  params: {
    count: 'u32',
    decaySize: 'u32',
    beta1: 'f32',
    beta2: 'f32',
    gain1: 'f32',
    gain2: 'f32',
    epsilon: 'f32',
    weightDecay: 'f32',
    maxNorm: 'f32',
  },
  variants: elementVariants(['parameters', 'firstMoment', 'secondMoment', 'gradients']),
  sizes: ({ count }) => ({
    parameters: count,
    firstMoment: count,
    secondMoment: count,
    gradients: count,
    norm: 1,
    hyperparameters: 4,
    scaledNorm: 1,
  }),
  dispatch: elementDispatch,
  cost: ({ count }) => ({ flops: 14 * count, bytes: 28 * count }),
  reference: (inputs, params) => {
    const { gradients, norm, hyperparameters } = inputs;
    const [learningRate, correction1, correction2, gradientScale] = hyperparameters as unknown as [
      number,
      number,
      number,
      number,
    ];
    const wholeNorm = Math.fround(norm![0]! * gradientScale);
    const parameters = Float64Array.from(inputs.parameters!);
    const firstMoment = Float64Array.from(inputs.firstMoment!);
    const secondMoment = Float64Array.from(inputs.secondMoment!);
    const clip = Math.min(1, params.maxNorm / (wholeNorm + 1e-6));
    for (let i = 0; i < params.count && Number.isFinite(wholeNorm); i++) {
      const g = gradients![i]! * gradientScale * clip;
      firstMoment[i] = params.beta1 * firstMoment[i]! + params.gain1 * g;
      secondMoment[i] = params.beta2 * secondMoment[i]! + params.gain2 * g * g;
      const step = firstMoment[i]! / correction1 / (Math.sqrt(secondMoment[i]! / correction2) + params.epsilon);
      parameters[i] =
        parameters[i]! * (1 - learningRate * (i < params.decaySize ? params.weightDecay : 0)) - learningRate * step;
    }
    return { parameters, firstMoment, secondMoment, scaledNorm: [wholeNorm] };
  },
  cases: [
    caseOf(1, 0, 1.5, 'one'),
    caseOf(63, 20, 40, 'clipped'),
    caseOf(1024, 512, 0.1, 'not clipped'),
    caseOf(128, 64, Number.POSITIVE_INFINITY, 'infinite norm'),
    caseOf(128, 64, Number.NaN, 'norm not a number'),
    caseOf(128, 64, 1e38, 'norm that overflows', 8),
  ],
  benchCases: [caseOf(1 << 20, 1 << 19, 2, '')],
  // Random numbers would be second moments below 0.
  tuningCase: (params) => ({ ...caseOf(params.count, params.decaySize, 2, ''), params }),
  // A dozen roundings; where v is near 0, m / √v is large.
  tolerance: { absolute: 1e-6, relative: 2e-6 },
});
