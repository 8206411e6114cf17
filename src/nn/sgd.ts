/** Gradient descent with momentum over a slab of parameters (Sutskever et al., ICML 2013), with PyTorch's semantics. */
import { sgd } from '../../kernels/sgd.ts';
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

export interface SgdOptions extends OptimizerOptions {
  /** What stays of the last step's velocity. Default: 0.9. */
  readonly momentum?: number;
  /** Looks ahead by the velocity. Default: false. */
  readonly nesterov?: boolean;
  /** Added to the gradient, for the parameters that asked for it. Default: 0. */
  readonly weightDecay?: number;
}

/**
 * @example
 * const optimizer = new Sgd(model.slab, { momentum: 0.9, nesterov: true });
 * const { updates } = minimise(loss, optimizer);
 */
export class Sgd implements Optimizer {
  readonly velocity: Variable;
  private readonly options: Required<Omit<SgdOptions, 'decayAll' | 'nesterov'>>;
  private readonly nesterov: boolean;
  private readonly decaySize: number;

  /** @throws {ProxmoError} `config` if the momentum is not in [0, 1), or another option is negative */
  constructor(
    readonly slab: ParameterSlab,
    { momentum = 0.9, nesterov = false, weightDecay = 0, decayAll = false, maxGradNorm = 1 }: SgdOptions = {},
  ) {
    this.options = { momentum, weightDecay, maxGradNorm };
    checkOptions('SGD', this.options, ['momentum']);
    this.nesterov = nesterov;
    this.decaySize = decayAll ? slab.size : slab.decaySize;
    this.velocity = slab.variableLike(`${slab.variable.name} velocity`);
  }

  get variables(): readonly Variable[] {
    return [this.velocity];
  }

  update(gradients: Tensor): UpdateStep {
    const { momentum, weightDecay, maxGradNorm } = this.options;
    return slabUpdate(this.slab, gradients, {
      kernel: sgd as unknown as KernelSpec,
      params: { nesterov: this.nesterov ? 1 : 0, momentum, weightDecay, maxNorm: largestNorm(maxGradNorm) },
      decaySize: this.decaySize,
      state: { velocity: this.velocity },
      hyperparameters: 2,
    });
  }

  hyperparameters(_step: number, learningRate: number, gradientScale = 1): Float32Array<ArrayBuffer> {
    return Float32Array.of(learningRate, gradientScale);
  }
}
