/** AdamW over a slab of parameters (Loshchilov and Hutter, arXiv 1711.05101), with PyTorch's semantics. */
import { adamW } from '../../kernels/adamW.ts';
import { ProxmoError } from '../base/errors.ts';
import { norm } from '../ops/reduce.ts';
import { joined, partOf, piecesOf } from '../tensor/pieces.ts';
import { input, launch, type Tensor } from '../tensor/tensor.ts';
import type { ParameterSlab, Variable } from '../tensor/variable.ts';
import { refreshed } from './halfWeights.ts';

export interface AdamWOptions {
  /** Default: 0.9. */
  readonly beta1?: number;
  /** Default: 0.999. */
  readonly beta2?: number;
  /** Added to the root of the corrected second moment. Default: 1e-8. */
  readonly epsilon?: number;
  /** Decoupled, for the parameters that asked for it. Default: 0.01. */
  readonly weightDecay?: number;
  /** Norms and biases decay too, as in PyTorch where parameters are not told apart. Default: false. */
  readonly decayAll?: boolean;
  /** The gradient's global norm is clipped to this; `Infinity` for no clipping. Default: 1. */
  readonly maxGradNorm?: number;
}

/** Stands for no clipping: no norm that is finite comes near it. */
const hugeNorm = 3e38;

export class AdamW {
  readonly firstMoment: Variable;
  readonly secondMoment: Variable;
  private readonly options: Required<Omit<AdamWOptions, 'decayAll'>>;
  /** Where the parameters that decay end within the slab. */
  private readonly decaySize: number;

  /** @throws {ProxmoError} `config` if a beta is not in [0, 1), or another option is negative */
  constructor(
    private readonly slab: ParameterSlab,
    {
      beta1 = 0.9,
      beta2 = 0.999,
      epsilon = 1e-8,
      weightDecay = 0.01,
      decayAll = false,
      maxGradNorm = 1,
    }: AdamWOptions = {},
  ) {
    this.options = { beta1, beta2, epsilon, weightDecay, maxGradNorm };
    for (const [name, value] of Object.entries(this.options)) {
      if (!(value >= 0) || (name.startsWith('beta') && value >= 1)) {
        throw new ProxmoError(
          'config',
          `AdamW's ${name} is ${value}; it must be 0 or more${name.startsWith('beta') ? ' and below 1' : ''}.`,
        );
      }
    }
    this.decaySize = decayAll ? slab.size : slab.decaySize;
    this.firstMoment = slab.variableLike(`${slab.variable.name} first moment`);
    this.secondMoment = slab.variableLike(`${slab.variable.name} second moment`);
  }

  /** The moments, for checkpoints. */
  get variables(): readonly Variable[] {
    return [this.firstMoment, this.secondMoment];
  }

  /**
   * One step, in place on parameters and moments. The program that holds it needs `hyperparameters` as an input of that
   * name. If the norm is not finite, nothing changes; the caller sees it in `norm` and does not count the step.
   * @param gradients [slab.size], as `gatherGradients` lays them out
   * @returns the updated tensors for a program's `updates`, f16 copies of the parameters included, and the gradient's
   * global norm before clipping, [1]
   * @throws {ProxmoError} `shape`
   */
  update(gradients: Tensor): { readonly updates: readonly Tensor[]; readonly norm: Tensor } {
    const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = this.options;
    const fixed = {
      beta1,
      beta2,
      gain1: 1 - beta1,
      gain2: 1 - beta2,
      epsilon,
      weightDecay,
      maxNorm: Math.min(maxGradNorm, hugeNorm),
    };
    const shared = { norm: norm(gradients), hyperparameters: input('hyperparameters', [4]) };
    const state = {
      parameters: this.slab.variable.tensor,
      firstMoment: this.firstMoment.tensor,
      secondMoment: this.secondMoment.tensor,
    };
    const pieces = piecesOf(state.parameters);
    const steps = pieces.map((piece) => {
      const whole = [piece.size];
      return launch(
        adamW,
        { count: piece.size, decaySize: Math.min(Math.max(this.decaySize - piece.start, 0), piece.size), ...fixed },
        {
          parameters: partOf(state.parameters, piece),
          firstMoment: partOf(state.firstMoment, piece),
          secondMoment: partOf(state.secondMoment, piece),
          gradients: partOf(gradients, piece),
          ...shared,
        },
        { parameters: whole, firstMoment: whole, secondMoment: whole, scaledNorm: [1] },
      );
    });
    const names = ['parameters', 'firstMoment', 'secondMoment'] as const;
    const updates = names.map((name) =>
      joined(
        state[name],
        pieces,
        steps.map((step) => step[name]),
      ),
    );
    return { updates: [...updates, ...refreshed(this.slab, updates[0]!)], norm: steps[0]!.scaledNorm };
  }

  /**
   * What changes from step to step, for the input `hyperparameters`.
   * @param step counted from 1; steps that were skipped do not count
   * @param gradientScale multiplies the gradient first, as 1 / micro-batches where their gradients were added up
   */
  hyperparameters(step: number, learningRate: number, gradientScale = 1): Float32Array<ArrayBuffer> {
    const { beta1, beta2 } = this.options;
    return Float32Array.of(learningRate, 1 - beta1 ** step, 1 - beta2 ** step, gradientScale);
  }
}
