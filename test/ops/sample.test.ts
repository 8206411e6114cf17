/** Sampling: agreement with float64, independence of the batch, frequencies, and bad logits. */
import { describe, expect, it } from 'vitest';
import { type SampleControls, sampleReference } from '../../kernels/sampleReference.ts';
import { sample } from '../../src/ops/sample.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { Random } from '../../src/tensor/random.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const plain: SampleControls = { temperature: 1, topP: 1, topK: 0 };
const seed = [3, 1] as const;

/** A row of the batch: its logits and the (episode, turn, first token index) that name its random numbers. */
interface Row {
  readonly logits: readonly number[];
  readonly stream: readonly [number, number, number];
}

const normalLogits = (vocab: number, purpose: string) => {
  const random = new Random(5, purpose);
  return Array.from({ length: vocab }, () => Math.fround(2 * random.normal()));
};

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  async function draw(rows: readonly Row[], { temperature, topP, topK }: SampleControls, tokenOffset = 0) {
    const engine = await makeEngine();
    const vocab = rows[0]!.logits.length;
    const streams = input('streams', [rows.length, 3], 'u32');
    const inputs = { streams, seed: input('seed', [2], 'u32'), controls: input('controls', [3]) };
    const outputs = sample(input('logits', [rows.length, vocab]), inputs, tokenOffset);
    const program = await engine.compile({ name: 'sample', outputs: { ...outputs } });
    const result = await program.run({
      logits: Float32Array.from(rows.flatMap(({ logits }) => logits)),
      streams: Uint32Array.from(rows.flatMap(({ stream }) => stream)),
      seed: Uint32Array.from(seed),
      controls: Float32Array.from([temperature, topP, topK]),
    });
    program.destroy();
    return { token: [...result.token], logProb: [...result.logProb] };
  }

  it.each([
    plain,
    { temperature: 0.6, topP: 0.9, topK: 0 },
    { temperature: 1.5, topP: 1, topK: 7 },
    { temperature: 0.9, topP: 0.7, topK: 40 },
  ])('draws the token that float64 draws: $temperature, $topP, $topK', async (controls) => {
    const rows = Array.from(
      { length: 100 },
      (_, i): Row => ({ logits: normalLogits(60, `row ${i}`), stream: [i, 2, 9] }),
    );
    const { token, logProb } = await draw(rows, controls);
    const expected = rows.map(({ logits, stream }) => sampleReference(logits, stream, seed, controls));
    // Rows whose draw lies within rounding of the edge between two tokens may go either way.
    const clear = rows.map((_, i) => i).filter((i) => expected[i]!.margin > 1e-5);
    expect(clear.length).toBeGreaterThan(95);
    expect(clear.map((i) => token[i])).toEqual(clear.map((i) => expected[i]!.token));
    for (const i of clear) expect(logProb[i]).toBeCloseTo(expected[i]!.logProb, 4);
  });

  it('does not depend on the neighbours, the place in the batch or its size', async () => {
    const rows = Array.from(
      { length: 33 },
      (_, i): Row => ({ logits: normalLogits(50, `row ${i}`), stream: [100 + i, 0, 0] }),
    );
    const controls = { temperature: 1, topP: 0.9, topK: 30 };
    const together = await draw(rows, controls);
    const reversed = await draw([...rows].reverse(), controls);
    expect(reversed.token.reverse()).toEqual(together.token);
    expect(reversed.logProb.reverse()).toEqual(together.logProb);
    for (const i of [0, 17, 32]) {
      const alone = await draw([rows[i]!], controls);
      expect([alone.token[0], alone.logProb[0]]).toEqual([together.token[i], together.logProb[i]]);
    }
  });

  it('counts the tokens that the program has drawn before', async () => {
    const logits = normalLogits(200, 'offset');
    const atOffset = await draw([{ logits, stream: [1, 2, 10] }], plain, 5);
    expect(atOffset).toEqual(await draw([{ logits, stream: [1, 2, 15] }], plain));
    expect(atOffset).not.toEqual(await draw([{ logits, stream: [1, 2, 10] }], plain));
  });

  it.each([
    // Critical values of chi-square at 0.1 %.
    { controls: plain, kept: [0, 1, 2, 3, 4, 5, 6, 7], critical: 24.3 },
    { controls: { temperature: 2, topP: 1, topK: 3 }, kept: [2, 4, 7], critical: 13.8 },
    // Probabilities 0.47, 0.22, 0.1 and 0.1 reach 0.75 with the third; of the two equals the first is kept.
    { controls: { temperature: 1, topP: 0.75, topK: 0 }, kept: [2, 4, 7], critical: 13.8 },
  ])('draws each token as often as its probability says: $controls', async ({ controls, kept, critical }) => {
    const probabilities = [0.04, 0.03, 0.1, 0.02, 0.47, 0.1, 0.02, 0.22];
    const logits = probabilities.map((p) => Math.log(p));
    const draws = 8000;
    const { token } = await draw(
      Array.from({ length: draws }, (_, episode) => ({ logits, stream: [episode, 0, 0] as const })),
      controls,
    );
    const weights = kept.map((i) => probabilities[i]! ** (1 / controls.temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const counts = kept.map((i) => token.filter((drawn) => drawn === i).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(draws);
    const chiSquare = counts.reduce((sum, count, i) => {
      const expected = (draws * weights[i]!) / total;
      return sum + (count - expected) ** 2 / expected;
    }, 0);
    expect(chiSquare).toBeLessThan(critical);
  });

  it('takes the first of the likeliest tokens at temperature 0, with its probability at temperature 1', async () => {
    const { token, logProb } = await draw([{ logits: [0, 3, -1, 3, 2], stream: [0, 0, 0] }], {
      temperature: 0,
      topP: 0.1,
      topK: 1,
    });
    const total = [0, 3, -1, 3, 2].reduce((sum, logit) => sum + Math.exp(logit), 0);
    expect(token).toEqual([1]);
    expect(logProb[0]).toBeCloseTo(3 - Math.log(total), 5);
  });

  it('never draws a NaN, and stays in range when there is nothing else', async () => {
    const mixed = Array.from(
      { length: 20 },
      (_, i): Row => ({ logits: [Number.NaN, 1, -Infinity, 2, Number.NaN], stream: [i, 0, 0] }),
    );
    const { token, logProb } = await draw(mixed, { temperature: 1, topP: 0.99, topK: 4 });
    expect(new Set(token)).toEqual(new Set([1, 3]));
    expect(logProb.every(Number.isFinite)).toBe(true);
    for (const logits of [
      new Array(7).fill(Number.NaN),
      new Array(7).fill(-Infinity),
      [Infinity, 0, 0, 0, 0, 0, Infinity],
    ]) {
      for (const controls of [plain, { temperature: 0, topP: 1, topK: 0 }, { temperature: 1, topP: 0.5, topK: 3 }]) {
        const result = await draw([{ logits, stream: [1, 1, 1] }], controls);
        expect(result.token[0]).toBeLessThan(7);
      }
    }
  });

  it('survives temperatures near 0', async () => {
    const { token, logProb } = await draw([{ logits: [1, 1.5, 1.25], stream: [0, 0, 0] }], {
      temperature: 1e-30,
      topP: 1,
      topK: 0,
    });
    expect([token[0], logProb[0]]).toEqual([1, 0]);
  });
});

it('refuses an empty vocabulary', () => {
  const inputs = {
    streams: input('streams', [2, 3], 'u32'),
    seed: input('seed', [2], 'u32'),
    controls: input('controls', [3]),
  };
  expect(() => sample(input('logits', [2, 0]), inputs, 0)).toThrow('sample: the vocabulary is empty');
});
