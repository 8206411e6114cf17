/** `proxmo study`: what is refused before anything runs, and runs that go on wherever they were left. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkStudy } from '../../src/cli/study/checks.ts';
import { loadStudy } from '../../src/cli/study/file.ts';
import { openRun } from '../../src/runs/run.ts';
import { proxmo } from '../support/cli.ts';
import { needsData, sharedData } from '../support/sharedData.ts';
import { essenceOf, filesIn } from '../support/tinyRun.ts';
import { type TinyStudy, writeTinyStudy } from '../support/tinyStudy.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-study-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
/** Writes a study with a folder of its own. */
function studyIn(study: TinyStudy = {}): { file: string; out: string; args: string[] } {
  const home = join(folder, String(count++));
  mkdirSync(home);
  const file = writeTinyStudy(home, study);
  const out = join(home, 'runs');
  return { file, out, args: ['study', file, '--trust', '--out', out] };
}

describe('mistakes are told before anything runs', () => {
  const armOf = (settings: string) => ({ arms: `  proxmo:\n  other: ${settings}\n` });
  it.each<[string, TinyStudy, RegExp]>([
    [
      'an unknown setting of one arm, with its arm and line',
      armOf('{ advantages: { pcs: false } }'),
      /Arm other: `advantages\.pcs` \(.*study\.yaml line \d+\) is not a known key; did you mean `advantages\.psc`\?/,
    ],
    [
      'an unknown setting of all arms, once',
      { settings: '  training.iteration: 4' },
      /^Every arm: `training\.iteration` .*is not a known key[^\n]*$/,
    ],
    [
      'a setting that does nothing beside those of its arm',
      { settings: '  advantages: { temperature: 0.2 }', ...armOf('{ advantages: { psa: false } }') },
      /Arm other: `advantages\.temperature` .*does nothing where psa is false/,
    ],
    [
      "a key of another estimator beside one of one's own",
      armOf('{ advantages: { estimator: own, name: ./mine.mjs, sigmaFloor: 0.1 } }'),
      /^Arm other: `advantages\.sigmaFloor` \(.*line \d+\) is a key of estimator proxmo, gigpo, grpo or reinforce\+\+, not of own; known here: estimator, name, options, invalidPenalty, returnUnit\.$/,
    ],
    [
      'a key of one estimator beside another',
      armOf('{ advantages: { estimator: gigpo, temperature: 0.1 } }'),
      /is a key of estimator proxmo, not of gigpo; known here: estimator, preset, .*, gamma, omega, similarity\.$/,
    ],
    [
      "a key of one's own estimator beside another",
      armOf('{ advantages: { options: { quantile: 0.25 } } }'),
      /^Arm other: `advantages\.options` \(.*line \d+\) is a key of estimator own, not of proxmo\.$/,
    ],
    [
      'arms that come to the same',
      armOf('{ advantages: { temperature: 0.1, range: 0.05 } }'),
      /the arms proxmo and other come to the same settings/,
    ],
    [
      'weights that are behind where no workers play',
      armOf('{ fleet: { staleness: 1 } }'),
      /Arm other: fleet\.staleness is 1, but the run has no workers/,
    ],
    ['arms of one name', { arms: '  a:\n  a: { loss: { clipLow: 0.1 } }\n' }, /line \d+ is not valid YAML \(Map keys/],
    ['arms whose folders are one', { arms: '  a:\n  A: { loss: { clipLow: 0.1 } }\n' }, /arms a and A would share/],
    ['an arm that is no folder', { arms: '  ../a:\n' }, /`arms\.\.\.\/a` \(.*\) is no name of an arm/],
    ['a seed twice', { seeds: '[1, 2, 1]' }, /the seed 1 comes twice/],
    ['a seed among settings', armOf('{ seed: 3 }'), /Arm other: `seed` \(.*line \d+\) is no setting of a study/],
    ['no arm', { arms: '  {}\n' }, /has no arm/],
    ['a reference that is no arm', { reference: 'prxmo' }, /There is no arm prxmo \(did you mean proxmo\?\)/],
    ['a preset that is none', { preset: 'smal' }, /There is no preset smal/],
    ['an environment that is not there', armOf('{ environment: { name: gone } }'), /Arm other: There is no env/],
    [
      'an estimator that is not there',
      armOf('{ advantages: { estimator: own, name: ./gone.mjs } }'),
      /Arm other: .*gone\.mjs/,
    ],
    [
      'missing solutions',
      armOf('{ warmStart: { tasks: 4, teacher: solution } }'),
      /Arm other: The environment tiny has no recorded solutions/,
    ],
    ['too few tasks', armOf('{ training: { tasks: 4000 } }'), /Arm other: The train split of tiny has \d+ tasks/],
  ])('%s', async (_, study, message) => {
    const { file, out } = studyIn(study);
    const check = async () => checkStudy(await loadStudy(file, out), async () => true);
    await expect(check()).rejects.toThrow(message);
  });

  it('on the command line, where nothing is made', async () => {
    const { args, out } = studyIn(armOf('{ advantages: { pcs: false } }'));
    for (const more of [[], ['--dry-run'], ['--report', join(out, 'report')]]) {
      const { code, stdout, stderr } = await proxmo([...args, ...more]);
      expect(stderr).toMatch(/^proxmo: Arm other: `advantages\.pcs` [^\n]*\n$/);
      expect([code, stdout, existsSync(out)]).toEqual([1, '', false]);
    }
  });

  it('a module that this user did not agree to', async () => {
    const { file, out } = studyIn();
    const check = async () => checkStudy(await loadStudy(file, out), async () => false);
    await expect(check()).rejects.toThrow(/study\.yaml would load the module .*to which you did not agree/);
  });
});

describe('a study', () => {
  const { args, out, file } = studyIn({ iterations: 4, demonstrations: 4 });
  let first: Awaited<ReturnType<typeof proxmo>>;
  beforeAll(async () => {
    first = await proxmo([...args, '--jobs', '2', '--json']);
    expect(first.stderr).toContain('4 of 4 runs done');
    expect(first.code).toBe(0);
  });

  it('leaves a run folder for each arm and seed, and prints a line for each', () => {
    const { runs } = JSON.parse(first.stdout);
    expect(runs.map(({ arm, seed, state }: Record<string, unknown>) => [arm, seed, state])).toEqual([
      ['proxmo', 1, 'done'],
      ['grpo', 1, 'done'],
      ['proxmo', 2, 'done'],
      ['grpo', 2, 'done'],
    ]);
    expect(first.stderr.trim().split('\n')).toHaveLength(4);
    const config = readFileSync(join(out, 'grpo', 'seed-2', 'config.yaml'), 'utf8');
    expect(config).toMatch(/^seed: 2$/m);
    expect(config).toMatch(/estimator: grpo/);
  });

  it('comes to the bits of proxmo train with the same settings, though arms share the warm start of a seed', async () => {
    const alone = join(folder, 'alone');
    const arm = join(out, 'grpo', 'config.yaml');
    await proxmo(['train', arm, '--preset', 'none', '--trust', '--seed', '2', '--out', alone]);
    expect(await essenceOf(join(out, 'grpo', 'seed-2'))).toEqual(await essenceOf(alone));
    const logs = ['proxmo', 'grpo'].map((name) => readFileSync(join(out, name, 'seed-2', 'run.log'), 'utf8'));
    expect(logs.map((log) => log.includes('begun with a warm start of the same settings'))).toEqual([false, true]);
  });

  it('does nothing where all is done', async () => {
    const before = filesIn(out);
    const { code, stdout, stderr } = await proxmo(args);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^proxmo +2 of 2 .*\ngrpo +2 of 2 /m);
    expect(code).toBe(0);
    expect(filesIn(out)).toEqual(before);
  });

  it('refuses runs of other settings than its file has, and leaves them as they are', async () => {
    const before = filesIn(out);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('learningRate: 0.01', 'learningRate: 0.02'));
    const { code, stderr } = await proxmo(args);
    writeFileSync(file, text);
    expect(stderr).toMatch(
      /were made with other settings than .*\n {2}proxmo seed 1, grpo seed 1, proxmo seed 2, grpo seed 2: training\.learningRate was 0\.01 and is 0\.02\nSet them back/,
    );
    expect(code).toBe(1);
    expect(filesIn(out)).toEqual(before);
  });

  it('takes up what is added to its file', async () => {
    writeFileSync(file, readFileSync(file, 'utf8').replace('seeds: [1, 2]', 'seeds: [1, 2, 3]'));
    const { code, stderr } = await proxmo(args);
    expect(stderr).toMatch(/proxmo seed 3: .*5 of 6 runs done, 1 to come.*\ngrpo seed 3: .*6 of 6 runs done\n$/);
    expect(code).toBe(0);
  });
});

