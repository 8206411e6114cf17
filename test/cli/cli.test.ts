/** The command line as its users meet it: what it prints, how it fails, and one small run from start to resume. */
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { formatTuning } from '../../src/gpu/tuningRecords.ts';
import { proxmo } from '../support/cli.ts';
import { rowsIn, rowsPath } from '../support/recordedRows.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Settings of a run that takes seconds. */
const tiny = [
  'environment.options.receptacles=4',
  'environment.options.objects=3',
  'environment.options.maxSteps=10',
  'policy.dModel=16',
  'policy.layers=1',
  'policy.heads=2',
  'policy.kvHeads=1',
  'policy.headDim=8',
  'policy.dFf=16',
  'warmStart.tasks=6',
  'warmStart.epochs=1',
  'training.tasks=2',
  'training.groupSize=2',
  'training.iterations=2',
  'evaluation.tasks=6',
  'checkpoints.every=1',
  'checkpoints.keep=3',
].flatMap((setting) => ['--set', setting]);

const summaryOf = (dir: string) => JSON.parse(readFileSync(join(dir, 'summary.json'), 'utf8'));
const metricsOf = (dir: string) =>
  readFileSync(join(dir, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('help', () => {
  it.each(['train', 'study', 'eval', 'play', 'env', 'model', 'generate', 'advantages', 'bench', 'profile', 'doctor'])(
    '%s explains itself',
    async (command) => {
      const { code, stdout } = await proxmo([command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: proxmo ${command}`);
    },
  );
});

describe('mistakes end in one sentence and a non-zero exit', () => {
  it.each([
    [['fly'], 2, /unknown command 'fly'/],
    [['train', '--seed', 'x'], 2, /--seed/],
    [
      ['train', '--preset', 'huge'],
      2,
      /There is no preset huge; choose one of small, alfworld, alfworld-few, paper, webshop, pretrained, smollm2, paper-llm, none\./,
    ],
    [['train', '--preset', 'smal'], 2, /There is no preset smal \(did you mean small\?\); choose one of/],
    [
      ['train', '--set', 'training.iteration=3', '--out', join(folder, 'never')],
      1,
      /training\.iteration.*training\.iterations/s,
    ],
    [['train', '--set', 'policy.heads=3', '--out', join(folder, 'shape')], 1, /policy\.heads \(3\) must be a multiple/],
    [
      ['train', '--set', 'environment.name=moon', '--out', join(folder, 'moon')],
      1,
      /no environment moon; choose one of household/,
    ],
    [
      ['train', '--adapter', 'no-such-gpu', '--out', join(folder, 'device')],
      1,
      /No WebGPU adapter "no-such-gpu" was found; choose by a part of its name what there is/,
    ],
    [['eval', folder], 1, /is not a run: it has no run\.json/],
    [['eval', folder, '--all', '--tasks', '3'], 2, /'--all' cannot be used with option '--tasks <n>'/],
    [['eval', folder, '--temperature', '-1'], 2, /--temperature.* It must be a number of 0 or more/],
    [['play', folder, '--episodes', '0'], 2, /--episodes.* It must be a whole number of 1 or more/],
    [
      ['advantages', join(folder, 'absent.jsonl')],
      1,
      /absent\.jsonl cannot be read: there is no such file or folder \(ENOENT\)/,
    ],
  ] as const)('%j', async (args, code, message) => {
    const result = await proxmo(args);
    expect(result.stderr).toMatch(message);
    expect(
      result.stderr
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('proxmo:')).length,
    ).toBe(1);
    expect(result.stderr).not.toContain('    at ');
    expect(result.code).toBe(code);
    expect(result.stdout).toBe('');
  });

  it('leaves nothing behind where the settings were wrong', () => {
    for (const name of ['never', 'shape', 'moon', 'device']) expect(existsSync(join(folder, name)), name).toBe(false);
  });
});

describe('advantages', () => {
  const row = (trajectory: string, step: number, reward: number, success: boolean, observation: string) =>
    JSON.stringify({ group: 'g', trajectory, step, reward, success, valid: true, observation });
  const rows = [
    row('a', 0, 0, true, 'you see a cup'),
    row('a', 1, 1, true, 'you hold a cup'),
    row('b', 0, 0, false, 'you see a cup'),
  ];

  it('prints one record a row, from a file or from standard input', async () => {
    const path = join(folder, 'rows.jsonl');
    writeFileSync(path, `${rows.join('\n')}\n`);
    const fromFile = await proxmo(['advantages', path, '--estimator', 'proxmo', '--preset', 'reference', '--json']);
    const fromInput = await proxmo(['advantages', '-', '--preset', 'reference', '--json'], { input: rows.join('\n') });
    expect(fromFile.code).toBe(0);
    const records = JSON.parse(fromFile.stdout);
    expect(records).toHaveLength(3);
    for (const { episode, step, advantage } of records) expect(advantage).toBeCloseTo(episode + step, 6);
    expect(fromInput.stdout).toBe(fromFile.stdout);
  });

  it('takes an estimator of one’s own, with its options', async () => {
    const path = join(folder, 'own.jsonl');
    writeFileSync(path, `${rows.join('\n')}\n`);
    const half = join(folder, 'half.mjs');
    writeFileSync(
      half,
      'export default ({ part }) => ({ estimate: (_, { score }) => ({ advantage: score.map((each) => each * part) }) });',
    );
    const { stdout } = await proxmo(['advantages', path, '--estimator', half, '--set', 'part=0.5', '--json']);
    expect(JSON.parse(stdout).map(({ advantage }: { advantage: number }) => advantage)).toEqual([0.5, 0.5, 0]);
    const missing = await proxmo(['advantages', path, '--estimator', './none.mjs']);
    expect(missing.stderr).toMatch(/^proxmo: There is no estimator module .*none\.mjs/);
    const typo = await proxmo(['advantages', path, '--estimator', 'proxm']);
    expect(typo.stderr).toMatch(/must be one of proxmo, gigpo/);
    expect([missing.code, typo.code]).toEqual([1, 1]);
  });

  it('names the line that is wrong', async () => {
    const result = await proxmo(['advantages', '-'], {
      input: `${rows[0]}\n${rows[1]!.replace('"reward":1', '"reward":"NaN"')}\n`,
    });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/line 2.*reward/);
  });

  it.each([
    ['1e39', '1e+39'],
    ['1e999', 'Infinity'],
    ['null', 'null'],
  ])('names file, line and field of a reward of %s', async (reward, shown) => {
    const path = join(folder, 'huge.jsonl');
    writeFileSync(path, `${rows[0]}\n${rows[1]!.replace('"reward":1', `"reward":${reward}`)}\n`);
    const result = await proxmo(['advantages', path, '--json']);
    expect([result.code, result.stdout]).toEqual([1, '']);
    expect(result.stderr).toContain(`huge.jsonl line 2 has ${shown} as "reward"`);
  });

  it('refuses an empty rollout', async () => {
    expect((await proxmo(['advantages', '-'], { input: '' })).code).toBe(1);
  });
});

describe('a run', () => {
  const dir = join(folder, 'run');

  it('trains, leaves a complete folder, and prints the table', async () => {
    const { code, stdout, stderr } = await proxmo(['train', ...tiny, '--out', dir, '--seed', '5']);
    expect(stderr).toContain('iteration 2/2');
    expect(code).toBe(0);
    expect(stdout).toMatch(/held-out success\s+before\s+after\s+points/);
    const summary = summaryOf(dir);
    expect(summary).toMatchObject({
      seed: 5,
      before: { byTask: { heat: expect.any(Number) } },
      after: { success: expect.any(Number) },
    });
    expect(summary.wallSeconds).toBeGreaterThan(0);
    expect(summary.tokensPerSecond).toBeGreaterThan(0);
    expect(summary.advantageShare).toBeGreaterThan(0);
    const train = metricsOf(dir).filter(({ kind }) => kind === 'train');
    expect(train.map(({ iteration }) => iteration)).toEqual([1, 2]);
    for (const metrics of train) expect(metrics.samplerMismatch).toBeLessThan(1e-3);
    expect(existsSync(rowsPath(dir, 1))).toBe(true);
  });

  it('has rollouts that the advantages command reads', async () => {
    const { code, stdout } = await proxmo(['advantages', rowsPath(dir, 2), '--json']);
    const rows = rowsIn(rowsPath(dir, 2));
    expect(code).toBe(0);
    JSON.parse(stdout).forEach(({ advantage }: { advantage: number }, index: number) => {
      expect(advantage).toBeCloseTo(rows[index]!.advantage, 5);
    });
  });

  it('is evaluated and watched', async () => {
    const evaluated = await proxmo(['eval', dir, '--json']);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({
      iteration: 2,
      episodes: 6,
      success: summaryOf(dir).after.success,
    });
    const played = await proxmo(['play', dir, '--type', 'heat']);
    expect(played.stdout).toMatch(/^heat: /);
    expect(played.stdout).toMatch(/ {2}1\. you are in/);
  });

  it('says by which variants of its kernels a tuned run acts', async () => {
    const path = join(dir, 'tuning.json');
    writeFileSync(path, await formatTuning({ adapter: 'another', driver: 'd', version: '1' }, new Map()));
    const elsewhere = await proxmo(['generate', '--model', dir, '--prompt', 'you', '--max-tokens', '2', '--json']);
    const { name: adapter, driver } = JSON.parse(readFileSync(join(dir, 'run.json'), 'utf8')).adapter;
    expect(elsewhere.stderr).toContain(`this is ${adapter} (${driver}): kernels run in their default variants`);
    writeFileSync(path, await formatTuning({ adapter, driver, version: '1' }, new Map()));
    const here = await proxmo(['eval', dir, '--json']);
    expect(here.stderr).toContain(`kernels run in the variants of ${path} (0 choices)`);
    rmSync(path);
    expect(JSON.parse(here.stdout)).toMatchObject({ success: summaryOf(dir).after.success });
  });

  it('goes on from a checkpoint to the same weights', async () => {
    const first = join(folder, 'stopped');
    const stopped = await proxmo(['train', ...tiny, '--set', 'training.iterations=1', '--out', first, '--seed', '5']);
    expect(stopped.code).toBe(0);
    const config = join(first, 'config.yaml');
    writeFileSync(config, readFileSync(config, 'utf8').replace('iterations: 1', 'iterations: 2'));
    const resumed = await proxmo(['train', '--resume', first]);
    expect(resumed.code).toBe(0);
    const weights = (run: string) => readFileSync(join(run, 'checkpoints', '000002', 'weights.safetensors'));
    expect(weights(first).equals(weights(dir))).toBe(true);
  });

  it('is refused where its checkpoint is damaged', async () => {
    const weights = join(dir, 'checkpoints', '000002', 'weights.safetensors');
    truncateSync(weights, 100);
    const result = await proxmo(['eval', dir]);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/weights\.safetensors/);
  });
});
