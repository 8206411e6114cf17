/** A coordinator that begins while the server goes away. */
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { connectToServer } from '../../src/fleet/connect.node.ts';
import { Coordinator } from '../../src/fleet/coordinator.ts';
import { fleetStatus } from '../../src/fleet/status.ts';
import { version } from '../support/fleet.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';

it('a server that no run was on has none, and one that has gone does not tell', needsNatsServer, async () => {
  await using server = await NatsServer.start();
  const connection = await connectToServer(server.address, 'test');
  expect(await fleetStatus(connection)).toEqual([]);
  await server.down();
  await expect(fleetStatus(connection)).rejects.toMatchObject({
    code: 'fleet',
    message: expect.stringMatching(/^The NATS server .* does not tell of its runs \(.*\); see that it is there/),
  });
  await connection.close();
});

describe('a coordinator that waits for the claim of one that died', needsNatsServer, () => {
  it.each(['down', 'lose'] as const)('claims the run when the server is back (%s)', async (how) => {
    await using server = await NatsServer.start();
    const common = { run: 'test', version, host: 'here', pid: 1, onNotice: () => {} };
    const connection = await connectToServer(server.address, 'first');
    const first = await Coordinator.open(connection, common);
    // As if it had died: nothing is taken off the server.
    await connection.close();
    await first.close();

    const notices: string[] = [];
    let broken: Promise<void> | undefined;
    const breakServer = async () => {
      await server[how]();
      await pause(500);
      await server.up();
    };
    const second = await connectToServer(server.address, 'second');
    const coordinator = await Coordinator.open(second, {
      ...common,
      onNotice: (text) => {
        notices.push(text);
        if (text.includes('was coordinated by another process')) broken ??= breakServer();
      },
    });
    await broken;
    expect(notices).toContain('the NATS server is away; waiting for it');
    await coordinator.close();
    const watcher = await connectToServer(server.address, 'watcher');
    expect(await fleetStatus(watcher)).toEqual([]);
    await watcher.close();
  });
});
