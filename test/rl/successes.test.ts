/** Own successes that are learned again. */
import { describe, expect, it, vi } from 'vitest';
import { defineTaskSet } from '../../src/envs/define.ts';
import type { TokenSequence } from '../../src/nn/replies.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import type { Episode } from '../../src/rl/rollout.ts';
import { Successes } from '../../src/rl/successes.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { captureState, restoreState } from '../../src/rl/trainerState.node.ts';
import { tinyEngine } from '../support/tinyRun.ts';

const tasks = ['a', 'b', 'c'].map((id) => ({ id, type: 'door' }));
const episode = (id: string, success: boolean, actions: readonly string[]) =>
  ({ task: { id, type: 'door' }, success, steps: actions.map((action) => ({ action })) }) as unknown as Episode;

describe('the successes of a run', () => {
  it('are the shortest of each task, and of those the first', () => {
    const successes = new Successes(() => tasks);
    successes.note([
      episode('b', false, ['x']),
      episode('b', true, ['left', 'left', 'right']),
      episode('a', true, ['up', 'down']),
      episode('b', true, ['left', 'right']),
      episode('a', true, ['down', 'up']),
    ]);
    successes.note([episode('b', true, ['right', 'left'])]);
    expect(successes.state).toEqual({ b: ['left', 'right'], a: ['up', 'down'] });
  });

  it('are recited once each', async () => {
    const successes = new Successes(() => tasks);
    const recite = vi.fn(async (all: readonly { readonly actions: readonly string[] }[]) =>
      all.map(({ actions }): TokenSequence[] => [{ tokens: [actions.length], replies: [] }]),
    );
    successes.note([episode('a', true, ['up', 'down'])]);
    await successes.sequences(recite);
    successes.note([episode('b', true, ['up']), episode('a', true, ['up'])]);
    expect((await successes.sequences(recite)).map(({ tokens }) => tokens[0])).toEqual([1, 1]);
    expect((await successes.sequences(recite)).map(({ tokens }) => tokens[0])).toEqual([1, 1]);
    expect(recite.mock.calls.map(([all]) => all.length)).toEqual([1, 2]);
  });

  it('of other tasks are no state of this run', () => {
    const successes = new Successes(() => tasks);
    expect(() => {
      successes.state = { z: ['left'] };
    }).toThrow('a success of the task z, which is none of this run');
  });
});

describe('updates', () => {
  const world = defineTaskSet({
    name: 'halls',
    maxSteps: 3,
    tasks: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((id) => ({ id, type: 'door' })),
    words: ['go', 'hall', 'tower', 'left', 'right', 'over'],
    instruction: () => 'go',
    createExpert: () => ({ reset() {}, act: () => 'right' }),
    // The expert never comes to the tower, from which there is a way too.
    *play() {
      if ((yield { observation: 'hall', actions: ['left', 'right'] }) === 'right')
        return { observation: 'over', success: true };
      const found = (yield { observation: 'tower', actions: ['left', 'right'] }) === 'left';
      return { observation: 'over', success: found };
    },
  });

  async function open(rehearseSuccesses: boolean) {
    const config = trainConfigSchema.parse({
      environment: { name: 'halls' },
      prompt: { memory: 'transcript', maxTokens: 64 },
      policy: { dModel: 16, layers: 1, heads: 2, kvHeads: 1, headDim: 8, dFf: 16 },
      sampling: { maxNewTokens: 4, constrained: true },
      warmStart: { tasks: 2, batchTurns: 500 },
      training: { pool: 12, tasks: 4, groupSize: 1, miniBatches: 1, rehearseSuccesses },
      evaluation: { tasks: 1 },
      loss: { imitationCoefficient: 1 },
    });
    const engine = await tinyEngine();
    const trainer = new Trainer(engine, config, world, wordPolicySource(config, tokenizerFor(world)));
    const step = vi.spyOn(trainer.optimiser, 'step');
    /** What the last step learned besides what was played. */
    const shown = () =>
      step.mock.calls
        .at(-1)![0]
        .filter(({ columns }) => Array.from(columns.weight!).every((weight) => weight === 0))
        .map(({ tokens }) => trainer.policy.player.tokenizer.decode(tokens).trim());
    return { engine, trainer, shown };
  }

  it('learn from the successes of iterations before', async () => {
    const { trainer, shown } = await open(true);
    const first = await trainer.iterate(0);
    expect(shown()).toHaveLength(2);
    await trainer.iterate(1);
    const won = first.episodes.filter(({ success }) => success);
    const byTower = won.filter(({ steps }) => steps.length === 2);
    expect(byTower.length).toBeGreaterThan(0);
    expect(shown()).toHaveLength(2 + won.length);
    expect(shown().filter((text) => text.includes('tower'))).toHaveLength(byTower.length);
  });

  it('learn from demonstrations alone unless that is asked for', async () => {
    const { trainer, shown } = await open(false);
    await trainer.iterate(0);
    await trainer.iterate(1);
    expect(shown()).toHaveLength(2);
  });

  it('learn from the same ones when a run goes on from a checkpoint', async () => {
    const { engine, trainer, shown } = await open(true);
    await trainer.iterate(0);
    const progress = {
      totals: {
        wallSeconds: 0,
        warmStartSeconds: null,
        iterationSeconds: 0,
        advantageSeconds: 0,
        tokens: 0,
        before: null,
      },
      evaluation: null,
      tasks: { training: '', heldOut: '' },
    };
    const saved = captureState(engine, trainer, 1, progress);
    const resumed = await open(true);
    await restoreState(engine, resumed.trainer, { ...saved, state: JSON.parse(JSON.stringify(saved.state)) });
    await trainer.iterate(1);
    await resumed.trainer.iterate(1);
    expect(resumed.shown().sort()).toEqual(shown().sort());
    expect(resumed.trainer.lessons.successes!.state).toEqual(trainer.lessons.successes!.state);
  });

  it('need replies that are actions, and a weight', () => {
    const training = { rehearseSuccesses: true };
    const message = /own successes are learned with the weight loss\.imitationCoefficient/;
    expect(() => trainConfigSchema.parse({ training })).toThrow(message);
    expect(() =>
      trainConfigSchema.parse({ training, loss: { imitationCoefficient: 1 }, sampling: { constrained: false } }),
    ).toThrow(message);
  });
});
