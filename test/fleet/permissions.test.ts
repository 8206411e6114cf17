/** The permissions that docs/fleet.md has for a worker are enough for it, and for no more. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { startWorker, tinyFleetConfig, trainWithFleet } from '../support/fleet.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the documented permissions', needsNatsServer, () => {
  it('let a worker work, and neither read other runs nor write weights', async () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'fleet.md'), 'utf8');
    const [, block] = /```\njetstream: .*\n(authorization[\s\S]*?)```/.exec(page)!;
    const settings = join(folder, 'server.conf');
    writeFileSync(settings, block!.replaceAll('RUN', 'test').replace('$COORDINATOR', 'c').replace('$WORKER', 'w'));
    await using server = await NatsServer.start(['--config', settings]);
    const as = (user: string) => ({ address: server.address.replace('//', `//${user}:${user[0]}@`) }) as NatsServer;

    const { fleet, ...settingsOfRun } = tinyFleetConfig(writeTinyWorld(folder), 2);
    const config = { ...settingsOfRun, fleet: { ...fleet, gradients: true, differences: true } };
    const worker = await startWorker(as('worker'), 'w');
    const rogue = await connect({ servers: server.address, user: 'worker', pass: 'w' });
    const tries: Promise<unknown>[] = [];
    const { workers } = await trainWithFleet(as('coordinator'), join(folder, 'run'), config, {
      onEvent: ({ kind }) => {
        if (kind !== 'evaluation' || tries.length > 0) return;
        const js = jetstream(rogue, { timeout: 1000 });
        const attempt = (what: Promise<unknown>) =>
          tries.push(
            what.then(
              () => 'done',
              () => 'refused',
            ),
          );
        const runs = new Kvm(js).open('proxmo_runs', { allow_direct: true });
        attempt(runs.then((bucket) => bucket.put('test', 'mine')));
        attempt(runs.then((bucket) => bucket.get('other')));
        for (const subject of ['$O.proxmo_test_policy.C.x', '$O.proxmo_test_policy.M.x', 'proxmo.test.work'])
          attempt(js.publish(subject, 'x', { timeout: 1000 }));
      },
    });
    expect((await worker.done).pieces).toBeGreaterThan(0);
    expect(workers).toHaveLength(1);
    expect(await Promise.all(tries)).toEqual(Array.from({ length: 5 }, () => 'refused'));
    await expect(startWorker(server, 'nobody')).rejects.toMatchObject({
      code: 'fleet',
      message: expect.stringContaining('it refuses these credentials'),
    });
    await rogue.close();
  });
});
