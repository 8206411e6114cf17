/**
 * Going on with a run: the same bits as one that never stopped, other settings refused by name, and nothing lost where
 * its folder is damaged.
 */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainConfig } from '../../src/rl/config.ts';
import { checkResumable, differences } from '../../src/rl/resumeSettings.ts';
import type { TrainEvent } from '../../src/rl/trainingRun.node.ts';
import { openRun } from '../../src/runs/run.ts';
import { playedIn, rowsPath } from '../support/recordedRows.ts';
import {
  essenceOf,
  filesIn,
  onEpisode,
  type TinySettings,
  tinyConfig,
  trainTiny,
  writeTinyWorld,
} from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-run-resume-'));
const world = writeTinyWorld(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
const newDir = () => join(folder, `run ${count++}`);
const settings = (iterations: number, more: TinySettings = {}): TinySettings => ({
  warmStart: { tasks: 4 },
  training: { iterations },
  evaluation: { every: 2 },
  checkpoints: { every: 1, keep: 9 },
  ...more,
});
const config = (iterations: number, more: TinySettings = {}) => tinyConfig(world, settings(iterations, more));
const whole = join(folder, 'whole');
const short = join(folder, 'short');
beforeAll(async () => {
  await trainTiny(whole, config(4));
  await trainTiny(short, config(2));
});
/** A copy of the run of two iterations, or of four. */
function copyOf(run: string): string {
  const dir = newDir();
  cpSync(run, dir, { recursive: true });
  return dir;
}
const resume = (dir: string, changed: TrainConfig, onEvent?: (event: TrainEvent) => unknown) =>
  trainTiny(dir, changed, { resume: true, ...(onEvent ? { onEvent } : {}) });

describe('a finished run', () => {
  it('goes on as if it had always been meant to be longer', async () => {
    const dir = copyOf(short);
    const before = JSON.parse(readFileSync(join(dir, 'summary.json'), 'utf8'));
    const summary = await resume(dir, config(4));
    const [went, want] = [await essenceOf(dir), await essenceOf(whole)];
    expect(went).toEqual(want);
    expect(summary.before).toEqual(before.before);
    expect(summary.after).toEqual(JSON.parse(readFileSync(join(whole, 'summary.json'), 'utf8')).after);
    expect(JSON.parse(readFileSync(join(dir, 'aside', '001', 'summary.json'), 'utf8'))).toEqual(before);
    const { config: kept, manifest } = await openRun(dir);
    expect(kept).toMatchObject({ training: { iterations: 4 } });
    expect(manifest.resumes).toMatchObject([{ iteration: 2, changes: { 'training.iterations': 2 } }]);
  });

  it('is told where a schedule makes its length matter', async () => {
    const dir = newDir();
    const falling = (iterations: number) => config(iterations, { training: { iterations, schedule: 'linear' } });
    await trainTiny(dir, falling(1));
    const warnings: string[] = [];
    await resume(dir, falling(2), (event) => event.kind === 'warning' && warnings.push(event.text));
    expect(warnings).toEqual([expect.stringMatching(/^The learning rate follows the number of iterations/)]);
  });

  it('is left as it is where nothing is to be done, and gives its summary', async () => {
    const dir = copyOf(short);
    const before = filesIn(dir);
    const events: TrainEvent[] = [];
    const summary = await resume(dir, config(2), (event) => events.push(event));
    expect(summary).toEqual(JSON.parse(before['summary.json']!));
    expect(events).toEqual([{ kind: 'finished', iterations: 2 }]);
    expect(filesIn(dir)).toEqual(before);
  });
});

describe('settings', () => {
  const base = config(2);
  const changed = (group: keyof TrainConfig, change: object | number) =>
    typeof change === 'number'
      ? { ...base, [group]: change }
      : { ...base, [group]: { ...(base[group] as object), ...change } };

  it.each<[string, TrainConfig, RegExp]>([
    ['the seed', changed('seed', 2), /other settings than it began with: seed was 1 and is 2; set them back/],
    [
      'held-out tasks',
      changed('evaluation', { seed: 5, tasks: 3 }),
      /evaluation\.tasks was 4 and is 3, evaluation\.seed/,
    ],
    ['the objective', changed('loss', { klCoefficient: 0 }), /loss\.klCoefficient was 0\.01 and is 0/],
    ['the warm start', changed('warmStart', { learningRate: 1 }), /warmStart\.learningRate/],
    [
      'variants',
      changed('engine', { tune: true, variants: 'a' }),
      /engine\.tune was false and is true, engine\.variants was not/,
    ],
    [
      'fewer iterations than are done',
      changed('training', { iterations: 1 }),
      /iterations is 1, but .* has done 2; set/,
    ],
  ])('%s are refused by name, and the folder is left as it is', async (_, wrong, message) => {
    const dir = copyOf(short);
    const before = filesIn(dir);
    await expect(resume(dir, wrong)).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(message) });
    expect(filesIn(dir)).toEqual(before);
  });

  it('an edited file is compared with what the checkpoint was made with', async () => {
    const dir = copyOf(short);
    const path = join(dir, 'config.yaml');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/^seed: 1$/m, 'seed: 7'));
    await expect(resume(dir, { ...base, seed: 7 })).rejects.toThrow('seed was 1 and is 7');
  });

  it('that may change are taken, and kept', async () => {
    const dir = copyOf(short);
    const other = config(3, { training: { iterations: 3, learningRate: 5e-3 }, checkpoints: { every: 1, keep: 2 } });
    await resume(dir, other);
    expect((await openRun(dir)).config).toMatchObject({ training: { learningRate: 5e-3 }, checkpoints: { keep: 2 } });
    expect(await (await openRun(dir)).checkpoints()).toEqual([2, 3]);
    // From here on they are what the run is compared with.
    expect(checkResumable(other, other, 3, dir)).toEqual([]);
    await resume(dir, { ...other, training: { ...other.training, iterations: 4 } });
    expect((await essenceOf(dir)).tensors).not.toEqual((await essenceOf(whole)).tensors);
  });

  it('differ by their keys, lists as one', () => {
    expect(differences({ a: { b: 1, c: [1, 2] }, d: null }, { a: { b: 1, c: [1] }, e: 0 })).toEqual([
      { keys: ['a', 'c'], before: [1, 2], now: [1] },
      { keys: ['d'], before: null, now: undefined },
      { keys: ['e'], before: undefined, now: 0 },
    ]);
  });

  it('of an earlier version, which kept none with its checkpoints, are not guessed', async () => {
    const dir = copyOf(short);
    const path = join(dir, 'checkpoints', '000002', 'state.json');
    const { context: _, ...state } = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify(state));
    await expect(resume(dir, config(4))).rejects.toThrow(
      'cannot go on: its checkpoint does not say by which settings it was made; use the version',
    );
    const context = { settings: { seed: 1, sed: 2 }, records: 2 };
    writeFileSync(path, JSON.stringify({ ...state, context }));
    await expect(resume(dir, config(4))).rejects.toThrow(
      /does not know the settings of its checkpoint \(`sed` is not a known key/,
    );
  });
});

