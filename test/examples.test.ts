/**
 * The example programs run, against the sources; those that pages show are what these show. `train.mjs` has a few
 * demonstrations and episodes here instead of the preset's.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ProxmoError } from '../src/base/errors.ts';
import { createNamedTaskSet } from '../src/envs/registry.node.ts';
import { resolveAdvantageOptions } from '../src/rl/advantages/options.ts';
import { rowReturns } from '../src/rl/advantages/returns.ts';
import type { EstimatorFactory } from '../src/rl/own/estimator.ts';
import type { OwnOptions } from '../src/rl/own/registry.ts';
import { indexRollout } from '../src/rl/rows.ts';
import { train } from '../src/rl/train.ts';
import { Engine } from '../src/tensor/engine.ts';
import { testAdapters, testDevice } from './support/adapters.ts';
import { proxmo } from './support/cli.ts';
import { runExample } from './support/example.ts';
import { needs } from './support/needs.ts';
import { writeRun } from './support/viewRun.ts';

const root = join(import.meta.dirname, '..');
const few = `
  warmStart: { ...presets.small.warmStart, tasks: 4, epochs: 1 },
  training: { ...presets.small.training, tasks: 1, groupSize: 2, pool: 4 },
  evaluation: { ...presets.small.evaluation, tasks: 2 },
`;

/** A page shows a program, without its first line. */
async function expectShown(name: string, page: string): Promise<void> {
  const [, ...program] = (await readFile(join(root, 'examples', name), 'utf8')).split('\n');
  expect(await readFile(join(root, page), 'utf8')).toContain(`\`\`\`js\n${program.join('\n')}\`\`\``);
}

describe('examples/train.mjs', () => {
  it('is the snippet of docs/embedding.md', () => expectShown('train.mjs', 'docs/embedding.md'));

  it('trains', { timeout: 120_000 }, async () => {
    const stdout = await runExample('train.mjs', (source) =>
      source.replace('...presets.small,', `...presets.small, ${few}`),
    );
    expect(stdout).toMatch(
      /^(success [\d.]+, KL -?[\d.]+, \d+ tokens\/s\n){3}held-out success [\d.]+ \(95 %: [\d.]+ to [\d.]+\)\n$/,
    );
  });
});

it.each([
  ['spirals.mjs', 'points', 97],
  ['digits.mjs', 'digits', 95],
])('examples/%s learns its task', { timeout: 120_000 }, async (name, things, least) => {
  const stdout = await runExample(name);
  const [, share] = new RegExp(`([\\d.]+) % of \\d+ unseen ${things}`).exec(stdout) ?? [];
  expect(Number(share), stdout).toBeGreaterThanOrEqual(least);
});