/** Runs a study until a run has reached some iterations, and does something to the process. */
async function disturb(args: string[], run: string, act: (child: ChildProcess) => void) {
  return proxmo(args, {
    onStart: (child) => {
      const look = setInterval(() => {
        const rollouts = join(run, 'rollouts');
        if (!existsSync(rollouts) || readdirSync(rollouts).length < 3) return;
        clearInterval(look);
        act(child);
      }, 20);
      child.once('exit', () => clearInterval(look));
    },
  });
}

/** The process that holds the lock of a run. */
const ownerOf = (run: string): number => JSON.parse(readFileSync(join(run, 'run.lock'), 'utf8')).pid;

describe('a study that ends early goes on where it was', () => {
  const whole = studyIn({ iterations: 30, seeds: '[1]' });
  let wanted: Awaited<ReturnType<typeof essenceOf>>;
  beforeAll(async () => {
    await proxmo(whole.args);
    wanted = await essenceOf(join(whole.out, 'proxmo', 'seed-1'));
  });

  async function goesOn({ args, out }: ReturnType<typeof studyIn>) {
    const { code, stderr } = await proxmo(args);
    expect(stderr).toContain('2 of 2 runs done');
    expect(code).toBe(0);
    expect(await essenceOf(join(out, 'proxmo', 'seed-1'))).toEqual(wanted);
    const resumes = (dir: string) => JSON.parse(readFileSync(join(out, dir, 'run.json'), 'utf8')).resumes.length;
    return { stderr, resumes: resumes('proxmo/seed-1') };
  }

  it.each(['SIGINT', 'SIGTERM'] as const)('after %s, with a checkpoint', async (signal) => {
    const study = studyIn({ iterations: 30, seeds: '[1]' });
    const run = join(study.out, 'proxmo', 'seed-1');
    const { code, stderr } = await disturb(study.args, run, (child) => child.kill(signal));
    expect(stderr).toMatch(/stopping after this step.*\nproxmo seed 1 is stopped\n/);
    expect(stderr).toContain(`proxmo: Stopped. 0 of 2 runs are done; go on with: proxmo ${study.args.join(' ')}\n`);
    expect(code).toBe(130);
    expect(existsSync(join(run, 'run.lock'))).toBe(false);
    expect(existsSync(join(study.out, 'study.lock'))).toBe(false);
    expect(readFileSync(join(run, 'run.log'), 'utf8')).toMatch(/stopped: Iteration \d+ of 30 is saved/);
    expect((await goesOn(study)).resumes).toBe(1);
  });

  it('after it was killed: its run stops by itself', async () => {
    const study = studyIn({ iterations: 30, seeds: '[1]' });
    const run = join(study.out, 'proxmo', 'seed-1');
    await disturb(study.args, run, (child) => child.kill('SIGKILL'));
    expect((await goesOn(study)).resumes).toBe(1);
    expect(readFileSync(join(run, 'run.log'), 'utf8')).toMatch(/stopped: Iteration \d+ of 30 is saved/);
  });

  it('after a run was killed, which does not end the others', async () => {
    const study = studyIn({ iterations: 30, seeds: '[1]' });
    const run = join(study.out, 'proxmo', 'seed-1');
    const { code, stderr } = await disturb(study.args, run, () => process.kill(ownerOf(run), 'SIGKILL'));
    expect(stderr).toMatch(/proxmo seed 1 failed: its process was ended by SIGKILL/);
    expect(stderr).toMatch(/grpo seed 1: .*1 of 2 runs done, 1 failed/);
    expect(stderr).toMatch(
      /proxmo: 1 of 2 runs failed; [^\n]*\n {2}proxmo seed 1: its process was ended by SIGKILL\n$/,
    );
    expect(code).toBe(1);
    expect((await goesOn(study)).resumes).toBe(1);
  });

  it('after a run was killed while it made its folder', async () => {
    const study = studyIn({ iterations: 30, seeds: '[1]' });
    const run = join(study.out, 'proxmo', 'seed-1');
    mkdirSync(run, { recursive: true });
    writeFileSync(join(run, 'metrics.jsonl'), '');
    writeFileSync(join(run, '.run.json.12-34.tmp'), '{');
    expect((await goesOn(study)).resumes).toBe(0);
    expect(readdirSync(run)).not.toContain('.run.json.12-34.tmp');
  });
});

