/** What a training run writes down of its turns: whole, adding up, as much as the settings say, and while it grows. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type RecordedRow, type RolloutIndex, recordSchemas } from '../../src/rl/credit/record.ts';
import {
  readGroupRows,
  readHeldOutIndex,
  readHeldOutRows,
  readRolloutIndex,
} from '../../src/rl/credit/recordedRollouts.node.ts';
import { WhatIf } from '../../src/rl/credit/whatIf.ts';
import type { TrainEvent } from '../../src/rl/trainingRun.node.ts';
import { openRun, type Run } from '../../src/runs/run.ts';
import { rowsIn, rowsPath } from '../support/recordedRows.ts';
import { onEpisode, type TinySettings, tinyConfig, trainTiny, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-recorded-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);

async function train(name: string, settings: TinySettings = {}, onEvent?: (event: TrainEvent) => void) {
  const dir = join(folder, name);
  const config = tinyConfig(world, settings);
  await trainTiny(dir, config, onEvent ? { onEvent } : {});
  return { dir, config, run: await openRun(dir) };
}

async function rowsOf(run: Run, iteration: number): Promise<{ index: RolloutIndex; rows: RecordedRow[] }> {
  const index = (await readRolloutIndex(run, iteration))!;
  const groups = await Promise.all(index.groups.map((_, group) => readGroupRows(run, index, group)));
  return { index, rows: groups.flatMap((rows) => rows ?? []) };
}

describe('the rows of a run', () => {
  it('are whole, add up, and are what the index says', async () => {
    const { dir, config, run } = await train('whole', { training: { iterations: 2, tasks: 2, groupSize: 4 } });
    expect(await run.rollouts.iterations()).toEqual([1, 2]);
    for (const iteration of [1, 2]) {
      const { index, rows } = await rowsOf(run, iteration);
      // In the order of the index, and as any reader of gzip has them.
      expect(rows).toEqual(rowsIn(rowsPath(dir, iteration)));
      expect(index.groups.map(({ episodes }) => episodes.length)).toEqual([4, 4]);
      const numbers = index.groups.flatMap((group) =>
        group.episodes.flatMap(({ id, steps }) => Array.from({ length: steps }, (_, step) => [group.id, id, step])),
      );
      expect(rows.map(({ group, trajectory, step }) => [group, trajectory, step])).toEqual(numbers);
      for (const [number, row] of rows.entries()) {
        expectAddsUp(row, config.sampling.maxNewTokens);
        expect(index.levels.advantage[number]).toBeCloseTo(row.advantage, 3);
        expect(index.levels.episode[number]).toBeCloseTo(row.episodeAdvantage, 3);
        expect(index.levels.step[number]).toBeCloseTo(row.stepAdvantage, 3);
      }
      // What was written is enough to estimate again.
      const again = new WhatIf(rows).advantages(config.advantages);
      for (const [number, row] of rows.entries()) expect(again.advantage[number]).toBeCloseTo(row.advantage, 5);
    }
  });

  it('are there for a reader before the next iteration is told of, or a checkpoint, and never in part', async () => {
    const seen: Promise<void>[] = [];
    const dir = join(folder, 'growing');
    let told = 0;
    const expectRows = (...iterations: readonly number[]) =>
      seen.push(
        openRun(dir).then(async (run) =>
          expect(await run.rollouts.iterations()).toEqual(expect.arrayContaining([...iterations])),
        ),
      );
    const read = async () => {
      const run = await openRun(dir);
      for (const iteration of await run.rollouts.iterations()) {
        const { index, rows } = await rowsOf(run, iteration);
        expect(rows).toHaveLength(index.levels.advantage.length);
        for (const row of rows) recordSchemas.training.row.parse(row);
      }
      for (const record of await run.readMetrics())
        expect(Date.now() - Date.parse(String(record.time))).toBeLessThan(1e6);
    };
    const onEvent = (event: TrainEvent) => {
      if (event.kind === 'progress') seen.push(read());
      if (event.kind === 'checkpoint' && event.iteration > 0) expectRows(event.iteration);
      if (event.kind !== 'iteration') return;
      if (told > 0) expectRows(told);
      told = event.metrics.iteration + 1;
    };
    await train('growing', { training: { iterations: 3 } }, onEvent);
    await Promise.all(seen);
    expect(seen.length).toBeGreaterThan(10);
  });
});

describe('held-out episodes', () => {
  it('are kept with every evaluation: each as it was played, without credit', async () => {
    const settings = { training: { iterations: 3 }, evaluation: { tasks: 4, every: 1, seed: 1 } };
    const { run } = await train('held-out', settings);
    expect(await run.rollouts.iterations('held-out')).toEqual([0, 1, 2, 3]);
    const evaluations = (await run.readMetrics()).filter(({ kind }) => kind === 'eval');
    for (const { iteration, success } of evaluations) {
      const index = (await readHeldOutIndex(run, iteration))!;
      expect([index.iteration, index.groups.length]).toEqual([iteration, 4]);
      const episodes = index.groups.flatMap((group) => group.episodes);
      expect(episodes.filter((episode) => episode.success).length / 4).toBe(success);
      const rows = (await Promise.all(index.groups.map((_, group) => readHeldOutRows(run, index, group)))).flat();
      expect(rows.map((row) => [row!.trajectory, row!.success])).toEqual(
        episodes.map((each) => [each.id, each.success]),
      );
      for (const row of rows) {
        expect(row).toMatchObject({ observation: 'two doors', actions: ['left', 'right'], valid: true });
        expect(row).not.toHaveProperty('advantage');
      }
    }
  });

  it('of a sample are of the same tasks in every evaluation, whatever the seed of the run', async () => {
    const settings = {
      training: { iterations: 5, tasks: 3 },
      evaluation: { tasks: 8, every: 1, seed: 1 },
      rollouts: { keep: 'sample', sampleGroups: 2, every: 2 },
    } as const;
    const kept: string[] = [];
    for (const seed of [1, 2]) {
      const { run } = await train(`held-out-sample-${seed}`, { ...settings, seed });
      expect(await run.rollouts.iterations('held-out')).toEqual([0, 2, 4, 5]);
      for (const iteration of [0, 2, 4, 5]) {
        const { groups } = (await readHeldOutIndex(run, iteration))!;
        expect(groups).toHaveLength(8);
        kept.push(groups.flatMap(({ id, rows }) => (rows === null ? [] : id)).join());
      }
    }
    expect(new Set(kept).size).toBe(1);
    expect(kept[0]!.split(',')).toHaveLength(2);
  });

  it('leave nothing behind of a run that came to nothing', async () => {
    const dir = join(folder, 'nothing');
    let played = 0;
    onEpisode(() => {
      if (++played > 4) throw new Error('the world is gone');
    });
    const settings = { environment: { onFailure: 'stop', maxAttempts: 1 } } as const;
    await expect(trainTiny(dir, tinyConfig(world, settings)).finally(() => onEpisode(undefined))).rejects.toThrow(
      /the world is gone/,
    );
    expect(existsSync(dir)).toBe(false);
  });
});

describe('rollouts.keep', () => {
  const iterations = { training: { iterations: 4, tasks: 3 } };
  it('none keeps none', async () => {
    const { dir, run } = await train('none', { ...iterations, rollouts: { keep: 'none' } });
    expect(await run.rollouts.iterations()).toEqual([]);
    expect(readdirSync(dir)).not.toContain('rollouts');
  });

  it('sample keeps some groups whole, and names all', async () => {
    const { run } = await train('sample', { ...iterations, rollouts: { keep: 'sample', sampleGroups: 1, every: 2 } });
    expect(await run.rollouts.iterations()).toEqual([1, 2, 4]);
    const { index, rows } = await rowsOf(run, 2);
    expect(index.groups).toHaveLength(3);
    const kept = index.groups.filter((group) => group.rows !== null);
    expect(kept.map(({ episodes }) => episodes.map(({ id }) => id))).toEqual([
      [...new Set(rows.map(({ trajectory }) => trajectory))],
    ]);
    expect(index.levels.step).toHaveLength(rows.length);
    // Neighbours and baselines are those of the whole batch.
    for (const row of rows) expectAddsUp(row, 2);
  });

  it('may change when a run goes on, and changes nothing that is learned', async () => {
    const { dir, run } = await train('changed', iterations);
    const config = tinyConfig(world, { training: { iterations: 6, tasks: 3 }, rollouts: { keep: 'none' } });
    await trainTiny(dir, config, { resume: true });
    expect(await run.rollouts.iterations()).toEqual([1, 2, 3, 4]);
    const { run: whole } = await train('unchanged', { training: { iterations: 6, tasks: 3 } });
    const figures = async (of: Run) =>
      (await of.readMetrics())
        .filter(({ kind }) => kind === 'train')
        .map(({ success, kl, entropy }) => [success, kl, entropy]);
    expect(await figures(run)).toEqual(await figures(whole));
  });
});

describe('the metrics of a run', () => {
  it('have the time, the learning rate and the share of cut replies', async () => {
    const { dir } = await train('metrics');
    const records = readFileSync(join(dir, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const times = records.map(({ time }) => Date.parse(time));
    expect(times.every((time, index) => time >= (times[index - 1] ?? 0))).toBe(true);
    for (const record of records.filter(({ kind }) => kind === 'train'))
      expect(record).toMatchObject({ learningRate: 1e-2, truncatedReplies: 0, truncatedReplyShare: 0 });
  });
});

function expectAddsUp(row: RecordedRow, maxNewTokens: number): void {
  const { episodeLevel, stepLevel } = row;
  expect(episodeLevel.before * episodeLevel.weight).toBe(row.episodeAdvantage);
  expect(row.episodeAdvantage + stepLevel!.omega * row.stepAdvantage).toBe(row.advantage);
  expect(row.instruction).toBe('go');
  expect(row.prompt).toContain('two doors');
  expect(row.actions).toEqual(['left', 'right']);
  expect(row.reply.length).toBeLessThanOrEqual(maxNewTokens);
  expect(row.logProbs).toHaveLength(row.reply.length);
  expect(row.referenceLogProbs).toHaveLength(row.reply.length);
  expect(row.kl).toBeGreaterThanOrEqual(0);
  expect(row.cut).toBe(false);
  expect(row.branches!.flatMap(({ actions }) => actions).toSorted()).toEqual([0, 1]);
  expect(row.branches!.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 3);
  const taken = row.branches!.find(({ actions }) => actions.includes(row.actions!.indexOf(row.action)))!;
  expect(taken.probability).toBeCloseTo(Math.exp(row.logProbs.reduce((sum, each) => sum + each)), 3);
  expect(row.reply[0]).toContain(row.action);
  expect(row.seconds.reply).toBeGreaterThan(0);
}
