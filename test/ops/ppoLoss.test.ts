/** The policy loss against its formulas in float64, its gradient, and its statistics. */
import { describe, expect, it } from 'vitest';
import { ProxmoError } from '../../src/base/errors.ts';
import type { KlEstimator } from '../../src/ops/klEstimators.ts';
import { type PpoLossOptions, ppoLoss, ppoStatistics } from '../../src/ops/ppoLoss.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { constant, input, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

/**
 * Tokens on every branch: within the range, clipped above and below, held by the second clip, far from the reference,
 * without weight.
 */
const tokens = {
  oldLogProb: [-1, -1, -1, -2, -1, -1, -1, -1],
  logProb: [-1.05, -0.5, -1.6, -0.4, -0.4, -1.7, -14, -1],
  advantage: [1.5, 2, -1, -0.7, -1, 1, 0.5, 1],
  referenceLogProb: [-1.3, -0.6, -1.5, -0.5, -1, -1, -1, -5],
  entropy: [0.5, 1, 1.5, 2, 0.1, 0.2, 0.3, 9],
  weight: [0.1, 0.2, 0.1, 0.15, 0.05, 0.1, 0.1, 0],
};
const count = tokens.weight.length;
const options: PpoLossOptions = {
  clipLow: 0.2,
  clipHigh: 0.28,
  dualClip: 3,
  klCoefficient: 0.1,
  klEstimator: 'k3',
  entropyCoefficient: 0.01,
};

function klOf(estimator: KlEstimator, delta: number): number {
  if (estimator === 'k1') return -delta;
  if (estimator === 'k2') return delta ** 2 / 2;
  return Math.min(10, Math.exp(delta) - delta - 1);
}

/** The loss of each token before its weight. */
function lossOf(
  logProb: number,
  entropy: number,
  token: number,
  { clipLow, clipHigh, dualClip, ...rest }: PpoLossOptions,
): number {
  const a = tokens.advantage[token]!;
  const ratio = Math.exp(logProb - tokens.oldLogProb[token]!);
  let policy = Math.max(-a * ratio, -a * Math.min(Math.max(ratio, 1 - clipLow), 1 + clipHigh));
  if (a < 0 && dualClip !== null) policy = Math.min(policy, -dualClip * a);
  return (
    policy +
    rest.klCoefficient * klOf(rest.klEstimator, tokens.referenceLogProb[token]! - logProb) -
    rest.entropyCoefficient * entropy
  );
}

const column = (name: keyof typeof tokens) => constant(tokens[name], [count]);
const fixedColumns = () => ({
  oldLogProb: column('oldLogProb'),
  referenceLogProb: column('referenceLogProb'),
  advantage: column('advantage'),
  weight: column('weight'),
});

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it.each([
    ['k1', 0, options.dualClip, options.entropyCoefficient],
    ['k2', options.klCoefficient, null, options.entropyCoefficient],
    ['k3', options.klCoefficient, options.dualClip, 0],
  ] as const)(
    'loss and gradient with %s times %d, second clip %s, entropy coefficient %d',
    async (klEstimator, klCoefficient, dualClip, entropyCoefficient) => {
      const changed = { ...options, klEstimator, klCoefficient, dualClip, entropyCoefficient };
      const mismatch = await gradientMismatch(await makeEngine(), {
        inputs: {
          logProb: { shape: [count], values: tokens.logProb },
          entropy: { shape: [count], values: tokens.entropy },
        },
        build: ({ logProb, entropy }) => ppoLoss({ logProb, entropy, ...fixedColumns() }, changed).loss,
        reference: ({ logProb, entropy }) => [
          tokens.weight.reduce(
            (sum, weight, token) => sum + weight * lossOf(logProb[token]!, entropy[token]!, token, changed),
            0,
          ),
        ],
      });
      expect(mismatch).toBeNull();
    },
  );

  it('counts and sums what the statistics name', async () => {
    const engine = await makeEngine();
    const { statistics } = ppoLoss(
      { logProb: column('logProb'), entropy: column('entropy'), ...fixedColumns() },
      options,
    );
    const program = await engine.compile({ name: 'statistics', outputs: { statistics } });
    const values = await program.run();
    const named = Object.fromEntries(ppoStatistics.map((name, index) => [name, values.statistics[index]!]));
    const weighted = (of: (token: number) => number) =>
      tokens.weight.reduce((sum, weight, token) => sum + weight * of(token), 0);
    const bare = { ...options, klCoefficient: 0, entropyCoefficient: 0 };
    const expected = {
      policyLoss: weighted((token) => lossOf(tokens.logProb[token]!, 0, token, bare)),
      kl: weighted((token) => klOf('k3', tokens.referenceLogProb[token]! - tokens.logProb[token]!)),
      entropy: weighted((token) => tokens.entropy[token]!),
      clipShare: 0.2 + 0.1, // tokens 1 (ratio 1.65, advantage 2) and 2 (ratio 0.55, advantage −1)
      dualClipShare: 0.15, // token 3: ratio 4.95, advantage −0.7
      ratio: weighted((token) => Math.exp(tokens.logProb[token]! - tokens.oldLogProb[token]!)),
      weight: weighted(() => 1),
      largestLogProbChange: 13,
      tokens: count - 1,
    };
    expect(Object.keys(named)).toEqual(Object.keys(expected));
    for (const [name, value] of Object.entries(expected)) expect(named[name], name).toBeCloseTo(value, 4);
  });
});

it('refuses k1 as a loss: its gradient would not depend on the reference', () => {
  const x = input('x', [4]);
  const inputs = { logProb: x, oldLogProb: x, referenceLogProb: x, entropy: x, advantage: x, weight: x };
  expect(() => ppoLoss(inputs, { ...options, klEstimator: 'k1' })).toThrow(
    new ProxmoError(
      'config',
      'ppoLoss: klEstimator k1 is no loss, since its gradient does not depend on the reference; take k2 or k3.',
    ),
  );
});

it('refuses columns of different lengths', () => {
  const of = (rows: number): Tensor => input('x', [rows]);
  const inputs = {
    logProb: of(4),
    oldLogProb: of(4),
    referenceLogProb: of(3),
    entropy: of(4),
    advantage: of(4),
    weight: of(4),
  };
  expect(() => ppoLoss(inputs, options)).toThrow(
    'ppoLoss needs all its inputs as [rows], here [4]; referenceLogProb is [3].',
  );
});
