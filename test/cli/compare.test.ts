/** `proxmo compare`, and `train --seeds`, which ends with one. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { proxmo } from '../support/cli.ts';
import { tinyConfig, tinyFlags, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-compare-'));
const world = writeTinyWorld(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const session = { version: '1', adapter: {}, started: '2026-01-01T00:00:00.000Z' };

/** The folder of a run with success rates of its evaluations, by iteration, and of its iterations. */
function runOf(
  name: string,
  settings: object,
  evaluations: Record<number, number>,
  training: number[],
  manifest: object = {},
): string {
  const dir = join(folder, name);
  const config = { ...tinyConfig(world), ...settings };
  const evals = Object.entries(evaluations).map(([iteration, success]) => {
    const interval = { low: success - 0.1, high: success + 0.1 };
    return { kind: 'eval', iteration: Number(iteration), success, ...interval };
  });
  const trains = training.map((success, index) => ({ kind: 'train', iteration: index + 1, success, episodes: 4 }));
  const records = [...evals, ...trains].sort((a, b) => a.iteration - b.iteration);
  writeFolder(dir, {
    'run.json': JSON.stringify({
      format: 'proxmo-run',
      formatVersion: 1,
      seed: 1,
      ...session,
      ...manifest,
      resumes: [],
    }),
    'config.yaml': stringify(config),
    'metrics.jsonl': records.map((record) => `${JSON.stringify(record)}\n`).join(''),
  });
  return dir;
}

function writeFolder(dir: string, files: Record<string, string>): void {
  mkdirSync(dir);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
}

const training = tinyConfig(world).training;
const slow = { training: { ...training, learningRate: 0.001 } };
const runs: string[] = [];
beforeAll(() => {
  runs.push(
    runOf('a1', { seed: 1 }, { 0: 0.2, 1: 0.9, 2: 0.7 }, [0.25, 0.75]),
    runOf('a2', { seed: 2 }, { 0: 0.1, 2: 0.5 }, [0.25, 0.25]),
    runOf('b1', { seed: 1, ...slow }, { 0: 0.2, 2: 0.4 }, [0, 0.5]),
    runOf('b2', { seed: 2, ...slow }, { 0: 0.1, 2: 0.3 }, [0, 0]),
    runOf('c', { seed: 1, logging: ['csv'] }, { 0: 0.2 }, [0.5]),
  );
});

