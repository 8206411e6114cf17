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

type Changes = { readonly [Key in 'loss' | 'training' | 'sampling']?: object };

interface Surroundings {
  readonly world?: TaskSet;
  readonly onWarning?: (text: string) => void;
}

async function open({ loss = {}, training = {}, sampling = {} }: Changes, { world, onWarning }: Surroundings = {}) {
  const config = trainConfigSchema.parse({
    ...tiny,
    loss: { ...tiny.loss, ...loss },
    training: { ...tiny.training, ...training },
    sampling: { ...tiny.sampling, ...sampling },
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