it('a run that fails is told with its reason, and tried again', async () => {
  const study = studyIn({
    iterations: 2,
    seeds: '[1]',
    arms: '  good:\n  bad: { environment: { options: { fails: true } } }\n',
  });
  for (const time of [1, 2]) {
    const { code, stderr } = await proxmo(study.args);
    expect(stderr, String(time)).toMatch(/bad seed 1 failed: .*this door is stuck/);
    expect(stderr).toContain(
      `proxmo: 1 of 2 runs failed; their output is beside their folders in ${study.out}. Try them again with: proxmo ${study.args.join(' ')}\n`,
    );
    expect(code).toBe(1);
  }
});

it('without an expert its runs have no warm start, which is said once', async () => {
  const mute = '{ environment: { options: { expert: false } }';
  const arms = `  proxmo: ${mute} }\n  grpo: ${mute}, advantages: { estimator: grpo } }\n`;
  const study = studyIn({ iterations: 1, demonstrations: 4, arms, seeds: '[1]' });
  const { code, stderr } = await proxmo(study.args);
  expect(stderr.match(/tiny has no expert to learn from, so there is no warm start/g)).toHaveLength(1);
  expect(stderr).toContain('2 of 2 runs done');
  expect(code).toBe(0);
  for (const arm of ['proxmo', 'grpo']) expect(existsSync(join(study.out, arm, 'seed-1', 'summary.json'))).toBe(true);
});

