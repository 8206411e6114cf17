/** A worker behind a leaf node, which keeps nothing itself, works as one at the server does. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { answers, freePort } from '../../src/cli/localFleet.ts';
import { fleetStatus } from '../../src/fleet/status.ts';
import { startWorker, tinyFleetConfig, trainWithFleet } from '../support/fleet.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a leaf node', needsNatsServer, () => {
  it('passes everything on', async () => {
    const [hubPort, leafPort] = [await freePort(), await freePort()];
    const hub = join(folder, 'hub.conf');
    writeFileSync(hub, `jetstream { domain: hub }\nleafnodes { host: "127.0.0.1", port: ${hubPort} }\n`);
    await using server = await NatsServer.start(['--config', hub]);
    const leaf = join(folder, 'leaf.conf');
    writeFileSync(
      leaf,
      `leafnodes { remotes: [ { url: "nats://127.0.0.1:${hubPort}" } ] }\ndefault_js_domain: { "$G": hub }\n`,
    );
    const child = spawn('nats-server', ['--addr', '127.0.0.1', '--port', String(leafPort), '--config', leaf], {
      stdio: 'ignore',
    });
    const watcher = await connect({ servers: server.address });
    try {
      while (!(await answers(leafPort)));
      const worker = await startWorker({ address: `nats://127.0.0.1:${leafPort}` } as NatsServer, 'behind');
      let status: ReturnType<typeof fleetStatus> | undefined;
      const config = tinyFleetConfig(writeTinyWorld(folder), 1);
      const { workers } = await trainWithFleet(server, join(folder, 'run'), config, {
        onEvent: ({ kind }) => {
          if (kind === 'iteration') status = fleetStatus(watcher);
        },
      });
      expect(await status).toMatchObject([{ workers: [{ worker: 'behind', environments: ['household'] }] }]);
      expect((await worker.done).pieces).toBeGreaterThan(0);
      expect(workers).toEqual([expect.stringMatching(/^behind: [1-9]/)]);
    } finally {
      await watcher.close();
      child.kill();
    }
  });
});
