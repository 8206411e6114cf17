/**
 * The transformer of `src/nn/transformer.ts` written again, plainly, in float64 scalars: one sequence at a time, one
 * token at a time.
 */
import type { TransformerConfig } from '../../src/nn/transformer.ts';
import { dot, sum, Value } from './scalarGrad.ts';

export type Weights = ReadonlyMap<string, readonly Value[]>;

/** Σ weight · −log p(target) over the tokens of some sequences; `targets` is −1 where nothing is predicted. */
export function referenceLoss(
  config: TransformerConfig,
  weights: Weights,
  sequences: readonly {
    readonly tokens: readonly number[];
    readonly targets: readonly number[];
    readonly weight: number;
  }[],
): Value {
  const terms = sequences.flatMap(({ tokens, targets, weight }) => {
    const logits = forward(config, weights, tokens);
    return targets.flatMap((target, t) => (target < 0 ? [] : [logProb(logits[t]!, target).times(-weight)]));
  });
  return sum(terms);
}

function forward(config: TransformerConfig, weights: Weights, tokens: readonly number[]): Value[][] {
  const { dModel, layers, tiedHead } = config;
  const matrix = (name: string) => rowsOf(weights.get(name)!, dModel);
  let x = tokens.map((token) => matrix('embedding')[token]!);
  for (let layer = 0; layer < layers; layer++) {
    const context = attend(config, weights, `layers.${layer}.attention`, x);
    x = x.map((row, t) => row.map((value, i) => value.plus(context[t]![i]!)));
    const mixed = x.map((row) => mlp(config, weights, `layers.${layer}.mlp`, row));
    x = x.map((row, t) => row.map((value, i) => value.plus(mixed[t]![i]!)));
  }
  const head = matrix(tiedHead ? 'embedding' : 'head');
  return x.map((row) => project(normalise(row, weights.get('finalNorm')!, config.normEpsilon), head));
}

function attend(config: TransformerConfig, weights: Weights, prefix: string, x: readonly Value[][]): Value[][] {
  const { dModel, heads, kvHeads, headDim, normEpsilon } = config;
  const qkvMatrix = rowsOf(weights.get(`${prefix}.qkv`)!, dModel);
  const qkv = x.map((row) => project(normalise(row, weights.get(`${prefix}.norm`)!, normEpsilon), qkvMatrix));
  const head = (t: number, index: number) => qkv[t]!.slice(index * headDim, (index + 1) * headDim);
  const rotated = (t: number, index: number) => rotate(config, head(t, index), t);
  const output = rowsOf(weights.get(`${prefix}.output`)!, heads * headDim);
  return x.map((_, t) => {
    const context = Array.from({ length: heads }, (_, h) => {
      const group = Math.floor(h / (heads / kvHeads));
      const scores = Array.from({ length: t + 1 }, (_, s) =>
        dot(rotated(t, h), rotated(s, heads + group)).times(headDim ** -0.5),
      );
      const shares = softmax(scores);
      return Array.from({ length: headDim }, (_, d) =>
        sum(shares.map((share, s) => share.times(head(s, heads + kvHeads + group)[d]!))),
      );
    });
    return project(context.flat(), output);
  });
}

function mlp(config: TransformerConfig, weights: Weights, prefix: string, row: readonly Value[]): Value[] {
  const { dModel, dFf, normEpsilon } = config;
  const gateUp = project(
    normalise(row, weights.get(`${prefix}.norm`)!, normEpsilon),
    rowsOf(weights.get(`${prefix}.gateUp`)!, dModel),
  );
  const hidden = Array.from({ length: dFf }, (_, i) => silu(gateUp[i]!).times(gateUp[dFf + i]!));
  return project(hidden, rowsOf(weights.get(`${prefix}.down`)!, dFf));
}

/** Rotates pairs (d, d + headDim / 2) by position / theta^(2d / headDim). */
function rotate({ headDim, ropeTheta }: TransformerConfig, head: readonly Value[], position: number): Value[] {
  const half = headDim / 2;
  return head.map((value, d) => {
    const angle = position / ropeTheta ** ((2 * (d % half)) / headDim);
    const partner = d < half ? head[d + half]!.times(-Math.sin(angle)) : head[d - half]!.times(Math.sin(angle));
    return value.times(Math.cos(angle)).plus(partner);
  });
}

function normalise(row: readonly Value[], weight: readonly Value[], epsilon: number): Value[] {
  const meanSquare = sum(row.map((x) => x.times(x)))
    .times(1 / row.length)
    .plus(new Value(epsilon));
  const scale = meanSquare.power(-0.5);
  return row.map((x, i) => x.times(scale).times(weight[i]!));
}

function project(x: readonly Value[], matrix: readonly (readonly Value[])[]): Value[] {
  return matrix.map((row) => dot(row, x));
}

function silu(x: Value): Value {
  return x.times(x.times(-1).exp().plus(new Value(1)).power(-1));
}

function softmax(scores: readonly Value[]): Value[] {
  const powers = scores.map((score) => score.exp());
  const inverse = sum(powers).power(-1);
  return powers.map((power) => power.times(inverse));
}

function logProb(logits: readonly Value[], target: number): Value {
  return softmax(logits)[target]!.log();
}

function rowsOf(values: readonly Value[], width: number): Value[][] {
  return Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));
}
