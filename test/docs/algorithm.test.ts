/** The worked example of docs/algorithm.md: every number that the page derives is what the engine computes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ppoLoss } from '../../src/ops/ppoLoss.ts';
import { polarisedWeight } from '../../src/rl/advantages/episode.ts';
import { anchorTerms } from '../../src/rl/advantages/estimator.ts';
import {
  type AdvantageResult,
  estimateAdvantages,
  referenceAdvantages,
  resolveAdvantageOptions,
} from '../../src/rl/advantages/index.ts';
import type { ProxmoSettings } from '../../src/rl/advantages/options.ts';
import { indexRollout, type RolloutRow } from '../../src/rl/rows.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { constant, input } from '../../src/tensor/tensor.ts';
import { countTerms, weighTerms } from '../../src/text/tfidf.ts';
import { splitWords } from '../../src/text/tfidfTokens.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { digitsIn, numberIn, tableOf } from '../support/markdown.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'algorithm.md'), 'utf8');

const rows = tableOf(page, 'row', 'anchor', 'reward').map(
  ([row, anchor, , reward, valid, success]): RolloutRow => ({
    group: 'the task',
    trajectory: row![0]!,
    step: Number(row![1]),
    observation: anchor!.replaceAll('`', ''),
    reward: Number(reward),
    valid: valid === 'yes',
    success: success === 'yes',
  }),
);
const results = tableOf(page, 'row', 'Ĝ', 'baseline', 'A^S', 'A^E', 'A');
const tokens = tableOf(page, 'token of', 'ρ', 'loss', 'slope in log π');
/** The page in one line, as its sentences are wrapped. */
const prose = page.replaceAll(/\s+/g, ' ');

/** A number as the page writes it, which the page must have within such words. */
function expectWritten(words: (number: string) => string, value: number, digits: number): void {
  expect(prose).toContain(words(value.toFixed(digits)));
}

function expectAsTold({ penalisedReturn, episode, step, advantage }: AdvantageResult): void {
  expect(results).toHaveLength(rows.length);
  results.forEach(([, told, baseline, ofStep, ofEpisode, both], row) => {
    const computed = [
      penalisedReturn[row]!,
      penalisedReturn[row]! - step[row]!,
      step[row]!,
      episode[row]!,
      advantage[row]!,
    ];
    [told, baseline, ofStep, ofEpisode, both].forEach((cell, column) => {
      const rounding = 0.5 * 10 ** -digitsIn(cell!) + 1e-5;
      expect(Math.abs(computed[column]! - numberIn(cell!)), `row ${row}: ${cell}`).toBeLessThanOrEqual(rounding);
    });
  });
}

