/** A run that keeps its metrics in other forms too, as they come, also over a stop. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { TrainEvent } from '../../src/rl/trainingRun.node.ts';
import { proxmo } from '../support/cli.ts';
import { readEvents } from '../support/eventFile.ts';
import { tinyConfig, trainTiny, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-logging-'));
const world = writeTinyWorld(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = { ...tinyConfig(world, { training: { iterations: 3 } }), logging: ['tensorboard', 'csv'] as const };
const eventsIn = (dir: string) => {
  const names = readdirSync(dir).filter((name) => name.includes('tfevents'));
  expect(names.length).toBe(1);
  return readEvents(readFileSync(join(dir, names[0]!))).slice(1);
};

it('has them after each iteration, and goes on with them after a stop; an export has the same', async () => {
  const dir = join(folder, 'run');
  const abort = new AbortController();
  const onEvent = (event: TrainEvent) => {
    if (event.kind !== 'iteration' || event.metrics.iteration !== 1) return;
    expect(eventsIn(join(dir, 'tensorboard')).map(({ step }) => step)).toEqual([0, 1, 2]);
    expect(readFileSync(join(dir, 'metrics.csv'), 'utf8').split('\n').length).toBe(5);
    abort.abort();
  };
  await trainTiny(dir, { ...config, logging: [...config.logging] }, { signal: abort.signal, onEvent }).catch(() => {});
  await trainTiny(dir, { ...config, logging: [...config.logging] }, { resume: true });
  const metrics = readFileSync(join(dir, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const records = metrics.map((line) => JSON.parse(line) as { kind: string; iteration: number; success: number });
  const events = eventsIn(join(dir, 'tensorboard'));
  expect(events.map(({ step }) => step)).toEqual(records.map(({ iteration }) => iteration));
  for (const [index, { kind, success }] of records.entries())
    expect(events[index]!.scalars![`${kind}/success`]).toBeCloseTo(success);
  const [out, table] = [join(folder, 'events'), join(folder, 'metrics.csv')];
  const { code, stdout } = await proxmo(['export', dir, '--tensorboard', out, '--csv', table]);
  expect(code).toBe(0);
  expect(stdout).toBe(
    `${out}: the metrics of ${dir}, 5 records; look at them with: tensorboard --logdir ${out}\n` +
      `${table}: the metrics of ${dir}, 5 records\n`,
  );
  expect(eventsIn(out)).toEqual(events);
  expect(readFileSync(table, 'utf8')).toBe(readFileSync(join(dir, 'metrics.csv'), 'utf8'));
});

it('leaves nothing of them where nothing else of the run is kept', async () => {
  const dir = join(folder, 'nothing');
  const none = { ...config, logging: [...config.logging], warmStart: { ...config.warmStart, tasks: 4, noise: 1 } };
  await expect(trainTiny(dir, { ...none, sampling: { ...none.sampling, maxNewTokens: 1 } })).rejects.toThrow();
  expect(existsSync(dir)).toBe(false);
});

it('refuses an export of nothing', async () => {
  const { code, stderr } = await proxmo(['export', join(folder, 'run')]);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: 'proxmo: There is nothing to write; name --tensorboard DIR, --csv FILE or --jsonl FILE.\n',
  });
});
