/** What ends a run before its time leaves a checkpoint of the last whole iteration, and says what was saved. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ProxmoError } from '../../src/base/errors.ts';
import { type LiveProgress, liveProgressSchema } from '../../src/rl/liveProgress.ts';
import { Optimiser } from '../../src/rl/optimise.ts';
import type { TrainEvent } from '../../src/rl/trainingRun.node.ts';
import { openRun, RunWriter } from '../../src/runs/run.ts';
import {
  essenceOf,
  onEpisode,
  type TinySettings,
  tinyConfig,
  tinyEngine,
  trainTiny,
  writeTinyWorld,
} from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-run-stops-'));
const world = writeTinyWorld(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  onEpisode(undefined);
  vi.restoreAllMocks();
});

let count = 0;
const newDir = () => join(folder, `run ${count++}`);
const latestOf = async (dir: string) => (await openRun(dir)).latestCheckpoint();
const logOf = (dir: string) => readFileSync(join(dir, 'run.log'), 'utf8');

const settings: TinySettings = { training: { iterations: 3 }, evaluation: { every: 2 }, checkpoints: { keep: 9 } };
const config = tinyConfig(world, settings);

describe('an interruption', () => {
  const whole = join(folder, 'whole');
  beforeAll(() => trainTiny(whole, config));

  const during = (phase: string, iteration: number) => (event: TrainEvent) =>
    event.kind === 'progress' && event.progress.phase === phase && event.iteration === iteration;
  /** The moment before whatever follows an iteration. */
  const atEndOf = (iteration: number) => (event: TrainEvent) =>
    event.kind === 'iteration' && event.metrics.iteration + 1 === iteration;
  it.each<[string, (event: TrainEvent) => boolean, number, RegExp]>([
    ['the first evaluation', during('evaluation', 0), 0, /^Stopped\. What .* before the first .* is saved; go on with/],
    ['the first rollout', during('rollout', 0), 0, /before the first iteration .* is saved/],
    ['an evaluation on the way', atEndOf(2), 2, /^Stopped\. Iteration 2 of 3 is saved; go on with/],
    ['an update', during('update', 1), 2, /Iteration 2 of 3 is saved/],
    ['the last update', during('update', 2), 3, /Iteration 3 of 3 is saved/],
    ['the last evaluation', atEndOf(3), 3, /Iteration 3 of 3 is saved/],
  ])('of %s loses nothing, and the run goes on with the same bits', async (_, isMoment, saved, message) => {
    const dir = newDir();
    const abort = new AbortController();
    const onEvent = (event: TrainEvent) => isMoment(event) && abort.abort();
    const error = await trainTiny(dir, config, { signal: abort.signal, onEvent }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'interrupted', message: expect.stringMatching(message) });
    expect((error as Error).message).toContain(`proxmo train --resume ${dir}`);
    expect(await latestOf(dir)).toBe(saved);
    expect(logOf(dir)).toContain('stopped: ');
    await trainTiny(dir, config, { resume: true });
    expect(await essenceOf(dir)).toEqual(await essenceOf(whole));
  });

  it('says what it does at the moment, and no more when it has ended', async () => {
    const dir = newDir();
    const path = join(dir, 'progress.json');
    const seen: LiveProgress[] = [];
    const onEvent = ({ kind }: TrainEvent) => {
      if (kind === 'progress' && existsSync(path))
        seen.push(liveProgressSchema.parse(JSON.parse(readFileSync(path, 'utf8'))));
    };
    await trainTiny(dir, config, { onEvent });
    expect(seen[0]).toMatchObject({ iteration: 0, done: 0, phase: 'evaluation' });
    expect(existsSync(path)).toBe(false);
  });

  const warmConfig = tinyConfig(world, { ...settings, warmStart: { tasks: 8, epochs: 3, batchTurns: 3 } });

  it('of the demonstrations ends the run after the first step of the warm start, which is kept', async () => {
    const dir = newDir();
    const abort = new AbortController();
    const onEvent = (event: TrainEvent) => during('demonstrations', 0)(event) && abort.abort();
    await expect(trainTiny(dir, warmConfig, { signal: abort.signal, onEvent })).rejects.toThrow(
      `Stopped. The warm start is saved after its step 1; go on with: proxmo train --resume ${dir}`,
    );
    expect(await latestOf(dir)).toBeNull();
  });

  it('of the warm start keeps the steps that were taken, and the run goes on with the same bits', async () => {
    const uninterrupted = newDir();
    await trainTiny(uninterrupted, warmConfig);
    const dir = newDir();
    for (const [stop, step] of [
      [3, 4],
      [6, 7],
    ] as const) {
      const abort = new AbortController();
      let steps = stop === 3 ? 0 : 4;
      const onEvent = (event: TrainEvent) => {
        const isStep = during('warm start', 0)(event) && event.kind === 'progress' && event.progress.done > 0;
        if (isStep && ++steps === stop) abort.abort();
      };
      const stopped = trainTiny(dir, warmConfig, { signal: abort.signal, onEvent, resume: stop > 3 });
      await expect(stopped).rejects.toThrow(`The warm start is saved after its step ${step}; go on with`);
    }
    const other = { ...warmConfig, warmStart: { ...warmConfig.warmStart, learningRate: 1 } };
    await expect(trainTiny(dir, other, { resume: true })).rejects.toThrow('warmStart.learningRate was');
    const begun: TrainEvent[] = [];
    const { wallSeconds, warmStartSeconds } = await trainTiny(dir, warmConfig, {
      resume: true,
      onEvent: (event) => event.kind === 'begin' && begun.push(event),
    });
    expect(begun).toEqual([{ kind: 'begin', from: null, warmStartStep: 7 }]);
    expect(warmStartSeconds).toBeGreaterThan(0);
    expect(warmStartSeconds).toBeLessThan(wallSeconds);
    expect(logOf(dir)).toContain('taken up within its warm start (step 7 is saved) by proxmo 1 on');
    expect(await essenceOf(dir)).toEqual(await essenceOf(uninterrupted));
    expect(existsSync(join(dir, 'warm-start'))).toBe(false);
  });

  it('of a warm start whose saved state is damaged begins it again, and says so', async () => {
    const dir = newDir();
    const abort = new AbortController();
    const onEvent = (event: TrainEvent) => during('warm start', 0)(event) && abort.abort();
    await expect(trainTiny(dir, warmConfig, { signal: abort.signal, onEvent })).rejects.toThrow(
      'The warm start is saved',
    );
    const [step] = readdirSync(join(dir, 'warm-start')).filter((name) => name !== 'latest');
    truncateSync(join(dir, 'warm-start', step!, 'weights.safetensors'), 100);
    const warnings: string[] = [];
    await trainTiny(dir, warmConfig, {
      resume: true,
      onEvent: (event) => event.kind === 'warning' && warnings.push(event.text),
    });
    expect(warnings).toEqual([expect.stringMatching(/warm-start.*weights\.safetensors does not match the hash/)]);
    expect(await latestOf(dir)).toBe(3);
  });

  it('whose checkpoint finds no room says what is lost', async () => {
    const dir = newDir();
    const abort = new AbortController();
    const onEvent = ({ kind }: TrainEvent) => {
      if (kind !== 'iteration') return;
      vi.spyOn(RunWriter.prototype, 'saveCheckpoint').mockRejectedValue(
        Object.assign(new Error('full'), { code: 'ENOSPC' }),
      );
      abort.abort();
    };
    await expect(trainTiny(dir, config, { signal: abort.signal, onEvent })).rejects.toMatchObject({
      code: 'interrupted',
      message: `Stopped. What came after iteration 0 is lost (no space is left there (ENOSPC)); go on from there with: proxmo train --resume ${dir}`,
    });
    vi.restoreAllMocks();
    await trainTiny(dir, config, { resume: true });
    expect(await essenceOf(dir)).toEqual(await essenceOf(whole));
  });

  it('before anything began leaves no folder', async () => {
    const dir = newDir();
    await expect(trainTiny(dir, config, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'interrupted',
      message: 'Stopped before anything began.',
    });
    expect(existsSync(dir)).toBe(false);
  });
});

