/** Step advantages by hidden states: the rules in float64, and the device against them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProxmoError } from '../../../src/base/errors.ts';
import { hiddenCapacity } from '../../../src/rl/advantages/hiddenProgram.ts';
import {
  AdvantageEstimator,
  type AdvantageOptions,
  advantagesOfJsonl,
  estimateAdvantages,
  type HiddenStates,
  referenceAdvantages,
} from '../../../src/rl/advantages/index.ts';
import { WhatIf } from '../../../src/rl/credit/whatIf.ts';
import type { RolloutRow } from '../../../src/rl/rows.ts';
import { Engine } from '../../../src/tensor/engine.ts';
import { Random } from '../../../src/tensor/random.ts';
import { Variable } from '../../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../../support/adapters.ts';
import { rolloutOf, rollouts } from '../../support/rollouts.ts';

type Proxmo = Partial<Extract<AdvantageOptions, { estimator: 'proxmo' }>>;
const options = (more: Proxmo = {}): AdvantageOptions => ({
  estimator: 'proxmo',
  gamma: 0,
  similarity: 'hidden',
  ...more,
});

/** Four turns in one room, with states in two pairs of opposite directions around their mean. */
const rows = rolloutOf({ rewards: [8, 0] }, { rewards: [4, 0] });
const pairs = [
  [6, 5],
  [5, 6],
  [6, 5],
  [5, 6],
];

describe('in float64', () => {
  const stepsOf = (states: readonly ArrayLike<number>[], more: Proxmo = {}) => [
    ...referenceAdvantages(rows, options(more), states).step,
  ];

  it('a state that is the same has similarity 1, one on the other side of the mean -1', () => {
    // Cosines are 1 and −1 exactly, so at τ = 0.1 the other pair counts e⁻²⁰.
    const far = Math.exp(-20);
    const own = (8 + 4) / (2 + 2 * far);
    const other = (far * (8 + 4)) / (2 + 2 * far);
    const expected = [8 - own, -other, 4 - own, -other];
    for (const [row, value] of stepsOf(pairs).entries()) expect(value).toBeCloseTo(expected[row]!, 12);
  });

  it('states that are all the same are all alike', () => {
    const same = pairs.map(() => [3, -1]);
    for (const [row, value] of stepsOf(same).entries()) expect(value).toBeCloseTo(rows[row]!.reward - 3, 12);
  });

  it('what all states of a task have in common does not count', () => {
    const moved = pairs.map(([x, y]) => [x! + 1000, y! - 500]);
    for (const [row, value] of stepsOf(moved).entries()) expect(value).toBeCloseTo(stepsOf(pairs)[row]!, 6);
  });

  it('rows of other tasks do not count in the mean', () => {
    const others = rolloutOf({ group: 'h', rewards: [1] }).map((row) => ({ ...row, trajectory: 'other' }));
    const { step } = referenceAdvantages([...rows, ...others], options(), [...pairs, [-99, 7]]);
    expect([...step]).toEqual([...stepsOf(pairs), 0]);
  });

  it('leaves out what it is told to', () => {
    // Without itself, the first turn has its twin in the other episode.
    expect(stepsOf(pairs, { leaveSelfOut: true })[0]).toBeCloseTo(8 - 4, 6);
    expect(stepsOf(pairs, { leaveTrajectoryOut: true })[0]).toBeCloseTo(8 - 4, 6);
  });

  it('mixed with TF-IDF, it is TF-IDF at weight 0, hidden at 1, and the mean of similarities between', () => {
    const texts = ['mug', 'pan', 'pan', 'mug'];
    const seen = rows.map((row, index) => ({ ...row, observation: texts[index]! }));
    const at = (more: Proxmo) => [...referenceAdvantages(seen, options(more), pairs).step];
    expect(at({ similarity: 'mixed', hiddenWeight: 0 })).toEqual(at({ similarity: 'tfidf' }));
    expect(at({ similarity: 'mixed', hiddenWeight: 1 })).toEqual(at({ similarity: 'hidden' }));
    // The first turn has similarity 1 with itself, −½ with the second (no word, opposite), ½ with the third (no word,
    // equal) and 0 with the fourth (equal words, opposite).
    const weights = [1, -0.5, 0.5, 0].map((similarity) => Math.exp(similarity));
    const baseline = (8 * weights[0]! + 4 * weights[2]!) / weights.reduce((a, b) => a + b, 0);
    expect(at({ similarity: 'mixed', temperature: 1 })[0]).toBeCloseTo(8 - baseline, 12);
  });
});

describe('without states', () => {
  const problem = (similarity: string) =>
    new ProxmoError(
      'config',
      `Advantage option "similarity" is ${similarity}, but rows do not hold the policy's hidden states: only a run has them, while it trains. Set similarity to tfidf.`,
    );
  const noEngine = () => Promise.reject(new Error('no device is needed here'));

  it.each(['hidden', 'mixed'] as const)('%s is refused, before a device is opened', async (similarity) => {
    const text = rows.map((row) => JSON.stringify(row)).join('\n');
    await expect(advantagesOfJsonl(text, options({ similarity }), noEngine)).rejects.toThrow(problem(similarity));
    await expect(estimateAdvantages(rows, options({ similarity }), noEngine)).rejects.toThrow(problem(similarity));
    expect(() => referenceAdvantages(rows, options({ similarity }))).toThrow(problem(similarity));
    expect(() => new WhatIf(rows).advantages(options({ similarity }))).toThrow(problem(similarity));
  });

  it('what compares no states needs none', () => {
    expect(new WhatIf(rows).advantages({ estimator: 'proxmo', psa: false }).step).toEqual(new Float64Array(4));
  });
});

