/** Draws one token per row of logits: shaders/sample.wgsl. */
import shader from '../shaders/sample.wgsl';
import { type SampleControls, sampleReference } from './sampleReference.ts';
import { defineKernel, foldWorkgroups, type KernelCase } from './spec.ts';

/** From so many tokens on sharing a row out is worth its barriers. */
const longRow = 1024;

export type SampleParams = { batch: number; vocab: number; tokenOffset: number };

export const sample = defineKernel<SampleParams>({
  name: 'sample',
  shader,
  bindings: {
    logits: { dtype: 'f32', access: 'read' },
    streams: { dtype: 'u32', access: 'read' },
    seed: { dtype: 'u32', access: 'read' },
    controls: { dtype: 'f32', access: 'read' },
    token: { dtype: 'u32', access: 'write' },
    logProb: { dtype: 'f32', access: 'write' },
  },
  params: { batch: 'u32', vocab: 'u32', tokenOffset: 'u32' },
  variants: [
    {
      label: 'workgroup256.f32',
      constants: { WORKGROUP: 256, LANES: 256, COOPERATIVE: true },
      prefer: ({ kind }) => kind === 'gpu',
    },
    // On adapters on the CPU lanes that have no row of their own share a long one: a workgroup is one subgroup of most.
    {
      label: 'workgroup8.f32',
      constants: { WORKGROUP: 8, LANES: 8, COOPERATIVE: true },
      prefer: ({ kind }, { batch, vocab }) => kind === 'cpu' && batch < 8 && vocab >= longRow,
    },
    { label: 'row.f32', constants: { WORKGROUP: 16, LANES: 1, COOPERATIVE: false } },
  ],
  sizes: ({ batch, vocab }) => ({
    logits: batch * vocab,
    streams: 3 * batch,
    seed: 2,
    controls: 3,
    token: batch,
    logProb: batch,
  }),
  dispatch: ({ batch }, { COOPERATIVE, WORKGROUP }) =>
    foldWorkgroups(COOPERATIVE ? batch : Math.ceil(batch / Number(WORKGROUP))),
  // Without top-k and top-p: the largest logit, the sum, and the draw.
  cost: ({ batch, vocab }) => ({ flops: 8 * batch * vocab, bytes: 4 * batch * (vocab + 5) }),
  reference: ({ logits, streams, seed, controls }, { batch, vocab, tokenOffset }) => {
    const draws = Array.from({ length: batch }, (_, row) =>
      drawOf(row, logits!, streams!, seed!, controls!, vocab, tokenOffset),
    );
    return { token: draws.map(({ token }) => token), logProb: draws.map(({ logProb }) => logProb) };
  },
  cases: [
    caseOf({ batch: 1, vocab: 1, tokenOffset: 0 }, { temperature: 1, topP: 1, topK: 0 }),
    caseOf({ batch: 0, vocab: 5, tokenOffset: 0 }, { temperature: 1, topP: 1, topK: 0 }),
    caseOf({ batch: 37, vocab: 300, tokenOffset: 3 }, { temperature: 1, topP: 1, topK: 0 }),
    caseOf({ batch: 20, vocab: 300, tokenOffset: 0 }, { temperature: 0, topP: 0.5, topK: 3 }, 'greedy'),
    caseOf({ batch: 20, vocab: 257, tokenOffset: 1 }, { temperature: 0.7, topP: 0.9, topK: 0 }, 'top-p'),
    caseOf({ batch: 20, vocab: 301, tokenOffset: 1 }, { temperature: 1.3, topP: 1, topK: 20 }, 'top-k'),
    caseOf({ batch: 20, vocab: 301, tokenOffset: 0 }, { temperature: 1, topP: 0.8, topK: 50 }, 'top-k and top-p'),
    caseOf({ batch: 3, vocab: 5000, tokenOffset: 0 }, { temperature: 1, topP: 0.95, topK: 0 }, 'a large vocabulary'),
  ],
  benchCases: [
    caseOf({ batch: 64, vocab: 300, tokenOffset: 0 }, { temperature: 1, topP: 1, topK: 0 }, 'plain'),
    caseOf({ batch: 64, vocab: 300, tokenOffset: 0 }, { temperature: 1, topP: 0.9, topK: 50 }, 'top-k and top-p'),
    caseOf({ batch: 1, vocab: 49_152, tokenOffset: 0 }, { temperature: 1, topP: 1, topK: 0 }, 'one long row'),
  ],
  tuningCase: (params) => ({
    params,
    inputs: () => ({
      streams: Array.from({ length: 3 * params.batch }, (_, i) => i),
      seed: [7, 11],
      controls: [1, 1, 0],
    }),
  }),
  // Tokens must agree exactly. log and exp of the drivers are good to about 1e-5.
  tolerance: { absolute: 5e-5, relative: 1e-5 },
});

function drawOf(
  row: number,
  logits: ArrayLike<number>,
  streams: ArrayLike<number>,
  seed: ArrayLike<number>,
  controls: ArrayLike<number>,
  vocab: number,
  tokenOffset: number,
) {
  const [episode = 0, turn = 0, first = 0] = [streams[3 * row], streams[3 * row + 1], streams[3 * row + 2]];
  const [temperature = 1, topP = 1, topK = 0] = [controls[0], controls[1], controls[2]];
  const rowLogits = Array.from({ length: vocab }, (_, token) => logits[row * vocab + token] ?? 0);
  return sampleReference(rowLogits, [episode, turn, first + tokenOffset], [seed[0] ?? 0, seed[1] ?? 0], {
    temperature,
    topP,
    topK,
  });
}

/**
 * Normal logits with a pair of equals in each row, drawn again until the row's draw is far from the edge between two
 * tokens: there the rounding of exp cannot change the token.
 */
function caseOf(params: SampleParams, controls: SampleControls, note?: string): KernelCase<SampleParams> {
  const { batch, vocab, tokenOffset } = params;
  const inputs = (random: () => number) => {
    const seed = [7, 11];
    const settings = [controls.temperature, controls.topP, controls.topK].map(Math.fround);
    const streams = Array.from({ length: batch }, (_, row) => [1000 + row, row % 3, 5]).flat();
    const logits = new Float32Array(batch * vocab);
    for (let row = 0, margin = 0; row < batch; row += margin > 1e-5 ? 1 : 0) {
      const values = Float32Array.from({ length: vocab }, () => 2 * random());
      values[row % vocab] = values[0] ?? 0;
      logits.set(values, row * vocab);
      margin = drawOf(row, logits, streams, seed, settings, vocab, tokenOffset).margin;
    }
    return { logits, streams, seed, controls: settings };
  };
  return { params, inputs, ...(note ? { note } : {}) };
}