it('an arm may have an estimator, a policy loss and a task sampler of its own', async () => {
  const modules = {
    estimator: 'export default () => ({ estimate: (batch, { score }) => ({ advantage: Float64Array.from(score) }) });',
    loss: `export default (options, { ops }) => ({ logProb, advantage, weight }) =>
      ops.negate(ops.dot(ops.multiply(logProb, advantage), weight));`,
    sampler: 'export default (options, { pool, count }) => ({ choose: () => pool.slice(0, count) });',
  };
  const pathOf = (name: string) => join(folder, `own ${name}.mjs`);
  for (const [name, text] of Object.entries(modules)) writeFileSync(pathOf(name), text);
  const named = (name: keyof typeof modules) => `name: ${JSON.stringify(pathOf(name))}`;
  const mine = `{ advantages: { estimator: own, ${named('estimator')} }, loss: { policy: { ${named('loss')} } }, training: { taskSampler: { ${named('sampler')} } } }`;
  const { args, out } = studyIn({ arms: `  proxmo:\n  mine: ${mine}\n`, seeds: '[1]', iterations: 1 });
  const { code, stdout } = await proxmo(args);
  expect(stdout).toMatch(/^proxmo +1 of 1 .*\nmine +1 of 1 /m);
  expect(code).toBe(0);
  const [row] = (await (await openRun(join(out, 'mine', 'seed-1'))).readMetrics()).filter(
    ({ kind }) => kind === 'train',
  );
  expect(row).toMatchObject({ iteration: 1, episodes: 4 });
});

it.each([
  ['advantages: { estimator: own, NAMED }'],
  ['loss: { policy: { NAMED } }'],
  ['training: { taskSampler: { NAMED } }'],
])('options that a module of its own refuses are told before anything runs: %s', async (settings) => {
  const path = join(folder, 'strict.mjs');
  writeFileSync(
    path,
    `export default ({ quantile }, { ProxmoError }) => {
      if (quantile > 1) throw new ProxmoError('config', 'quantile must be at most 1.');
    };`,
  );
  const named = `name: ${JSON.stringify(path)}, options: { quantile: 2 }`;
  const { args, out } = studyIn({ arms: `  proxmo:\n  mine: { ${settings.replace('NAMED', named)} }\n` });
  const { code, stderr } = await proxmo(args);
  expect(stderr).toBe('proxmo: Arm mine: quantile must be at most 1.\n');
  expect([code, existsSync(out)]).toEqual([1, false]);
});

it('what is no run is not touched', async () => {
  const study = studyIn();
  const dir = join(study.out, 'proxmo', 'seed-1');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'notes.txt'), 'mine');
  const { code, stderr } = await proxmo(study.args);
  expect(stderr).toMatch(/seed-1 is not empty, and no run; move away what is there/);
  expect(code).toBe(1);
  expect(readFileSync(join(dir, 'notes.txt'), 'utf8')).toBe('mine');
});

const studies = join(import.meta.dirname, '..', '..', 'studies');
describe('studies', () => {
  const games = sharedData('alfworld-games/');
  beforeAll(() => void vi.stubEnv('ALFWORLD_DATA', games));
  afterAll(() => void vi.unstubAllEnvs());

  for (const name of readdirSync(studies)) {
    const needsGames = name.startsWith('alfworld');
    it(`${name} can run`, needsData(...(needsGames ? [games] : [])), async () => {
      const study = await loadStudy(join(studies, name), join(folder, 'never'));
      await checkStudy(study, async () => false);
      expect(study.runs).toHaveLength(study.arms.length * study.seeds.length);
    });
  }
});
