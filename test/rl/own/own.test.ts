/** Estimators, policy losses and task samplers of one's own: what they do in a run, and what is wrong with one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { defineTaskSet } from '../../../src/envs/define.ts';
import {
  type AdvantageOptions,
  estimateAdvantages,
  resolveAdvantageOptions,
} from '../../../src/rl/advantages/index.ts';
import { explain } from '../../../src/rl/credit/explain.ts';
import { readGroupRows, readRolloutIndex } from '../../../src/rl/credit/recordedRollouts.node.ts';
import { WhatIf } from '../../../src/rl/credit/whatIf.ts';
import { type OwnAdvantages, registerEstimator } from '../../../src/rl/own/estimator.ts';
import { type PolicyLoss, registerPolicyLoss } from '../../../src/rl/own/policyLoss.ts';
import { type OwnTaskSampler, registerTaskSampler } from '../../../src/rl/own/taskSampler.ts';
import { loadRun } from '../../../src/rl/run.node.ts';
import { taskSampler } from '../../../src/rl/taskSampler.ts';
import { train } from '../../../src/rl/train.ts';
import { openRun } from '../../../src/runs/run.ts';
import type { Engine } from '../../../src/tensor/engine.ts';
import {
  essenceOf,
  onEpisode,
  type TinySettings,
  tinyConfig,
  tinyEngine,
  trainTiny,
  writeTinyWorld,
} from '../../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-own-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);
let engine: Engine;
beforeAll(async () => {
  vi.stubEnv('PROXMO_STATE', join(folder, 'state'));
  engine = await tinyEngine();
});
afterAll(() => void vi.unstubAllEnvs());

function moduleOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function run(name: string, settings: TinySettings, options: { resume?: boolean } = {}): Promise<string> {
  const dir = join(folder, name);
  await trainTiny(dir, tinyConfig(world, settings), { engine, ...options });
  return dir;
}

/** Of GRPO without a division. */
const meanBaseline = `export default ({ times = 1 }) => ({
  estimate({ groups, trajectories }, { score }) {
    const advantage = new Array(score.length);
    for (const group of groups) {
      const scores = group.trajectories.map((index) => score[trajectories[index].rows[0]]);
      const mean = scores.reduce((sum, each) => sum + each, 0) / scores.length;
      for (const row of group.rows) advantage[row] = times * (score[row] - mean);
    }
    return { advantage };
  },
});`;
const grpo = { estimator: 'grpo', normalisation: 'mean' } as const;

