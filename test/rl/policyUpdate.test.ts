/** The update of an iteration: rates by schedule, replies that were cut, what the KL is to, and when it says so. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { defineTaskSet } from '../../src/envs/define.ts';
import type { TaskSet } from '../../src/envs/environment.ts';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { tinyConfig, tinyEngine, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-policy-update-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tiny = tinyConfig(writeTinyWorld(folder));

type Changes = { readonly [Key in 'loss' | 'training' | 'sampling' | 'warmStart']?: object };

interface Surroundings {
  readonly world?: TaskSet;
  readonly onWarning?: (text: string) => void;
}

async function open(changes: Changes, { world, onWarning }: Surroundings = {}) {
  const { loss = {}, training = {}, sampling = {}, warmStart = {} } = changes;
  const config = trainConfigSchema.parse({
    ...tiny,
    loss: { ...tiny.loss, ...loss },
    training: { ...tiny.training, ...training },
    sampling: { ...tiny.sampling, ...sampling },
    warmStart: { ...tiny.warmStart, ...warmStart },
  });
  const taskSet = world ?? (await createNamedTaskSet(config.environment.name, config.environment.options));
  const source = wordPolicySource(config, tokenizerFor(taskSet));
  return new Trainer(await tinyEngine(), config, taskSet, source, onWarning ? { onWarning } : {});
}

it('takes every step at the rate of the schedule, whichever iteration it begins with', async () => {
  const training = { iterations: 3, epochs: 2, miniBatches: 2, learningRate: 0.12, schedule: 'linear', warmup: 0.5 };
  const ratesOf = async (iterations: readonly number[]) => {
    const trainer = await open({ training });
    const step = vi.spyOn(trainer.optimiser, 'step');
    const last = [];
    for (const iteration of iterations) last.push((await trainer.iterate(iteration)).metrics.learningRate);
    return { rates: step.mock.calls.map(([, rate]) => rate), last };
  };
  const { rates, last } = await ratesOf([0, 1, 2]);
  const wanted = [0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.12, 0.1, 0.08, 0.06, 0.04, 0.02];
  expect(rates).toEqual(wanted.map((rate) => expect.closeTo(rate, 12)));
  expect(last).toEqual([rates[3], rates[7], rates[11]]);
  expect((await ratesOf([2])).rates).toEqual(rates.slice(8));
});

it.each([
  [3, [3, 3, 3, 3]],
  [5, [4, 4, 4]],
  [100, [12]],
])('takes as many steps as mini-batches of at most %d turns make', async (miniBatchRows, sizes) => {
  // Episodes have one turn.
  const trainer = await open({ training: { tasks: 4, groupSize: 3, miniBatchRows } });
  const step = vi.spyOn(trainer.optimiser, 'step');
  await trainer.iterate(0);
  expect(step.mock.calls.map(([batch]) => batch.length)).toEqual(sizes);
});

it('has no schedule over a number of steps that is not known', async () => {
  const training = { miniBatchRows: 3, schedule: 'linear' };
  await expect(open({ training })).rejects.toThrow('set training.schedule to constant');
});

describe('replies that were cut', () => {
  // Replies are bound to one of these and the end token, which is one token too many for the second.
  const world = defineTaskSet({
    name: 'cut',
    maxSteps: 1,
    tasks: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((id) => ({ id, type: 'door' })),
    words: ['go', 'doors', 'over', 'left', 'far', 'right'],
    instruction: () => 'go',
    *play() {
      yield { observation: 'doors', actions: ['left', 'far right'] };
      return { observation: 'over', success: true };
    },
  });
  const training = { tasks: 4, groupSize: 8 };

  it('are counted, and not trained on where that is asked for', async () => {
    const [all, whole] = [
      await open({ training }, { world }),
      await open({ training, loss: { maskTruncated: true } }, { world }),
    ];
    const trained = async (trainer: Trainer) => {
      const step = vi.spyOn(trainer.optimiser, 'step');
      const { metrics, episodes } = await trainer.iterate(0);
      const sequences = step.mock.calls.flatMap(([batch]) => batch);
      const weights = step.mock.calls.map(([batch]) => batch.flatMap(({ columns }) => [...Array.from(columns.weight)]));
      return { metrics, episodes, sequences, weights };
    };
    const [{ metrics, episodes, sequences }, masked] = [await trained(all), await trained(whole)];
    const { endId } = all.policy.player.tokenizer;
    const replies = episodes.flatMap(({ steps }) => steps.map(({ reply }) => reply));
    const cut = replies.filter((reply) => reply.length === 2 && reply[1] !== endId).length;
    expect(metrics.truncatedReplies).toBe(cut);
    expect(masked.metrics.truncatedReplies).toBe(cut);
    expect(cut).toBeGreaterThan(0);
    expect(cut).toBeLessThan(replies.length);
    expect([sequences.length, masked.sequences.length]).toEqual([replies.length, replies.length - cut]);
    // The mean is over what is trained on.
    for (const batch of masked.weights) expect(batch.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
  });

  it('make no update where all were cut', async () => {
    const sampling = { maxNewTokens: 1, blockSize: 1 };
    const trainer = await open({ sampling, training, loss: { maskTruncated: true } }, { world });
    const { metrics } = await trainer.iterate(0);
    expect(metrics).toMatchObject({ truncatedReplies: 32, updates: 0, skippedSteps: 0, gradientNorm: 0 });
    expect(
      Object.values(metrics)
        .filter((value) => typeof value === 'number')
        .every(Number.isFinite),
    ).toBe(true);
  });
});

it('names the KL after the reference where there is one, and after the sampler where there is none', async () => {
  const held = await (await open({ loss: { klCoefficient: 0.01 } })).iterate(0);
  expect(held.metrics.kl).toBeGreaterThanOrEqual(0);
  expect(held.metrics).not.toHaveProperty('samplerKl');
  const free = await (await open({ loss: { klCoefficient: 0 } })).iterate(0);
  expect(free.metrics.samplerKl).toBeGreaterThanOrEqual(0);
  expect(free.metrics).not.toHaveProperty('kl');
});

it('runs without a second clip, and with k1 as a metric alone', async () => {
  const { metrics } = await (await open({ loss: { dualClip: null, klCoefficient: 0, klEstimator: 'k1' } })).iterate(0);
  expect(metrics).toMatchObject({ updates: 2, skippedSteps: 0 });
});

describe('the configuration refuses', () => {
  it.each([
    [{ klEstimator: 'k1' }, 'k1 is no loss, since its gradient does not depend on the reference; take k2 or k3'],
    [{ dualClip: 0 }, 'expected number to be >=1'],
  ])('loss %o', (loss, message) => {
    expect(() => trainConfigSchema.parse({ loss })).toThrow(message);
  });
});

it('says once when, again and again, no task told its episodes apart', async () => {
  const told: string[] = [];
  const trainer = await open({ training: { groupSize: 1, tasks: 4 } }, { onWarning: (text) => told.push(text) });
  for (let iteration = 0; iteration < 5; iteration++) {
    const { metrics } = await trainer.iterate(iteration);
    expect(metrics).toMatchObject({ deadGroupShare: 1, groups: 4 });
    expect(told).toHaveLength(iteration < 2 ? 0 : 1);
  }
});

describe('demonstrations within the update', () => {
  // Every episode has the same outcome, so that there is nothing to learn but from demonstrations.
  const worldOf = (name: string) => ({
    name,
    maxSteps: 1,
    tasks: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((id) => ({ id, type: 'door' })),
    words: ['go', 'doors', 'far', 'over', 'left', 'right'],
    instruction: () => 'go',
    createExpert: () => ({ reset() {}, act: () => 'right' }),
  });
  const world = defineTaskSet({
    ...worldOf('fair'),
    *play() {
      yield { observation: 'doors', actions: ['left', 'right'] };
      return { observation: 'over', success: true };
    },
  });
  const training = { tasks: 4, groupSize: 8, learningRate: 0.03 };
  const warmStart = { tasks: 4, batchTurns: 3 };

  /** Share of `right` in each of six iterations. */
  async function shares(imitationCoefficient: number): Promise<number[]> {
    const loss = { klCoefficient: 0, entropyCoefficient: 0, imitationCoefficient };
    const trainer = await open({ loss, warmStart, training }, { world });
    const found: number[] = [];
    for (let iteration = 0; iteration < 6; iteration++) {
      const { episodes } = await trainer.iterate(iteration);
      found.push(episodes.filter(({ steps }) => steps[0]!.action === 'right').length / episodes.length);
    }
    return found;
  }

  it('are learned with their weight, and not without', async () => {
    const [without, within] = [await shares(0), await shares(1)];
    expect(within[0]).toBe(without[0]);
    expect(Math.max(...without)).toBeLessThan(0.8);
    expect(within[5]).toBeGreaterThan(0.9);
  });

  it('come in batches of the warm start, other ones in every step, and weigh as much as was set', async () => {
    const trainer = await open({ loss: { imitationCoefficient: 0.5 }, warmStart, training }, { world });
    const step = vi.spyOn(trainer.optimiser, 'step');
    await trainer.iterate(0);
    const total = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0);
    const batches = step.mock.calls.map(([batch]) => batch.filter(({ columns }) => total(columns.weight) === 0));
    for (const [index, batch] of batches.entries()) {
      expect(batch).toHaveLength(3);
      expect(batch.reduce((sum, { columns }) => sum + total(columns.imitation!), 0)).toBeCloseTo(0.5, 6);
      // What was played weighs 1 in the policy's loss, and nothing in the other.
      const played = step.mock.calls[index]![0].filter((sequence) => !batch.includes(sequence));
      expect(played.reduce((sum, { columns }) => sum + total(columns.weight), 0)).toBeCloseTo(1, 6);
      expect(played.reduce((sum, { columns }) => sum + total(columns.imitation!), 0)).toBe(0);
    }
    expect(batches).toHaveLength(2);
  });

  it('are learned from in updates alone where the warm start has no epochs', async () => {
    const trainer = await open(
      { loss: { imitationCoefficient: 1 }, warmStart: { ...warmStart, epochs: 0 }, training },
      { world },
    );
    const untouched = await open({ training }, { world });
    expect(await trainer.warmStart()).toBeNull();
    const actionsOf = async (each: typeof trainer) =>
      (await each.iterate(0)).episodes.map(({ steps }) => steps[0]!.action);
    const step = vi.spyOn(trainer.optimiser, 'step');
    expect(await actionsOf(trainer)).toEqual(await actionsOf(untouched));
    const isShown = ({ columns }: { columns: { weight: ArrayLike<number> } }) =>
      Array.from(columns.weight).every((weight) => weight === 0);
    expect(step.mock.calls.map(([batch]) => batch.filter((each) => isShown(each as never)).length)).toEqual([3, 3]);
  });

  it('have corrections of failed episodes beside them, shared out among the steps', async () => {
    // Only `left` fails: then the other one is the way out.
    const strict = defineTaskSet({
      ...worldOf('strict'),
      maxSteps: 4,
      *play() {
        if ((yield { observation: 'doors', actions: ['left', 'right'] }) === 'right')
          return { observation: 'over', success: true };
        const saved = (yield { observation: 'far', actions: ['left', 'right'] }) === 'right';
        return { observation: 'over', success: saved };
      },
    });
    const corrected = { ...training, corrections: 3, miniBatches: 2 };
    const trainer = await open(
      { loss: { imitationCoefficient: 1 }, warmStart, training: corrected },
      { world: strict },
    );
    const step = vi.spyOn(trainer.optimiser, 'step');
    const { episodes } = await trainer.iterate(0);
    expect(episodes.filter(({ success }) => !success).length).toBeGreaterThan(3);
    const { tokenizer } = trainer.policy.player;
    const shown = step.mock.calls.map(([batch]) =>
      batch
        .filter(({ columns }) => Array.from(columns.weight!).every((weight) => weight === 0))
        .map(({ tokens }) => tokenizer.decode(tokens)),
    );
    // The demonstrations never come to the far side.
    const waysOut = shown.map((texts) => texts.filter((text) => text.includes('far')).length);
    expect(waysOut.reduce((sum, count) => sum + count)).toBe(3);
    expect(Math.max(...waysOut)).toBeLessThan(3);
  });

  it('are needed', () => {
    expect(() => trainConfigSchema.parse({ training: { corrections: 3 } })).toThrow(
      /corrections are learned with the weight loss\.imitationCoefficient; set it above 0, or corrections to 0/,
    );
    const settings = { loss: { imitationCoefficient: 1 }, warmStart: { tasks: 0 } };
    expect(() => trainConfigSchema.parse(settings)).toThrow(/nothing to imitate without demonstrations/);
  });
});

