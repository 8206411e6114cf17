/**
 * The statistics of `tokenLogProbs` gathered chunk by chunk over the vocabulary, so that the logits of a whole batch
 * never exist. The gradient of a chunk is `tokenLogProbsBackward` with its `start`.
 */
import shader from '../shaders/vocab_chunk.wgsl';
import finishShader from '../shaders/vocab_finish.wgsl';
import { longRowShapes, longRowVariants, type RowParams, rowDispatch } from './rows.ts';
import { type BindingSpec, defineKernel, foldWorkgroups, type KernelCase } from './spec.ts';
import { beyondVocabulary, someTargets } from './tokenLogProbs.ts';

/** Logits of `width` tokens from `start` on. */
type VocabChunkParams = { rows: number; width: number; start: number; inverseTemperature: number };
type VocabFinishParams = { rows: number; vocab: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };
const index: BindingSpec = { dtype: 'u32', access: 'read' };

/** A row's state: largest, Σ exp, Σ exp · distance, and the target's value. */
const stateSize = 4;
const states = (rows: number, random: () => number) =>
  Array.from({ length: rows }, () => [3 * random(), 1 + Math.abs(random()), -Math.abs(random()), 3 * random()]).flat();

function chunkCase({ rows, width }: RowParams, start = 0, inverseTemperature = 1): KernelCase<VocabChunkParams> {
  return {
    params: { rows, width, start, inverseTemperature },
    inputs: (random) => ({
      logits: Array.from({ length: rows * width }, () => 3 * random()),
      targets: Array.from({ length: rows }, (_, row) =>
        row % 3 === 0 ? start + ((row * 37) % Math.max(1, width)) : row % 3 === 1 ? 0 : start + width + row,
      ),
      state: states(rows, random),
    }),
  };
}

/** One chunk of logits into the state of each row, [rows, 4]. */
export const vocabChunk = defineKernel<VocabChunkParams>({
  name: 'vocabChunk',
  shader,
  bindings: { logits: read, targets: index, state: { dtype: 'f32', access: 'readWrite' } },
  params: { rows: 'u32', width: 'u32', start: 'u32', inverseTemperature: 'f32' },
  variants: longRowVariants(['logits']),
  sizes: ({ rows, width }) => ({ logits: rows * width, targets: rows, state: rows * stateSize }),
  dispatch: rowDispatch,
  cost: ({ rows, width }) => ({ flops: 8 * rows * width, bytes: 4 * (rows * width + 9 * rows) }),
  reference: ({ logits, targets, state }, { rows, width, start, inverseTemperature }) => {
    const next = new Float64Array(rows * stateSize);
    for (let row = 0; row < rows; row++) {
      const [largest, total, weighted, chosen] = start > 0 ? state!.subarray(row * stateSize) : [-1e30, 0, 0, 0];
      const z = logits!.subarray(row * width, (row + 1) * width).map((logit) => logit * inverseTemperature);
      const above = z.reduce((a, b) => Math.max(a, b), largest!);
      const shift = largest! - above;
      const sum = (term: (distance: number) => number) => z.reduce((all, value) => all + term(value - above), 0);
      next.set(
        [
          above,
          Math.exp(shift) * total! + sum(Math.exp),
          Math.exp(shift) * (weighted! + total! * shift) + sum((distance) => Math.exp(distance) * distance),
          z[targets![row]! - start] ?? chosen!,
        ],
        row * stateSize,
      );
    }
    return { state: next };
  },
  cases: [
    ...longRowShapes.map((shape) => chunkCase(shape)),
    chunkCase({ rows: 8, width: 40 }, 64, 2.5),
    chunkCase({ rows: 70, width: 9 }, 128),
  ],
  tuningCase: (params) => ({ ...chunkCase(params, params.start), params }),
  benchCases: [chunkCase({ rows: 256, width: 8192 }, 8192)],
  // exp of drivers is good to about 1e-5, relative to sums of up to a few hundred terms.
  tolerance: { absolute: 1e-4, relative: 3e-5 },
});

function finishCase(rows: number): KernelCase<VocabFinishParams> {
  return {
    params: { rows, vocab: 100 },
    inputs: (random) => ({
      state: states(rows, random),
      targets: someTargets({ rows, width: 100 }),
    }),
  };
}

/** From the state of the whole vocabulary to what `tokenLogProbs` gives. */
export const vocabFinish = defineKernel<VocabFinishParams>({
  name: 'vocabFinish',
  shader: finishShader,
  bindings: { state: read, targets: index, logProb: write, entropy: write, logSumExp: write },
  params: { rows: 'u32', vocab: 'u32' },
  variants: [{ label: 'f32', constants: { WORKGROUP: 32 } }],
  sizes: ({ rows }) => ({ state: rows * stateSize, targets: rows, logProb: rows, entropy: rows, logSumExp: rows }),
  dispatch: ({ rows }, { WORKGROUP }) => foldWorkgroups(Math.ceil(rows / Number(WORKGROUP))),
  cost: ({ rows }) => ({ flops: 5 * rows, bytes: 4 * 8 * rows }),
  reference: ({ state, targets }, { rows, vocab }) => {
    const of = (value: (row: readonly number[], target: number) => number) =>
      Float64Array.from({ length: rows }, (_, row) =>
        value([...state!.subarray(row * stateSize, (row + 1) * stateSize)], targets![row]!),
      );
    const logSumExpOf = ([largest, total]: readonly number[]) => largest! + Math.log(total!);
    return {
      logProb: of((row, target) => (target < vocab ? row[3]! - logSumExpOf(row) : beyondVocabulary(target))),
      entropy: of(([, total, weighted]) => Math.log(total!) - weighted! / total!),
      logSumExp: of(logSumExpOf),
    };
  },
  cases: [1, 0, 33, 200].map(finishCase),
  benchCases: [finishCase(4096)],
  // log of drivers is good to about 1e-5.
  tolerance: { absolute: 3e-5, relative: 1e-5 },
});