describe('a fault of the environment that ends a run', () => {
  it('leaves a checkpoint of the finished iterations', async () => {
    const dir = newDir();
    const strict = tinyConfig(world, { ...settings, environment: { onFailure: 'stop' } });
    const onEvent = ({ kind, ...event }: TrainEvent) => {
      if (kind === 'iteration' && 'metrics' in event && event.metrics.iteration === 1)
        onEpisode(() => {
          throw new Error('the door fell off');
        });
    };
    await expect(trainTiny(dir, strict, { onEvent })).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(/all of its 2 tries.*fell off\. Iteration 2 of 3 is saved; go on with: proxmo/s),
    });
    expect(await latestOf(dir)).toBe(2);
    expect(logOf(dir)).toMatch(/environment fault .*the door fell off \(try 1 of this episode; played again\)/);
    expect(logOf(dir)).toMatch(/ended by an error: The environment .* Iteration 2 of 3 is saved/);
    onEpisode(undefined);
    await trainTiny(dir, strict, { resume: true });
    expect(await latestOf(dir)).toBe(3);
  });

  it('counts those from before a resume', async () => {
    const dir = newDir();
    const few = tinyConfig(world, { ...settings, environment: { maxFaults: 3, maxAttempts: 9 } });
    const failTwice = (then: () => void) => {
      let opened = 0;
      onEpisode(() => {
        if (opened++ < 2) throw new Error('not yet');
        then();
      });
    };
    const abort = new AbortController();
    failTwice(() => abort.abort());
    await expect(trainTiny(dir, few, { signal: abort.signal })).rejects.toMatchObject({ code: 'interrupted' });
    failTwice(() => {});
    await expect(trainTiny(dir, few, { resume: true })).rejects.toThrow(
      /failed 4 times in this run, more than .* \(3\)/,
    );
    onEpisode(undefined);
    await trainTiny(dir, tinyConfig(world, { ...settings, environment: { maxFaults: 9, maxAttempts: 9 } }), {
      resume: true,
    });
    expect(await latestOf(dir)).toBe(3);
  });
});

