/**
 * What LayerNorm and RMSNorm share: the launches, alone and with the residual addition before them, and their
 * gradients.
 */
import * as kernels from '../../kernels/norm.ts';
import * as backward from '../../kernels/normBackward.ts';
import type { FloatStorage } from '../../kernels/storage.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiableMany } from '../tensor/autograd.ts';
import { launch, type Shape, type Tensor } from '../tensor/tensor.ts';
import { columnSum, columnSumPair } from './columnSum.ts';

/** One form's kernels. */
interface NormKernels {
  /** By how the result is stored. */
  readonly forward: typeof kernels.layerNorm;
  /** The gradient in the input alone, and with those of weight and bias. */
  readonly backward: typeof backward.layerNormBackward;
  readonly gradients: typeof backward.layerNormGradients;
}

const layerNorm: NormKernels = {
  forward: kernels.layerNorm,
  backward: backward.layerNormBackward,
  gradients: backward.layerNormGradients,
};
const addLayerNorm: NormKernels = {
  forward: kernels.addLayerNorm,
  backward: backward.addLayerNormBackward,
  gradients: backward.addLayerNormGradients,
};
const rmsNorm: NormKernels = {
  forward: kernels.rmsNorm,
  backward: backward.rmsNormBackward,
  gradients: backward.rmsNormGradients,
};
const addRmsNorm: NormKernels = {
  forward: kernels.addRmsNorm,
  backward: backward.addRmsNormBackward,
  gradients: backward.addRmsNormGradients,
};

export interface NormInputs {
  /** [rows, width] */
  readonly x: Tensor;
  /** Added to x first; [rows, width]. */
  readonly residual?: Tensor;
  /** [width] */
  readonly weight: Tensor;
  /** [width]; LayerNorm, and RMSNorm without it. */
  readonly bias?: Tensor;
  readonly epsilon: number;
  /** How the result is stored; its sum is in f32. Default: f32. */
  readonly stored?: FloatStorage;
}

/**
 * The norm of x, or of sum = x + residual.
 * @param op for error messages
 * @returns both [rows, width]; `sum` is x where nothing is added
 * @throws {ProxmoError} `shape`
 */
export function norm(op: string, inputs: NormInputs): { readonly sum: Tensor; readonly normed: Tensor } {
  checkShapes(op, inputs);
  const { x, residual, weight, bias, epsilon, stored = 'f32' } = inputs;
  const plain = bias ? layerNorm : rmsNorm;
  const fused = bias ? addLayerNorm : addRmsNorm;
  const [rows, width] = [x.dim(0), x.dim(1)];
  const outputs: Record<string, Shape> = {
    y: x.shape,
    statistics: bias ? [rows, 2] : [rows],
    ...(residual ? { sum: x.shape } : {}),
  };
  const given = { x, weight, ...(residual ? { residual } : {}), ...(bias ? { bias } : {}) };
  const launched = launch((residual ? fused : plain).forward[stored], { rows, width, epsilon }, given, outputs);
  const { y: normed, statistics, sum = x } = launched as { y: Tensor; statistics: Tensor; sum?: Tensor };
  const operands = [x, ...(residual ? [residual] : []), weight, ...(bias ? [bias] : [])];
  differentiableMany(op, operands, residual ? [normed, sum] : [normed], ([dy = null, dSum = null]) => {
    const ends = (dx: Tensor | null) => (residual ? [dx, dx] : [dx]);
    const none = bias ? [null, null] : [null];
    if (!dy) return [...ends(dSum), ...none];
    const known = { dy, x: sum, weight, statistics, ...(dSum ? { dSum } : {}) };
    const form = dSum ? fused : plain;
    if (!weight.requiresGrad && !bias?.requiresGrad) {
      return [...ends(launch(form.backward, { rows, width }, known, { dx: x.shape }).dx), ...none];
    }
    const { dx, dWeight, dBias } = launchGradients(form, known, bias !== undefined);
    return [...ends(dx), ...(dBias ? columnSumPair(dWeight, dBias) : [columnSum(dWeight)])];
  });
  return { sum, normed };
}

/** The gradient in the input, and partial sums of those in weight and bias, `[runs, width]`. */
function launchGradients(
  { gradients }: NormKernels,
  inputs: Readonly<Record<string, Tensor>> & { readonly x: Tensor },
  hasBias: boolean,
) {
  const { shape } = inputs.x;
  const [rows, width] = [inputs.x.dim(0), inputs.x.dim(1)];
  const run = rowsPerPartial(rows);
  const partial = [backward.normRuns({ rows, run }), width];
  const outputs: Record<string, Shape> = { dx: shape, dWeight: partial, ...(hasBias ? { dBias: partial } : {}) };
  return launch(gradients, { rows, width, run }, inputs, outputs) as { dx: Tensor; dWeight: Tensor; dBias?: Tensor };
}

/** Rows of a partial sum of a weight's gradient: at most 256 sums, each of at least 16 rows. */
export function rowsPerPartial(rows: number): number {
  return Math.max(16, Math.ceil(rows / 256));
}

function checkShapes(op: string, { x, residual, weight, bias }: NormInputs): void {
  const vectors = [weight, ...(bias ? [bias] : [])];
  const isVector = ({ shape }: Tensor) => shape.length === 1 && shape[0] === x.dim(-1);
  const isAddable =
    !residual || (residual.shape.length === 2 && residual.shape.every((extent, axis) => extent === x.shape[axis]));
  if (x.shape.length === 2 && isAddable && vectors.every(isVector)) return;
  const given = [x, ...(residual ? [residual] : []), ...vectors].map(({ shape }) => `[${shape.join(', ')}]`);
  const needed = [
    'rows [rows, width]',
    ...(residual ? ['a residual of that shape'] : []),
    'a weight [width]',
    ...(bias ? ['a bias [width]'] : []),
  ];
  throw new ProxmoError('shape', `${op} needs ${listOf(needed)}; it was given ${listOf(given)}.`);
}

function listOf(items: readonly string[]): string {
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
