/** More workers and more servers than one: seven workers, and a cluster of three servers of which one dies. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withOpening } from '../../bench/fleet/opening.ts';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { PublishedRun } from '../../src/fleet/publishedRun.ts';
import type { TrainConfig } from '../../src/rl/config.ts';
import { startWorker, tinyFleetConfig, trainAlone, trainWithFleet } from '../support/fleet.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { essenceOf, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a fleet comes to the bits of one process', needsNatsServer, () => {
  const world = writeTinyWorld(folder);
  const tiny = tinyFleetConfig(world);
  const config: TrainConfig = { ...tiny, training: { ...tiny.training, pool: 8, tasks: 8 } };
  let expected: Awaited<ReturnType<typeof essenceOf>>;
  beforeAll(async () => {
    await trainAlone(join(folder, 'alone'), config);
    expected = await essenceOf(join(folder, 'alone'));
  });
  const ids = (count: number) => Array.from({ length: count }, (_, index) => `w${index + 1}`);

  it.each([2, 7])('with %d workers, all of which take part', async (count) => {
    await using server = await NatsServer.start();
    // A piece takes so long that the others take theirs meanwhile.
    const openTaskSet = async () => withOpening(await createNamedTaskSet(world), () => pause(300));
    const workers = await Promise.all(ids(count).map((id) => startWorker(server, id, { openTaskSet })));
    const dir = join(folder, `with-${count}`);
    const { workers: summary } = await trainWithFleet(server, dir, config);
    await Promise.all(workers.map(({ done }) => done));
    expect(summary).toHaveLength(count);
    expect(await essenceOf(dir)).toEqual(expected);
  });

  it('on a cluster of three servers, of which one dies and stays away', async () => {
    await using cluster = await NatsServer.cluster(3);
    const { servers } = cluster;
    const addresses = servers.map(({ address }) => address);
    // Each knows all, and begins with another.
    const from = (index: number) =>
      ({ address: [...addresses.slice(index), ...addresses.slice(0, index)].join(',') }) as NatsServer;
    await hasLeader(addresses[0]!);
    const workers = await Promise.all(ids(2).map((id, index) => startWorker(from(index + 1), id)));
    const dir = join(folder, 'cluster');
    let killed: Promise<void> | undefined;
    await trainWithFleet(
      from(0),
      dir,
      { ...config, fleet: { ...config.fleet, replicas: 3 } },
      {
        onEvent: ({ kind }) => {
          if (kind === 'iteration') killed ??= servers[0]!.down();
        },
      },
    );
    await killed;
    await Promise.all(workers.map(({ done }) => done));
    expect(await essenceOf(dir)).toEqual(expected);
  });

  it('on a cluster, where another coordinator wants more copies than the one before', async () => {
    await using cluster = await NatsServer.cluster(3);
    const { address } = cluster.servers[0]!;
    await hasLeader(address);
    const connection = await connect({ servers: address });
    const counts: number[][] = [];
    for (const replicas of [1, 3, 3]) {
      await (await PublishedRun.open(connection, 'test', replicas)).create();
      const { streams } = await jetstreamManager(connection);
      const names = ['KV_proxmo_runs', 'KV_proxmo_present', 'OBJ_proxmo_test_policy', 'OBJ_proxmo_test_large'];
      const infos = [...names, 'proxmo_test_work', 'proxmo_test_answers'].map((name) => streams.info(name));
      counts.push((await Promise.all(infos)).map(({ config: { num_replicas } }) => num_replicas));
    }
    expect(counts).toEqual([1, 3, 3].map((count) => Array.from({ length: 6 }, () => count)));
    await connection.close();
  });

  it('but not with more replicas than there are servers, which is said before anything is made', async () => {
    await using server = await NatsServer.start();
    const many = { ...config, fleet: { ...config.fleet, replicas: 3 } };
    await expect(trainWithFleet(server, join(folder, 'replicas'), many)).rejects.toMatchObject({
      code: 'fleet',
      message: expect.stringMatching(/fleet\.replicas is 3, so it must be one of a cluster of as many servers/),
    });
  });
});

/** Waits until the servers of a cluster have agreed on who leads. */
async function hasLeader(address: string): Promise<void> {
  const connection = await connect({ servers: address });
  const isReady = async () => {
    const { streams } = await jetstreamManager(connection, { checkAPI: false });
    await streams.add({ name: 'probe', subjects: ['probe'], num_replicas: 3 });
    await streams.delete('probe');
  };
  while (
    !(await isReady().then(
      () => true,
      () => false,
    ))
  )
    await pause(200);
  await connection.close();
}
