/** A fleet that plays the next iteration while the policy learns comes to the same bits whoever plays, and resumed. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TrainConfig } from '../../src/rl/config.ts';
import { openRun } from '../../src/runs/run.ts';
import { startWorker, tinyFleetConfig, trainAlone, trainWithFleet } from '../support/fleet.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { essenceOf, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);

function configOf(staleness: number, iterations = 4): TrainConfig {
  const config = tinyFleetConfig(world, iterations);
  const training = { ...config.training, pool: 8, taskSampler: 'mixed-outcomes' as const };
  return { ...config, training, fleet: { ...config.fleet, staleness } };
}

describe('a fleet whose weights may be one iteration old', needsNatsServer, () => {
  it('learns other than a synchronous one, to bits that neither workers nor stops change', async () => {
    await using server = await NatsServer.start();
    const train = async (name: string, config: TrainConfig, options: Parameters<typeof trainWithFleet>[3] = {}) => {
      const workers = await Promise.all(['a', 'b'].map((id) => startWorker(server, `${name}-${id}`, { run: name })));
      const dir = join(folder, name);
      try {
        await trainWithFleet(server, dir, config, { run: name, ...options });
      } finally {
        for (const worker of workers) worker.stop();
        await Promise.all(workers.map(({ done }) => done));
      }
      return essenceOf(dir);
    };
    const expected = await train('undisturbed', configOf(1));
    const records = await (await openRun(join(folder, 'undisturbed'))).readMetrics();
    const of = (metric: string) => records.flatMap((record) => (record.kind === 'train' ? [record[metric]] : []));
    expect(of('staleness/age')).toEqual([0, 1, 1, 1]);
    expect(of('staleness/ratio')).toEqual([1, ...[1, 2, 3].map(() => expect.closeTo(1, 0))]);
    expect(
      of('staleness/largestRatio')
        .slice(1)
        .every((ratio) => (ratio as number) > 1),
    ).toBe(true);
    expect(of('staleness/truncatedShare')).toHaveLength(4);

    const synchronous = await train('synchronous', configOf(0));
    // The first iteration is the same.
    expect(synchronous.metrics[1]).toEqual(expected.metrics[1]);
    expect(synchronous.tensors).not.toEqual(expected.tensors);

    // Stopped after the second iteration, while the third was played, and gone on with; then for one iteration more.
    const stop = new AbortController();
    const onEvent: Parameters<typeof trainWithFleet>[3] = {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind === 'iteration' && event.metrics.iteration === 1) stop.abort();
      },
    };
    await expect(train('stopped', configOf(1, 3), onEvent)).rejects.toMatchObject({ code: 'interrupted' });
    await train('stopped', configOf(1, 3), { resume: true });
    const { tensors, metrics } = await train('stopped', configOf(1), { resume: true });
    expect(tensors).toEqual(expected.tensors);
    const trained = (list: typeof metrics) => list.filter(({ kind }) => kind === 'train');
    expect(trained(metrics)).toEqual(trained(expected.metrics));
  });
});

it('is refused without a fleet, before anything is made', async () => {
  const dir = join(folder, 'alone');
  await expect(trainAlone(dir, configOf(1))).rejects.toMatchObject({
    code: 'config',
    message: expect.stringContaining('train with --fleet or --workers, or set fleet.staleness to 0'),
  });
  expect(existsSync(dir)).toBe(false);
});
