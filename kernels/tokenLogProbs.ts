/** Log-probabilities of given tokens and entropies, fused over the vocabulary, and their gradient in the logits. */

import shader from '../shaders/token_log_probs.wgsl';
import backwardShader from '../shaders/token_log_probs_backward.wgsl';
import { longRowShapes, longRowVariants, type RowParams, rowDispatch } from './rows.ts';
import { type BindingSpec, defineKernel, type KernelCase } from './spec.ts';

/** `width` is the size of the vocabulary. */
type TokenLogProbsParams = { rows: number; width: number; inverseTemperature: number };

/** Logits of `width` tokens from `start` on, out of a vocabulary of `vocab`; all of them, or a chunk. */
type BackwardParams = TokenLogProbsParams & { vocab: number; start: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };
const index: BindingSpec = { dtype: 'u32', access: 'read' };

/** Statistics of one row in float64. */
function rowStatistics(logits: Float64Array, row: number, { width, inverseTemperature }: TokenLogProbsParams) {
  const z = logits.subarray(row * width, (row + 1) * width).map((logit) => logit * inverseTemperature);
  const largest = z.reduce((a, b) => Math.max(a, b), -Infinity);
  const logSumExp = largest + Math.log(z.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  const entropy = z.reduce((sum, value) => sum + Math.exp(value - logSumExp) * (logSumExp - value), 0);
  return { z, logSumExp, entropy };
}

/** A target that is left out of everything. */
const padding = 0xffffffff;

/** What the kernels make of a target beyond the vocabulary: nothing of padding, and NaN of a mistake. */
export function beyondVocabulary(token: number): number {
  return token === padding ? 0 : Number.NaN;
}

/** Some tokens, every fifth one beyond the vocabulary: by turns padding and a mistake. */
export const someTargets = ({ rows, width }: RowParams) =>
  Array.from({ length: rows }, (_, row) =>
    row % 5 === 4 ? (row % 10 === 4 ? padding : width + row) : (row * 37) % width,
  );
const someLogits = ({ rows, width }: RowParams, random: () => number) =>
  Array.from({ length: rows * width }, () => 3 * random());

function caseOf({ rows, width }: RowParams, inverseTemperature = 1): KernelCase<TokenLogProbsParams> {
  return {
    params: { rows, width, inverseTemperature },
    inputs: (random) => ({ logits: someLogits({ rows, width }, random), targets: someTargets({ rows, width }) }),
  };
}

const edge = { rows: 3, width: 4, inverseTemperature: 1 };
const edgeInputs = { logits: [-1e30, 1, 2, -1e30, 5000, -5000, 0, 0, -1e30, -1e30, -1e30, 7], targets: [1, 1, 3] };

export const tokenLogProbs = defineKernel<TokenLogProbsParams>({
  name: 'tokenLogProbs',
  shader,
  bindings: { logits: read, targets: index, logProb: write, entropy: write, logSumExp: write },
  params: { rows: 'u32', width: 'u32', inverseTemperature: 'f32' },
  variants: longRowVariants(['logits']),
  sizes: ({ rows, width }) => ({ logits: rows * width, targets: rows, logProb: rows, entropy: rows, logSumExp: rows }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 8 * rows * width, bytes: 4 * (rows * width + 4 * rows) }),
  reference: ({ logits, targets }, params) => {
    const rows = Array.from({ length: params.rows }, (_, row) => rowStatistics(logits!, row, params));
    return {
      logProb: rows.map(({ z, logSumExp }, row) => {
        const token = targets![row]!;
        return token < z.length ? z[token]! - logSumExp : beyondVocabulary(token);
      }),
      entropy: rows.map(({ entropy }) => entropy),
      logSumExp: rows.map(({ logSumExp }) => logSumExp),
    };
  },
  cases: [
    ...longRowShapes.map((shape) => caseOf(shape)),
    caseOf({ rows: 8, width: 40 }, 2.5),
    { note: 'masked and far apart logits', params: edge, inputs: () => edgeInputs },
  ],
  benchCases: [caseOf({ rows: 1024, width: 300 }), caseOf({ rows: 8, width: 150_000 })],
  tuningCase: (params) => caseOf(params, params.inverseTemperature),
  // exp and log of drivers are good to about 1e-5, relative to sums near 1.
  tolerance: { absolute: 3e-5, relative: 1e-5 },
});

export const tokenLogProbsBackward = defineKernel<BackwardParams>({
  name: 'tokenLogProbsBackward',
  shader: backwardShader,
  bindings: {
    logits: read,
    targets: index,
    logSumExp: read,
    entropy: read,
    dLogProb: read,
    dEntropy: read,
    dLogits: write,
  },
  params: { rows: 'u32', width: 'u32', inverseTemperature: 'f32', vocab: 'u32', start: 'u32' },
  variants: longRowVariants(['logits', 'dLogits']),
  sizes: ({ rows, width }) => ({
    logits: rows * width,
    targets: rows,
    logSumExp: rows,
    entropy: rows,
    dLogProb: rows,
    dEntropy: rows,
    dLogits: rows * width,
  }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 8 * rows * width, bytes: 4 * (2 * rows * width + 5 * rows) }),
  reference: (
    { logits, targets, logSumExp, entropy, dLogProb, dEntropy },
    { rows, width, inverseTemperature, vocab, start },
  ) => {
    const dLogits = new Float64Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const hit = targets![row]! < vocab ? dLogProb![row]! : beyondVocabulary(targets![row]!);
      for (let i = 0; i < width; i++) {
        const logP = logits![row * width + i]! * inverseTemperature - logSumExp![row]!;
        const gradient =
          (targets![row] === start + i ? hit : 0) - Math.exp(logP) * (hit + dEntropy![row]! * (logP + entropy![row]!));
        dLogits[row * width + i] = gradient * inverseTemperature;
      }
    }
    return { dLogits };
  },
  cases: [
    ...longRowShapes.map((shape) => backwardCase(caseOf(shape))),
    backwardCase(caseOf({ rows: 8, width: 40 }, 2.5)),
    {
      ...backwardCase(caseOf({ rows: 9, width: 12 })),
      note: 'a chunk',
      params: { rows: 9, width: 12, inverseTemperature: 1, vocab: 40, start: 16 },
    },
  ],
  tuningCase: (params) => ({
    params,
    inputs: (random) => ({
      logits: someLogits(params, random),
      targets: someTargets(params),
      logSumExp: new Float32Array(params.rows).fill(8),
      entropy: new Float32Array(params.rows).fill(1),
    }),
  }),
  benchCases: [backwardCase(caseOf({ rows: 1024, width: 300 })), backwardCase(caseOf({ rows: 8, width: 150_000 }))],
  tolerance: { absolute: 3e-5, relative: 1e-5 },
  inPlace: { input: 'logits', output: 'dLogits' },
});

/** The forward case with its statistics. */
function backwardCase({ params, inputs }: KernelCase<TokenLogProbsParams>): KernelCase<BackwardParams> {
  return {
    params: { ...params, vocab: params.width, start: 0 },
    inputs: (random) => {
      const { logits, targets } = inputs!(random) as { logits: number[]; targets: number[] };
      const rows = Array.from({ length: params.rows }, (_, row) =>
        rowStatistics(Float64Array.from(logits), row, params),
      );
      return {
        logits,
        targets,
        logSumExp: rows.map(({ logSumExp }) => logSumExp),
        entropy: rows.map(({ entropy }) => entropy),
      };
    },
  };
}