it('weighs every episode alike where that is asked for, however many turns it has', async () => {
  const world = defineTaskSet({
    name: 'uneven',
    maxSteps: 4,
    tasks: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((id) => ({ id, type: 'door' })),
    words: ['go', 'doors', 'over', 'left', 'right'],
    instruction: () => 'go',
    *play() {
      for (let turn = 0; turn < 3; turn++)
        if ((yield { observation: 'doors', actions: ['left', 'right'] }) === 'left') break;
      return { observation: 'over', success: true };
    },
  });
  const training = { tasks: 4, groupSize: 4, miniBatches: 1 };
  const trainer = await open({ training, loss: { aggregation: 'episode-mean' } }, { world });
  const step = vi.spyOn(trainer.optimiser, 'step');
  const { episodes } = await trainer.iterate(0);
  const weights = step.mock.calls.flatMap(([batch]) => batch.flatMap(({ columns }) => Array.from(columns.weight)));
  // Replies have two tokens, the action and the end. The order of turns is another one in the update.
  const wanted = episodes.flatMap(({ steps }) => steps.flatMap(() => [1, 1].map(() => 1 / (16 * 2 * steps.length))));
  const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
  expect(sorted(weights)).toEqual(sorted(wanted).map((weight) => expect.closeTo(weight, 6)));
  expect(new Set(episodes.map(({ steps }) => steps.length)).size).toBe(3);
});
