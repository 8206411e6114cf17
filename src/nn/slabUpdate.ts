/** What optimisers share: one kernel over all parameters of a slab, and clipping by the global norm. */
import type { KernelSpec, Params } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { norm } from '../ops/reduce.ts';
import { grad } from '../tensor/autograd.ts';
import { gatherGradients } from '../tensor/gradients.ts';
import { joined, partOf, piecesOf } from '../tensor/pieces.ts';
import { input, launch, type Tensor } from '../tensor/tensor.ts';
import type { ParameterSlab, Variable } from '../tensor/variable.ts';
import { refreshed } from './halfWeights.ts';

/** Options that all optimisers have. */
export interface OptimizerOptions {
  /** For the parameters that asked for it. */
  readonly weightDecay?: number;
  /** Norms and biases decay too, as in PyTorch where parameters are not told apart. Default: false. */
  readonly decayAll?: boolean;
  /** The gradient's global norm is clipped to this; `Infinity` for no clipping. Default: 1. */
  readonly maxGradNorm?: number;
}

/** One step, for a program. */
export interface UpdateStep {
  /** The updated tensors for a program's `updates`, f16 copies of the parameters included. */
  readonly updates: readonly Tensor[];
  /** The gradient's global norm before clipping, `[1]`. */
  readonly norm: Tensor;
}

/** What updates the parameters of a slab. */
export interface Optimizer {
  readonly slab: ParameterSlab;
  /** What it remembers from step to step, for checkpoints. */
  readonly variables: readonly Variable[];
  /**
   * One step, in place on parameters and `variables`. The program that holds it needs `hyperparameters` as an input of
   * that name. If the norm is not finite, nothing changes; the caller sees it in `norm` and does not count the step.
   * @param gradients `[slab.size]`, as `gatherGradients` lays them out
   * @throws {ProxmoError} `shape`
   */
  update(gradients: Tensor): UpdateStep;
  /**
   * What changes from step to step, for the input `hyperparameters`.
   * @param step counted from 1; steps that were skipped do not count
   * @param gradientScale multiplies the gradient first, as 1 / micro-batches where their gradients were added up
   */
  hyperparameters(step: number, learningRate: number, gradientScale?: number): Float32Array<ArrayBuffer>;
}

/**
 * Everything from a loss to the parameters after a step: gradients, their norm, clipping, the optimiser.
 * @param loss one element
 * @throws {ProxmoError} `shape`, `graph` as `grad`
 * @example
 * const { updates } = minimise(loss, new AdamW(model.slab));
 * const program = await engine.compile({ name: 'train', outputs: { loss }, updates });
 * await program.run({ x, y, hyperparameters: optimizer.hyperparameters(step, 1e-3) });
 */
export function minimise(loss: Tensor, optimizer: Optimizer): UpdateStep {
  const { slab } = optimizer;
  const gradients = grad(loss, slab.tensors);
  return optimizer.update(gatherGradients(slab, slab.variableLike(`${slab.variable.name} gradients`), gradients));
}

/** Stands for no clipping: no norm that is finite comes near it. */
const hugeNorm = 3e38;

/** `maxGradNorm` as kernels take it. */
export function largestNorm(maxGradNorm: number): number {
  return Math.min(maxGradNorm, hugeNorm);
}

/** @throws {ProxmoError} `config` if an option is negative, or 1 or more where it must be below */
export function checkOptions(
  optimizer: string,
  options: Readonly<Record<string, number>>,
  below1: readonly string[],
): void {
  for (const [name, value] of Object.entries(options)) {
    const isBelow = below1.includes(name);
    if (value >= 0 && (!isBelow || value < 1)) continue;
    throw new ProxmoError(
      'config',
      `${optimizer}'s ${name} is ${value}; it must be 0 or more${isBelow ? ' and below 1' : ''}.`,
    );
  }
}

export interface SlabUpdate {
  /** Reads `gradients`, `norm` and `hyperparameters`, and gives `scaledNorm`; takes `count` and `decaySize`. */
  readonly kernel: KernelSpec;
  readonly params: Params;
  /** Where the parameters that decay end within the slab. */
  readonly decaySize: number;
  /** What it updates beside the parameters, by binding. */
  readonly state: Readonly<Record<string, Variable>>;
  /** Elements of the input `hyperparameters`. */
  readonly hyperparameters: number;
}

/** The step of an optimiser on each buffer of a slab. */
export function slabUpdate(slab: ParameterSlab, gradients: Tensor, update: SlabUpdate): UpdateStep {
  const { kernel, params, decaySize } = update;
  const shared = { norm: norm(gradients), hyperparameters: input('hyperparameters', [update.hyperparameters]) };
  const state: Record<string, Tensor> = { parameters: slab.variable.tensor };
  for (const [name, { tensor }] of Object.entries(update.state)) state[name] = tensor;
  const names = Object.keys(state);
  const pieces = piecesOf(slab.variable.tensor);
  const steps = pieces.map((piece) => {
    const parts = Object.fromEntries(names.map((name) => [name, partOf(state[name]!, piece)]));
    return launch(
      kernel,
      { count: piece.size, decaySize: Math.min(Math.max(decaySize - piece.start, 0), piece.size), ...params },
      { ...parts, gradients: partOf(gradients, piece), ...shared },
      { ...Object.fromEntries(names.map((name) => [name, [piece.size]])), scaledNorm: [1] },
    ) as Readonly<Record<string, Tensor>>;
  });
  const updates = names.map((name) =>
    joined(
      state[name]!,
      pieces,
      steps.map((step) => step[name]!),
    ),
  );
  return { updates: [...updates, ...refreshed(slab, updates[0]!)], norm: steps[0]!.scaledNorm! };
}