it('takes as many groups at once as their similarities fit', () => {
  expect(hiddenCapacity(16, 400, null)).toEqual({ groups: 16, stride: 448, terms: null });
  expect(hiddenCapacity(16, 2000, null)).toMatchObject({ groups: 4, stride: 2048 });
  expect(hiddenCapacity(16, 4096, null)).toMatchObject({ groups: 1, stride: 4096 });
});

describe.each(testAdapters)('on %s', (adapter) => {
  /** Puts states on the device, last row first, among others that belong to nobody. */
  function onDevice(engine: Engine, states: readonly ArrayLike<number>[]): HiddenStates {
    const width = states[0]!.length;
    const table = new Variable('states', [states.length + 3, width]);
    const stateOf = states.map((_, row) => states.length - row);
    const values = new Float32Array(table.size).fill(7);
    for (const [row, state] of states.entries()) values.set(Array.from(state), stateOf[row]! * width);
    engine.write(table, values);
    return { table, stateOf };
  }

  function randomStates(count: number, width: number, seed: number): Float32Array[] {
    const random = new Random(seed, 'states');
    const kinds = Array.from({ length: 5 }, () => Float32Array.from({ length: width }, () => 2 + random.normal()));
    // Some are equal, as those of equal prompts.
    return Array.from({ length: count }, () => kinds[random.below(5)]!.map((x) => x + random.below(2)));
  }

  const choices = fc.record({
    similarity: fc.constantFrom('hidden', 'mixed'),
    temperature: fc.constantFrom(0.02, 0.1, 1),
    leaveSelfOut: fc.boolean(),
    leaveTrajectoryOut: fc.boolean(),
    width: fc.constantFrom(4, 7, 64),
    seed: fc.nat(100),
  });

  it('agrees with float64 for any rollout and any rule', async () => {
    const engine = new Engine(await testDevice(adapter));
    await fc.assert(
      fc.asyncProperty(rollouts, choices, async (some, { width, seed, ...chosen }) => {
        const states = randomStates(some.length, width, seed);
        const settings = options(chosen as Proxmo);
        const onGpu = onDevice(engine, states);
        const { step } = await estimateAdvantages(some, settings, engine, onGpu);
        engine.release(onGpu.table);
        const expected = referenceAdvantages(some, settings, states).step;
        for (const [row, value] of step.entries()) expect(Math.abs(value - expected[row]!)).toBeLessThan(1e-4);
      }),
      { numRuns: 25, seed: 9 },
    );
  });

  it('mixed is TF-IDF alone at weight 0, and hidden alone at 1', async () => {
    const engine = new Engine(await testDevice(adapter));
    const [some] = fc.sample(rollouts, { numRuns: 1, seed: 21 });
    const states = onDevice(engine, randomStates(some!.length, 12, 4));
    const at = async (more: Proxmo) => (await estimateAdvantages(some!, options(more), engine, states)).step;
    const ends = [
      [await at({ similarity: 'mixed', hiddenWeight: 0 }), await at({ similarity: 'tfidf' })],
      [await at({ similarity: 'mixed', hiddenWeight: 1 }), await at({ similarity: 'hidden' })],
    ];
    for (const [mixed, alone] of ends) {
      for (const [row, value] of mixed!.entries()) expect(Math.abs(value - alone![row]!)).toBeLessThan(1e-5);
    }
  });

  it('gives the same bits again, also for a batch after another, and takes another table', async () => {
    const engine = new Engine(await testDevice(adapter));
    const estimator = new AdvantageEstimator(options({ similarity: 'mixed' }), engine);
    const [some, others] = fc.sample(rollouts, { numRuns: 2, seed: 7 });
    const states = onDevice(engine, randomStates(some!.length, 8, 1));
    const first = await estimator.estimate(some!, states);
    await estimator.estimate(others!, onDevice(engine, randomStates(others!.length, 8, 2)));
    expect((await estimator.estimate(some!, states)).advantage).toEqual(first.advantage);
    await estimator.destroy();
  });
});

it('takes a batch of large groups in parts', async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const perGroup = 2200;
  const large: RolloutRow[] = ['a', 'b', 'c', 'd'].flatMap((group, index) =>
    rolloutOf({ group, rewards: Array.from({ length: perGroup }, (_, t) => (t % 2) * (index + 1)) }).map((row) => ({
      ...row,
      trajectory: group,
    })),
  );
  expect(hiddenCapacity(4, perGroup, null).groups).toBeLessThan(4);
  // Every other turn is alike, so each is compared with its own kind alone, whose returns are equal but in every third
  // group, where the first turn earned more.
  const table = new Variable('states', [2, 4]);
  engine.write(table, [1, 2, 3, 4, 4, 3, 2, 1]);
  const stateOf = large.map(({ step }) => step % 2);
  const better = large.map((row) => (row.group === 'c' && row.step === 0 ? { ...row, reward: perGroup } : row));
  const { step } = await estimateAdvantages(better, options(), engine, { table, stateOf });
  // Its kind has 1,100 turns, and a mean return of 2.
  const expected = better.map(({ group, step: t }) => (group !== 'c' || t % 2 === 1 ? 0 : t === 0 ? perGroup - 2 : -2));
  for (const [row, value] of step.entries()) expect(Math.abs(value - expected[row]!)).toBeLessThan(1e-3);
});