it('examples/own-kernel.mjs checks, times and trains with its kernel', { timeout: 120_000 }, async () => {
  const stdout = await runExample('own-kernel.mjs');
  expect(stdout).toMatch(
    /^snake: as its reference\nsnakeBackward: as its reference\ngradient: as finite differences\n/,
  );
  expect(stdout).toMatch(/\nrun16\.vec4\.f32: [\d.]+ ms, [\d.]+ GB\/s\nloss after 200 steps: 0\.0[0-4]\d*\n/);
  expect(stdout).toMatch(/\n\d+ dispatches in a step, 2 of them snake's\n$/);
});

it('examples/own-estimator.mjs trains with its estimator', { timeout: 120_000 }, async () => {
  const stdout = await runExample('own-estimator.mjs');
  const outcome = 'held-out success [\\d.]+ before, [\\d.]+ after';
  expect(stdout).toMatch(new RegExp(`^grpo: ${outcome}\nquantile: ${outcome}\n$`));
});

describe('the estimator of examples/own-estimator.mjs', () => {
  const make = async (options: OwnOptions) => {
    const { default: factory } = await import(pathToFileURL(join(root, 'examples', 'own-estimator.mjs')).href);
    return (factory as EstimatorFactory)(options, { ProxmoError });
  };

  it('divides by the deviation of the scores, as the others do', async () => {
    // Two turns in each of four episodes, of which two earn 10: mean 5, deviation 5, and 0 at the first quartile.
    const rows = ['a', 'b', 'c', 'd'].flatMap((trajectory, index) =>
      [0, 1].map((step) => {
        const success = index >= 2;
        const reward = success && step === 1 ? 10 : 0;
        return { group: 'g', trajectory, step, reward, success, valid: true, observation: 'here' };
      }),
    );
    const batch = indexRollout(rows);
    const returns = rowReturns(batch, resolveAdvantageOptions({ estimator: 'grpo' }));
    const { advantage } = await (await make({ quantile: 0.25 })).estimate(batch, returns);
    expect(Array.from(advantage)).toEqual([0, 0, 0, 0, 2, 2, 2, 2]);
  });

  it('refuses options that it does not have', async () => {
    await expect(make({ quantil: 0.25 })).rejects.toThrow('no option quantil; it has quantile and sigmaFloor.');
  });
});

it('examples/embed.mjs trains on a task set in memory', { timeout: 120_000 }, async () => {
  const stdout = await runExample('embed.mjs');
  const [, before, after] = /held-out success: ([\d.]+) before, ([\d.]+) after\n/.exec(stdout) ?? [];
  expect(stdout).toMatch(/^(iteration \d+: success [\d.]+\n){15}/);
  expect(Number(after), stdout).toBeGreaterThan(Number(before));
});

describe('examples/doors.mjs', () => {
  it('is the snippet of the README', () => expectShown('doors.mjs', 'README.md'));

  it('has at most 20 lines', async () => {
    const source = await readFile(join(root, 'examples', 'doors.mjs'), 'utf8');
    expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(20);
  });

  it('keeps the contract of environments', async () => {
    expect(await proxmo(['env', 'check', join(root, 'examples', 'doors.mjs')])).toMatchObject({ code: 0 });
  });
});

const hasPython = spawnSync('python3', ['--version']).status === 0;

describe('examples/doors.py', needs('python3', hasPython), () => {
  const command = ['python3', join(root, 'examples', 'doors.py')];

  it('keeps the contract of environments', async () => {
    const words = ['env', 'check', 'process', '--option', `command=${JSON.stringify(command)}`];
    expect(await proxmo(words)).toMatchObject({ code: 0, stderr: '' });
  });

  it('is played by a policy', { timeout: 60_000 }, async () => {
    const taskSet = await createNamedTaskSet('process', { command });
    const engine = new Engine(await testDevice(testAdapters.at(-1)!));
    const config = {
      policy: { dModel: 16, layers: 1, heads: 2, kvHeads: 1, headDim: 8, dFf: 32 },
      prompt: { maxTokens: 96 },
      sampling: { maxNewTokens: 4, blockSize: 4, constrained: true },
      warmStart: { tasks: 0 },
      training: { iterations: 1, tasks: 2, groupSize: 2, pool: 4 },
      evaluation: { tasks: 2, every: 0 },
    };
    try {
      const { trainer, after } = await train(engine, { taskSet, config }).result;
      expect(after.episodes).toBe(2);
      await trainer.destroy();
    } finally {
      await taskSet.close?.();
    }
  });
});

it('examples/credit.mjs explains the advantages of one group', async () => {
  const stdout = await runExample('credit.mjs');
  expect(stdout.match(/^\[\d\] /gm)).toHaveLength(7);
  expect(stdout).toMatch(/the weight of a success is 1\.0034\n/);
  expect(stdout).toMatch(/Looking out of the window cost episode 3 \d\.\d\d,/);
  expect(stdout).toMatch(/the first and the last turn of episode 1 have the same credit\n$/);
});

describe('examples/read-run.mjs', () => {
  it('shows how a run went, and its turns by credit', { timeout: 60_000 }, async () => {
    const run = await mkdtemp(join(tmpdir(), 'proxmo-read-run-'));
    onTestFinished(() => rm(run, { recursive: true }));
    await writeRun(run);
    const stdout = await runExample('read-run.mjs', undefined, run);
    expect(stdout).toMatch(
      /^ {2}1 [█·]{20} [\d.]+ %, KL [\d.-]+, entropy [\d.]+, \d+ % of groups differ, \d+ % valid$/m,
    );
    expect(stdout).toMatch(/^ *-?[\d.]+ = -?[\d.]+ \(episode\) \+ -?[\d.]+ \(step\): ".+", having seen ".+"$/m);
  });

  it('says how it is called', async () => {
    await expect(runExample('read-run.mjs')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('usage'),
    });
  });
});
