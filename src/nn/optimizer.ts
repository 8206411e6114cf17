/** AdamW over a slab of parameters (Loshchilov and Hutter, arXiv 1711.05101), with PyTorch's semantics. */
import { adamW } from '../../kernels/adamW.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ParameterSlab, Variable } from '../tensor/variable.ts';
import {
  checkOptions,
  largestNorm,
  type Optimizer,
  type OptimizerOptions,
  slabUpdate,
  type UpdateStep,
} from './slabUpdate.ts';

export interface AdamWOptions extends OptimizerOptions {
  /** Default: 0.9. */
  readonly beta1?: number;
  /** Default: 0.999. */
  readonly beta2?: number;
  /** Added to the root of the corrected second moment. Default: 1e-8. */
  readonly epsilon?: number;
  /** Decoupled, for the parameters that asked for it. Default: 0.01. */
  readonly weightDecay?: number;
}

/**
 * @example
 * const optimizer = new AdamW(model.slab, { weightDecay: 0.1 });
 * const { updates, norm } = minimise(loss, optimizer);
 */
export class AdamW implements Optimizer {
  readonly firstMoment: Variable;
  readonly secondMoment: Variable;
  private readonly options: Required<Omit<AdamWOptions, 'decayAll'>>;
  private readonly decaySize: number;

  /** @throws {ProxmoError} `config` if a beta is not in [0, 1), or another option is negative */
  constructor(
    readonly slab: ParameterSlab,
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
    checkOptions('AdamW', this.options, ['beta1', 'beta2']);
    this.decaySize = decayAll ? slab.size : slab.decaySize;
    this.firstMoment = slab.variableLike(`${slab.variable.name} first moment`);
    this.secondMoment = slab.variableLike(`${slab.variable.name} second moment`);
  }

  /** The moments, for checkpoints. */
  get variables(): readonly Variable[] {
    return [this.firstMoment, this.secondMoment];
  }

  update(gradients: Tensor): UpdateStep {
    const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = this.options;
    const maxNorm = largestNorm(maxGradNorm);
    return slabUpdate(this.slab, gradients, {
      kernel: adamW as unknown as KernelSpec,
      params: { beta1, beta2, gain1: 1 - beta1, gain2: 1 - beta2, epsilon, weightDecay, maxNorm },
      decaySize: this.decaySize,
      state: { firstMoment: this.firstMoment, secondMoment: this.secondMoment },
      hyperparameters: 4,
    });
  }

  hyperparameters(step: number, learningRate: number, gradientScale = 1): Float32Array<ArrayBuffer> {
    const { beta1, beta2 } = this.options;
    return Float32Array.of(learningRate, 1 - beta1 ** step, 1 - beta2 ** step, gradientScale);
  }
}