describe('runs side by side', () => {
  it('are told one by one, with the interval of their tasks, and where they stand', async () => {
    const { code, stdout } = await proxmo(['compare', runs[0]!, runs[4]!]);
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        `A  ${runs[0]}`,
        `B  ${runs[4]} (not finished: iteration 1 of 2)`,
        '',
        'run  seeds                 before                  final                         best  training success',
        'A        1  20.0 % (10.0 to 30.0)  70.0 % (60.0 to 80.0)  90.0 % (80.0 to 100.0) at 1                ▃▇',
        'B        1  20.0 % (10.0 to 30.0)                      -                            -                 ▅',
        '',
        'setting   A        B',
        'logging  []  ["csv"]',
        '',
        'intervals at 95 %, of one run: over its held-out tasks (Wilson); the best of several evaluations flatters',
        '',
      ].join('\n'),
    );
  });

  it('are taken together where only their seeds differ, and compared over the seeds that they share', async () => {
    const { stdout } = await proxmo(['compare', ...runs.slice(0, 4)]);
    // Two seeds have a mean, and no interval of it.
    expect(stdout).toMatch(/^A {6}1 2 +15\.0 % +60\.0 % +70\.0 % /m);
    expect(stdout).toMatch(/^training\.learningRate +0\.01 +0\.001$/m);
    expect(stdout).toContain('B is 25.0 points below A over 2 seeds (95 %: ');
    expect(stdout).toContain(
      '\nintervals at 95 %, of fewer than 3 seeds: none; of a difference: over seeds (t); the best',
    );
    const { differences, groups } = JSON.parse((await proxmo(['compare', '--json', ...runs.slice(0, 4)])).stdout);
    expect(differences[0].mean).toBeCloseTo(-0.25);
    expect(groups.map(({ settings }: { settings: object }) => settings)).toEqual([
      { 'training.learningRate': 0.01 },
      { 'training.learningRate': 0.001 },
    ]);
    expect(groups[0].curve).toEqual([0.25, 0.5]);
  });

  it('count once, however their folders are spelled, and again only with another seed', async () => {
    const [first] = runs;
    const spelled = await proxmo(['compare', first!, `${first}/`, join(first!, '..', 'a1')]);
    expect(spelled.stdout.match(/^[AB] {2}\//gm)).toHaveLength(1);
    const twin = runOf('a1 again', { seed: 1 }, { 0: 0.2, 2: 0.1 }, [0.25, 0.75]);
    const { groups } = JSON.parse((await proxmo(['compare', '--json', first!, runs[1]!, twin])).stdout);
    const seeds = groups.map((group: { runs: { seed: number }[] }) => group.runs.map(({ seed }) => seed));
    expect(seeds).toEqual([[1, 2], [1]]);
  });

  it('of a module that was changed between them are not taken together, and it is told', async () => {
    const made = ['0123456789', 'abcdef0123'].map((sha256, index) =>
      runOf(`m${index}`, { seed: index }, { 2: 0.5 }, [0.5, 0.5], { modules: [{ path: '/w.mjs', sha256 }] }),
    );
    const { stdout } = await proxmo(['compare', ...made]);
    expect(stdout).toMatch(/^setting +A +B\ncontent of \/w\.mjs +"01234567" +"abcdef01"$/m);
  });

  it('must be runs', async () => {
    const { code, stderr } = await proxmo(['compare', folder]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/is not a run: it has no run\.json/) });
  });
});

describe('train --seeds', () => {
  it('trains a run for each seed, and compares them', async () => {
    const out = join(folder, 'seeds');
    const flags = ['--preset', 'none', '--trust', ...tinyFlags(world)];
    const { code, stdout } = await proxmo(['train', '--seeds', '3,5', '--out', out, ...flags]);
    expect(code).toBe(0);
    for (const seed of [3, 5]) {
      expect(existsSync(join(out, `seed-${seed}`, 'summary.json'))).toBe(true);
      expect(readFileSync(join(out, `seed-${seed}`, 'config.yaml'), 'utf8')).toContain(`seed: ${seed}\n`);
    }
    expect(stdout).toMatch(/\nrun +seeds +before +final +best +training success\nA +3 5 /);
    const again = await proxmo(['train', '--seeds', '3,7', '--out', out, ...flags]);
    expect(again.code).toBe(1);
    expect(existsSync(join(out, 'seed-7'))).toBe(false);
  });

  it('prints one JSON value with --json, and nothing else', async () => {
    const out = join(folder, 'json');
    const flags = ['--preset', 'none', '--trust', ...tinyFlags(world)];
    const { code, stdout } = await proxmo(['train', '--seeds', '3,5', '--out', out, '--json', ...flags]);
    expect(code).toBe(0);
    const { runs, groups } = JSON.parse(stdout);
    expect(runs.map(({ run, seed }: { run: string; seed: number }) => [run, seed])).toEqual([
      [join(out, 'seed-3'), 3],
      [join(out, 'seed-5'), 5],
    ]);
    expect(groups).toHaveLength(1);
  });

  it.each([
    [['--seeds', '1,1'], /It must be different seeds/],
    [['--seeds', '1,x'], /It must be a whole number/],
    [['--seeds', '1,2', '--seed', '1'], /--seeds trains new runs, so --seed cannot be given with it/],
    [['--seeds', '1,2', '--resume', 'x'], /--seeds trains new runs, so --resume cannot be given with it/],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await proxmo(['train', ...args]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});