describe('docs/algorithm.md', () => {
  it('has the advantages of the float64 reference', () =>
    expectAsTold(referenceAdvantages(rows, { estimator: 'proxmo' })));

  it.each(testAdapters)('has the advantages of the kernels on %s', async (adapter) => {
    expectAsTold(await estimateAdvantages(rows, { estimator: 'proxmo' }, new Engine(await testDevice(adapter))));
  });

  it('has the weights of PSC', () => {
    const beta = 0.05 / (1 / (1 + Math.exp(-1)) - 0.5);
    expectWritten((told) => `(logistic(1) − ½) = ${told}`, beta, 4);
    expectWritten((told) => `0.01562 = ${told} for the success`, polarisedWeight(true, 0.5, 4, beta), 5);
    expectWritten((told) => `and ${told} for the failure`, polarisedWeight(false, 0.5, 4, beta), 5);
  });

  it('has the inverse document frequencies and the cosine of TF-IDF', () => {
    const terms = countTerms(
      rows.map(({ observation }) => observation),
      { maxFeatures: 1024, minWordLength: 1 },
    );
    const idf = (word: string) => terms.idf[terms.vocabulary.indexOf(word)]!;
    expect(idf('kitchen')).toBe(1);
    expectWritten((told) => `ln(5/4) + 1 = ${told}.`, idf('closed'), 4);
    expectWritten((told) => `ln(5/2) + 1 = ${told}.`, idf('open'), 4);
    const weights = weighTerms(terms);
    const vectors = [0, 1].map((document) => {
      const vector = terms.vocabulary.map(() => 0);
      for (let entry = terms.offsets[document]!; entry < terms.offsets[document + 1]!; entry++)
        vector[terms.columns[entry]!] = weights[entry]!;
      return vector;
    });
    const cosine = vectors[0]!.reduce((sum, weight, column) => sum + weight * vectors[1]![column]!, 0);
    expectWritten((told) => `2.9449) = ${told}.`, cosine, 4);
    expectWritten((told) => `− 1)/0.1) = ${told}.`, Math.exp((cosine - 1) / 0.1), 4);
  });

  it('says what a word is, what n counts, and which words are taken', () => {
    const [, text, words] = /`([^`]+)` has ((?:`\w+`|,| |and)+)\./.exec(prose)!;
    expect(splitWords(text!, 1)).toEqual(words!.match(/\w+(?=`)/g));
    expect(splitWords(text!, 2)).toEqual(['drawer_1', 'isn', 'open']);
    const far = { group: 'another task', trajectory: 'x', step: 0, reward: 0, valid: true, success: false };
    const batch = indexRollout([...rows, { ...far, observation: 'closed' }, { ...far, step: 1, observation: 'shut' }]);
    const settings = resolveAdvantageOptions({ estimator: 'proxmo' }) as ProxmoSettings;
    const { vocabulary, idf } = anchorTerms(batch, settings);
    // n = 6, and four anchors have `closed`: three of the example, which are equal, and one of the other task.
    expect(idf[vocabulary.indexOf('closed')]).toBe(Math.log(7 / 5) + 1);
    const texts = ['cup bed cup', 'axe bed', 'dog'];
    expect(countTerms(texts, { maxFeatures: 3, minWordLength: 1 }).vocabulary).toEqual(['axe', 'bed', 'cup']);
    expect([settings.maxFeatures, settings.minWordLength, settings.sigmaFloor]).toEqual([1024, 1, 0.1]);
  });

  it('adds 1e-6 to what scores are divided by after the bound', () => {
    const [one, other] = [
      { ...rows[0]!, reward: 0, success: false },
      { ...rows[2]!, reward: 0 },
    ];
    // Scores 0 and -0.1: σ = 0.0707 is less than c.
    const { episode } = referenceAdvantages([one, other], { estimator: 'grpo' });
    expect(episode[0]).toBeCloseTo(0.05 / (0.1 + 1e-6), 12);
  });

  it.each(testAdapters)('has the losses and slopes of tokens on %s', async (adapter) => {
    const engine = new Engine(await testDevice(adapter));
    const logProb = Object.assign(input('logProb', [1]), { requiresGrad: true });
    const [advantage, zero, one] = [input('advantage', [1]), constant([0], [1]), constant([1], [1])];
    const inputs = { logProb, oldLogProb: zero, referenceLogProb: zero, entropy: zero, advantage, weight: one };
    const options = { clipLow: 0.2, clipHigh: 0.2, dualClip: 3, klCoefficient: 0, klEstimator: 'k3' } as const;
    const { loss } = ppoLoss(inputs, { ...options, entropyCoefficient: 0 });
    const [slope] = grad(loss, [logProb]);
    const program = await engine.compile({ name: 'token', outputs: { loss, slope: slope! } });
    for (const [, advantageCell, ratio, unclipped, clipped, lossCell, slopeCell] of tokens) {
      const [A, rho] = [numberIn(advantageCell!), numberIn(ratio!)];
      const run = await program.run({ logProb: Float32Array.of(Math.log(rho)), advantage: Float32Array.of(A) });
      expect(run.loss[0]).toBeCloseTo(numberIn(lossCell!), 3);
      expect(run.slope[0]).toBeCloseTo(numberIn(slopeCell!), 3);
      expect(-A * rho).toBeCloseTo(numberIn(unclipped!), 3);
      expect(-A * Math.min(1.2, Math.max(0.8, rho))).toBeCloseTo(numberIn(clipped!), 3);
    }
  });

  it.each(testAdapters)('has the KL estimate on %s', async (adapter) => {
    const engine = new Engine(await testDevice(adapter));
    const column = (value: number) => constant([value], [1]);
    const { loss } = ppoLoss(
      {
        logProb: column(Math.log(0.33)),
        oldLogProb: column(Math.log(0.33)),
        referenceLogProb: column(Math.log(0.25)),
        entropy: column(0),
        advantage: column(0),
        weight: column(1),
      },
      { clipLow: 0.2, clipHigh: 0.2, dualClip: 3, klCoefficient: 1, klEstimator: 'k3', entropyCoefficient: 0 },
    );
    const program = await engine.compile({ name: 'kl', outputs: { loss } });
    expectWritten((told) => `the estimate is ${told}.`, (await program.run({})).loss[0]!, 4);
  });
});