it('another adapter than before is told', async () => {
  const dir = copyOf(short);
  const path = join(dir, 'run.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"driver": ".*"/, '"driver": "older"'));
  const warnings: string[] = [];
  await resume(dir, config(3), (event) => event.kind === 'warning' && warnings.push(event.text));
  expect(warnings).toEqual([expect.stringMatching(/^It ran on .* \(older\) before, so its last bits may be others/)]);
});

it('a module that was changed meanwhile is told, by its content', async () => {
  const dir = copyOf(short);
  const path = join(dir, 'run.json');
  const manifest = readFileSync(path, 'utf8');
  expect(JSON.parse(manifest).modules).toEqual([{ path: world, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
  writeFileSync(path, manifest.replace(/"sha256": "[0-9a-f]+"/, '"sha256": "0123abcd"'));
  const warnings: string[] = [];
  const watch = (event: TrainEvent) => event.kind === 'warning' && warnings.push(event.text);
  await resume(dir, config(3), watch);
  expect(warnings).toEqual([
    `${world} was changed since the run last went on, so what follows may not be compared with what came before.`,
  ]);
  // From here it is the file as it is now.
  await resume(dir, config(4), watch);
  expect(warnings).toHaveLength(1);
});

it('tasks that are others than when the run began are refused', async () => {
  const dir = copyOf(short);
  const before = filesIn(dir);
  const text = readFileSync(world, 'utf8');
  const elsewhere = join(folder, 'elsewhere.mjs');
  writeFileSync(elsewhere, text.replace("...'ABC", "...'0123456789"));
  const path = join(dir, 'checkpoints', '000002', 'state.json');
  // The same name on another machine, say, with other data behind it.
  const moved = (file: string) => writeFileSync(file, readFileSync(file, 'utf8').replaceAll(world, elsewhere));
  moved(path);
  moved(join(dir, 'config.yaml'));
  const { environment, ...rest } = config(4);
  const changed = { ...rest, environment: { ...environment, name: elsewhere } };
  await expect(trainTiny(dir, changed, { resume: true, agree: async () => true })).rejects.toMatchObject({
    code: 'environment',
    message: expect.stringMatching(/gives other held-out tasks than when the run began/),
  });
  expect(Object.keys(filesIn(dir))).toEqual(Object.keys(before));
});

describe('a damaged folder', () => {
  const latest = (dir: string) => join(dir, 'checkpoints', 'latest');
  it.each<[string, (dir: string) => void, number, RegExp]>([
    ['latest missing', (dir) => rmSync(latest(dir)), 4, /latest is missing/],
    ['latest empty', (dir) => writeFileSync(latest(dir), ''), 4, /names ""/],
    ['the last removed', (dir) => rmSync(join(dir, 'checkpoints', '000004'), { recursive: true }), 3, /names "000004"/],
    [
      'the last two cut',
      (dir) => {
        truncateSync(join(dir, 'checkpoints', '000004', 'weights.safetensors'), 100);
        truncateSync(join(dir, 'checkpoints', '000003', 'state.json'), 100);
      },
      2,
      /000004.weights\.safetensors does not match/,
    ],
    ['the metrics cut', (dir) => truncateSync(join(dir, 'metrics.jsonl'), 300), 4, /metrics\.jsonl lacks records/],
  ])('with %s goes on from the newest whole checkpoint, says so, and loses nothing', async (_, damage, from, said) => {
    const dir = copyOf(whole);
    damage(dir);
    const events: TrainEvent[] = [];
    const rollout = playedIn(rowsPath(dir, 4));
    await resume(dir, config(4), (event) => events.push(event));
    const { tensors, iteration } = await essenceOf(dir);
    expect({ tensors, iteration }).toEqual({ tensors: (await essenceOf(whole)).tensors, iteration: 4 });
    expect(events.find(({ kind }) => kind === 'begin')).toEqual({ kind: 'begin', from, warmStartStep: null });
    expect(events).toContainEqual({ kind: 'warning', text: expect.stringMatching(said) });
    expect(readFileSync(join(dir, 'run.log'), 'utf8')).toMatch(said);
    const aside = join(dir, 'aside', '001');
    expect(existsSync(join(aside, 'summary.json'))).toBe(true);
    if (from < 4) expect(playedIn(rowsPath(aside, 4))).toEqual(rollout);
    // What was played again is what was played.
    expect(playedIn(rowsPath(dir, 4))).toEqual(rollout);
  });

  it.each<[string, (dir: string) => void, RegExp]>([
    ['no checkpoints', (dir) => rmSync(join(dir, 'checkpoints'), { recursive: true }), /no whole checkpoint to go on/],
    [
      'no state',
      (dir) => {
        for (const name of readdirSync(join(dir, 'checkpoints')).filter((each) => each !== 'latest'))
          rmSync(join(dir, 'checkpoints', name, 'state.json'));
      },
      /no whole checkpoint to go on from \(.*state\.json is missing.*\); restore its checkpoints/,
    ],
    [
      'a configuration cut',
      (dir) => {
        const path = join(dir, 'config.yaml');
        truncateSync(path, readFileSync(path, 'utf8').indexOf('environment:') + 5);
      },
      /config\.yaml/,
    ],
  ])('with %s is refused, and left as it is', async (_, damage, message) => {
    const dir = copyOf(whole);
    damage(dir);
    const before = filesIn(dir);
    await expect(resume(dir, config(4))).rejects.toThrow(message);
    expect(filesIn(dir)).toEqual(before);
  });

  it('with an older checkpoint does what was done once more, to the same metrics', async () => {
    const dir = copyOf(whole);
    for (const name of ['000003', '000004']) rmSync(join(dir, 'checkpoints', name), { recursive: true });
    onEpisode(undefined);
    await resume(dir, config(4));
    expect(await essenceOf(dir)).toEqual(await essenceOf(whole));
  });
});