describe('an estimator', () => {
  it('of a module trains as the library does where it computes the same', async () => {
    const path = moduleOf('mean.mjs', meanBaseline);
    const own = await run('mean', { advantages: { estimator: 'own', name: path, options: {} } });
    expect(await essenceOf(own)).toEqual(await essenceOf(await run('grpo', { advantages: grpo })));
  });

  it('is handed its options, and what it gave is explained as its own', async () => {
    const path = moduleOf('twice.mjs', meanBaseline);
    const name = { estimator: 'own', name: path, options: { times: 2 } } as const;
    const dir = await run('twice', { training: { iterations: 1, tasks: 4, groupSize: 4 }, advantages: name });
    const written = await openRun(dir);
    const index = (await readRolloutIndex(written, 1))!;
    const groups = await Promise.all(index.groups.map((_, group) => readGroupRows(written, index, group)));
    const rows = groups.flatMap((group) => group!);
    const once = await estimateAdvantages(rows, grpo, engine);
    for (const [row, { advantage }] of rows.entries()) expect(advantage).toBeCloseTo(2 * once.advantage[row]!, 10);
    expect(rows.some(({ advantage }) => advantage !== 0)).toBe(true);
    const group = groups.find((each) => each!.some(({ advantage }) => advantage !== 0))!;
    const told = explain(group[0]!, group, resolveAdvantageOptions(name as AdvantageOptions));
    expect(told.sentence).toContain(`is what ${path}, an estimator of this run's own, gave an episode that scored`);
    expect(told.parts).toHaveLength(1);
    expect(() => new WhatIf(rows).advantages(name)).toThrow(/twice\.mjs is not the library's/);
  });

  it('may tell the part of the step, and promise what it gives', async () => {
    registerEstimator('steps', () => ({
      estimate: async (_, { score, penalisedReturn }) => ({
        advantage: score.map((value, row) => value + penalisedReturn[row]!),
        step: penalisedReturn,
      }),
    }));
    const rows = rowsOf([1, 0]);
    const { advantage, episode, step, diagnostics } = await estimateAdvantages(
      rows,
      { estimator: 'own', name: 'steps' },
      engine,
    );
    expect([[...advantage], [...episode], [...step]]).toEqual([
      [2, 0],
      [1, 0],
      [1, 0],
    ]);
    expect(diagnostics.groups).toHaveLength(1);
  });

  it('is registered by a name for train()', async () => {
    let rows = 0;
    registerEstimator('counting', () => ({
      estimate: (batch) => {
        rows += batch.rows.length;
        return { advantage: new Float64Array(batch.rows.length).fill(1) };
      },
    }));
    const taskSet = defineTaskSet({
      name: 'doors',
      maxSteps: 1,
      tasks: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((id) => ({ id, type: 'door' })),
      words: ['go', 'left', 'right'],
      instruction: () => 'go',
      *play() {
        const action: string = yield { observation: 'go', actions: ['left', 'right'] };
        return { observation: 'go', success: action === 'left' };
      },
    });
    const { environment: _, ...config } = tinyConfig(world, {
      advantages: { estimator: 'own', name: 'counting' } as never,
    });
    const { trainer } = await train(engine, { taskSet, config }).result;
    expect(rows).toBe(config.training.iterations * config.training.tasks * config.training.groupSize);
    await trainer.destroy();
  });

  const estimatorOf = (name: string, estimate: () => unknown) => {
    registerEstimator(name, () => ({ estimate: estimate as () => OwnAdvantages }));
    return { estimator: 'own', name } as const;
  };
  it.each<[string, () => AdvantageOptions, RegExp]>([
    [
      'is not there',
      () => ({ estimator: 'own', name: 'stepz' }),
      /no estimator stepz .*mean steps\?.*registerEstimator/,
    ],
    ['gives too few', () => estimatorOf('few', () => ({ advantage: [1] })), /few gives 1 numbers as "advantage" for 2/],
    ['gives none', () => estimatorOf('none', () => undefined), /none gives no list of numbers as "advantage"/],
    [
      'gives NaN',
      () => estimatorOf('nan', () => ({ advantage: [1, Number.NaN] })),
      /NaN as "advantage" of row 1 \(traj/,
    ],
    [
      'gives a step that is no number',
      () => estimatorOf('infinite', () => ({ advantage: [1, 2], step: [Number.POSITIVE_INFINITY, 0] })),
      /Infinity as "step" of row 0/,
    ],
    [
      'throws',
      () =>
        estimatorOf('broken', () => {
          throw new TypeError('no such thing');
        }),
      /broken: estimate failed: TypeError: no such thing/,
    ],
  ])('that %s is told', async (_, options, message) => {
    const estimated = async () => estimateAdvantages(rowsOf([1, 0]), options(), engine);
    await expect(estimated()).rejects.toThrow(message);
    await expect(estimated()).rejects.toMatchObject({ code: 'config' });
  });

  it('that cannot be made is told with its place, before anything is written', async () => {
    const path = moduleOf('refuses.mjs', `export default (options) => {\n  options.power.toFixed();\n};`);
    await expect(run('refused', { advantages: { estimator: 'own', name: path } })).rejects.toThrow(
      /refuses\.mjs:2:\d+: making the estimator failed: TypeError/,
    );
    expect(() => registerEstimator('', () => ({ estimate: () => ({ advantage: [] }) }))).toThrow(/needs a name/);
    expect(() => registerEstimator('x', 1 as never)).toThrow(/x must be a function that makes the estimator/);
  });
});

describe('a policy loss', () => {
  it("that is PPO's trains as PPO does", async () => {
    registerPolicyLoss(
      'ppo again',
      (_, { ops }) =>
        (inputs, settings) =>
          ops.ppoLoss(inputs, settings).loss,
    );
    const own = await run('loss', { loss: { policy: { name: 'ppo again', options: {} } } });
    expect(await essenceOf(own)).toEqual(await essenceOf(await run('ppo', {})));
  });

  it('of a module is what is minimised, and metrics stay those of PPO', async () => {
    const path = moduleOf(
      'reinforce.mjs',
      `export default ({ factor }, { ops }) => ({ logProb, advantage, weight }) =>
        ops.scale(ops.dot(ops.multiply(logProb, advantage), weight), -factor);`,
    );
    const settings = (factor: number) => ({ loss: { policy: { name: path, options: { factor } } } });
    const [none, some] = [await run('factor-0', settings(0)), await run('factor-1', settings(1))];
    const norms = async (dir: string) => (await essenceOf(dir)).metrics.map(({ gradientNorm }) => gradientNorm);
    expect(Math.max(...((await norms(none)) as number[]).filter(Number.isFinite))).toBe(0);
    expect(Math.max(...((await norms(some)) as number[]).filter(Number.isFinite))).toBeGreaterThan(0);
    const { metrics } = await essenceOf(some);
    for (const { kind, kl, entropy } of metrics)
      if (kind === 'train') expect([typeof kl, typeof entropy]).toEqual(['number', 'number']);
  });

  it.each<[string, PolicyLoss, RegExp]>([
    ['number', (() => 1) as never, /The policy loss number gives no tensor/],
    ['long', ({ logProb }) => logProb, /long gives a tensor of the shape \[\d+\]; sum it up/],
    [
      'broken',
      () => {
        throw new Error('not yet');
      },
      /broken: the loss failed: Error: not yet/,
    ],
  ])('that is %s is told', async (name, loss, message) => {
    registerPolicyLoss(name, () => loss);
    await expect(run(`loss-${name}`, { loss: { policy: { name, options: {} } } })).rejects.toThrow(message);
  });
});

describe('a task sampler', () => {
  const last = `export default (_, { pool, count }) => ({
    state: { done: 0 },
    choose() { return Array.from({ length: count }, (_, i) => pool.at(-1 - ((this.state.done + i) % pool.length))); },
    note(tasks) { this.state = { done: this.state.done + tasks.length }; },
  });`;

  it('chooses what is played, and goes on from its state', async () => {
    const taskSampler = { name: moduleOf('last.mjs', last), options: {} };
    const training = (iterations: number) => ({
      training: { iterations, pool: 4, tasks: 1, groupSize: 2, taskSampler },
    });
    const whole = await run('sampled', training(4));
    const played = async (dir: string) => {
      const written = await openRun(dir);
      const indices = await Promise.all([1, 2, 3, 4].map((iteration) => readRolloutIndex(written, iteration)));
      return indices.map((index) => index!.groups[0]!.id);
    };
    const inTurn = await played(await run('in-turn', { training: { iterations: 4, pool: 4, tasks: 1, groupSize: 2 } }));
    expect(await played(whole)).toEqual(inTurn.toReversed());
    await run('stopped', training(2));
    const resumed = await run('stopped', training(4), { resume: true });
    expect(await played(resumed)).toEqual(inTurn.toReversed());
    expect((await essenceOf(resumed)).tensors).toEqual((await essenceOf(whole)).tensors);
  });

  const pool = [...'ABC'].map((id) => ({ id, type: 'door' }));
  it.each<[string, OwnTaskSampler, RegExp]>([
    ['too few', { choose: () => pool.slice(0, 1) }, /gives 1 tasks, of which 1 are different; choose 2 different/],
    ['one twice', { choose: () => [pool[0]!, pool[0]!] }, /gives 2 tasks, of which 1 are different/],
    ['a stranger', { choose: () => [pool[0]!, { id: 'Z', type: 'door' }] }, /gives "Z", which is not in the pool/],
    ['no list', { choose: () => null as never }, /gives null and no list/],
    [
      'an error',
      {
        choose: () => {
          throw new Error('too hard');
        },
      },
      /an error: choose\(0\) failed: Error: too hard/,
    ],
  ])('that gives %s is told', (name, sampler, message) => {
    registerTaskSampler(name, () => sampler);
    const made = taskSampler(pool, { training: { tasks: 2, taskSampler: { name, options: {} } }, seed: 1 });
    expect(() => made.choose(0)).toThrow(message);
  });
});

it('a task sampler that cannot be made is told before the warm start', async () => {
  const picky = moduleOf('picky.mjs', `export default ({ share }) => { throw new Error('share is ' + share); };`);
  const opened: string[] = [];
  onEpisode((task) => opened.push(task));
  const training = { iterations: 1, pool: 4, tasks: 2, groupSize: 2, taskSampler: { name: picky, options: {} } };
  const refused = run('picky', { warmStart: { tasks: 4 }, training });
  await expect(refused).rejects.toThrow(/picky\.mjs.*share is undefined/);
  onEpisode(undefined);
  expect(opened).toEqual([]);
});

describe('modules of others', () => {
  it('are loaded only if this user agrees, and asked for again when they change', async () => {
    const path = moduleOf('foreign.mjs', meanBaseline);
    const settings = (iterations: number): TinySettings => ({
      training: { iterations, pool: 4, tasks: 2, groupSize: 2 },
      advantages: { estimator: 'own', name: path, options: {} } as never,
    });
    const dir = await run('foreign', settings(1));
    writeFileSync(path, `${meanBaseline}\n// changed\n`);
    await expect(run('foreign', settings(2), { resume: true })).rejects.toMatchObject({
      code: 'untrusted',
      message: expect.stringMatching(/foreign would load the module .*foreign\.mjs/),
    });
    const asked: string[] = [];
    const agree = async ({ kind }: { kind: string }) => asked.push(kind) > 0;
    await trainTiny(dir, tinyConfig(world, settings(2)), { engine, resume: true, agree });
    expect(asked).toEqual(['module']);
  });

  it('are not needed by who only acts', async () => {
    const path = moduleOf('gone.mjs', meanBaseline);
    const dir = await run('gone', { advantages: { estimator: 'own', name: path, options: {} } });
    rmSync(path);
    const { trainer, destroy } = await loadRun(engine, dir);
    expect((await trainer.evaluate()).episodes).toBe(4);
    destroy();
  });

  it('that are not there end in a sentence', async () => {
    const missing = join(folder, 'missing.mjs');
    await expect(run('missing', { loss: { policy: { name: missing, options: {} } } })).rejects.toThrow(
      /There is no policy loss module .*missing\.mjs/,
    );
  });
});

function rowsOf(rewards: readonly number[]) {
  return rewards.map((reward, index) => ({
    group: 'task',
    trajectory: `episode ${index}`,
    step: 0,
    reward,
    success: reward > 0,
    valid: true,
    observation: 'a door',
  }));
}