describe('an error of the device', () => {
  const failing = async (dir: string, spoil: (event: TrainEvent) => void, engine = tinyEngine()) =>
    trainTiny(dir, config, { onEvent: spoil, engine: await engine });

  it('in the middle of an update leaves the checkpoint before, and says what is lost', async () => {
    const dir = newDir();
    let steps = 0;
    const original = Optimiser.prototype.step;
    vi.spyOn(Optimiser.prototype, 'step').mockImplementation(function (this: Optimiser, ...args) {
      if (++steps === 4) throw new ProxmoError('gpu-error', 'The GPU reported an error: overheated.');
      return original.apply(this, args);
    });
    await expect(failing(dir, () => {})).rejects.toMatchObject({
      code: 'gpu-error',
      message: expect.stringMatching(
        /overheated\. What came after iteration 0 is lost \(the update that failed had begun to change it\); go on from/,
      ),
    });
    expect(await latestOf(dir)).toBe(0);
  });

  it('that is lost leaves the checkpoint before, and says so', async () => {
    const dir = newDir();
    const engine = await tinyEngine();
    const lost = new ProxmoError('device-lost', 'The GPU device was lost (unplugged).');
    const spoil = ({ kind }: TrainEvent) => {
      if (kind === 'iteration')
        vi.spyOn(engine.gpu, 'check').mockImplementation(() => {
          throw lost;
        });
    };
    await expect(failing(dir, spoil, Promise.resolve(engine))).rejects.toMatchObject({
      code: 'device-lost',
      message: expect.stringMatching(/unplugged\)\. What came after iteration 0 is lost \(nothing of it can be had/),
    });
    expect(await latestOf(dir)).toBe(0);
  });
});

describe('a start that is refused leaves no folder', () => {
  it.each<[string, TinySettings, RegExp]>([
    [
      'by the demonstrations',
      { warmStart: { tasks: 2 }, sampling: { maxNewTokens: 1, blockSize: 1 } },
      /takes 2 tokens/,
    ],
    ['by the environment', { environment: { onFailure: 'stop' } }, /on all of its 2 tries/],
    ['by the settings', { training: { tasks: 99 } }, /has \d+ tasks, but an iteration takes 99/],
  ])('%s', async (_, wrong, message) => {
    const dir = join(folder, `refused ${count++}`, 'nested');
    if (wrong.environment)
      onEpisode(() => {
        throw new Error('nobody is here');
      });
    await expect(trainTiny(dir, tinyConfig(world, wrong))).rejects.toThrow(message);
    expect(existsSync(join(dir, '..'))).toBe(false);
  });
});
