/** Which runs a worker of any run finds, on a real server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectToServer } from '../../src/fleet/connect.node.ts';
import { OpenRuns } from '../../src/fleet/openRuns.ts';
import { protocolVersion, type RunDescription } from '../../src/fleet/protocol.ts';
import { createDirectory, type Directory } from '../../src/fleet/server.ts';
import { fleetConfig, startWorker, version } from '../support/fleet.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';

const household: RunDescription = {
  protocol: protocolVersion,
  version,
  session: 'first',
  isOpen: true,
  config: { environment: { name: 'household' } },
  policy: { kind: 'words', tokenizer: '' },
  tasks: { training: '', heldOut: '' },
  adapter: 'any',
  shutOut: [],
};
const alfworld = { ...household, config: { environment: { name: 'alfworld' } } };

describe('a worker of any run', needsNatsServer, () => {
  let server: NatsServer;
  let connection: Awaited<ReturnType<typeof connectToServer>>;
  let directory: Directory;
  const told: string[] = [];
  let worker: OpenRuns;

  beforeAll(async () => {
    server = await NatsServer.start();
    connection = await connectToServer(server.address, 'test');
    directory = await createDirectory(connection, 1);
    worker = new OpenRuns(connection, {
      version,
      environments: ['household', 'webshop'],
      onAside: (text) => told.push(text),
    });
  });
  afterAll(async () => {
    await connection?.close();
    await server?.[Symbol.asyncDispose]();
  });

  const describeRun = (run: string, description: object) => directory.runs.put(run, JSON.stringify(description));
  const find = (wanted: string | null = null) => worker.find(wanted, AbortSignal.timeout(1500), () => {});

  it('finds none where there are none, until it is asked to end', async () => {
    expect(await find()).toBeNull();
  });

  it('leaves aside a run that it has no data for, and says so once', async () => {
    await describeRun('a', alfworld);
    expect(await find()).toBeNull();
    expect(await find()).toBeNull();
    expect(told).toEqual(['a is left aside: it plays alfworld, and this worker household, webshop.']);
  });

  it('leaves aside a run of another version', async () => {
    await describeRun('b', { ...household, version: '9' });
    expect(await find()).toBeNull();
    expect(told).toHaveLength(2);
    expect(told[1]).toMatch(/^b is left aside: The coordinator of b is proxmo 9 .*install the same version/);
  });

  it('finds, behind those and behind one that has ended, the run that it can work for', async () => {
    await describeRun('c', { ...household, isOpen: false });
    await describeRun('d', household);
    expect(await find()).toEqual({ run: 'd', description: household });
    expect(told).toHaveLength(2);
  });

  it('does not find again what it could not enter, until its coordinator begins anew', async () => {
    worker.leaveAside('d', 'first', 'it has other tasks.');
    expect(told.at(-1)).toBe('d is left aside: it has other tasks.');
    expect(await find()).toBeNull();
    const again = { ...household, session: 'second' };
    await describeRun('d', again);
    expect(await find()).toEqual({ run: 'd', description: again });
  });

  it('leaves aside at its door a run whose tasks are others here', async () => {
    const config = fleetConfig();
    await describeRun('d', { ...household, session: 'third', config, policy: { kind: 'words', tokenizer: '' } });
    const { events, done, stop } = await startWorker(server, 'w', { run: null });
    while (!events.some(({ kind }) => kind === 'waiting')) await new Promise((resolve) => setTimeout(resolve, 20));
    stop();
    expect((await done).pieces).toBe(0);
    const notices = events.flatMap((event) => (event.kind === 'notice' ? event.text : []));
    expect(notices).toContain(
      'd is left aside: The environment household gives other tasks here than at the coordinator of d; give both the same data.',
    );
  });

  it('finds the run that its user named, whatever it plays', async () => {
    expect(await find('a')).toEqual({ run: 'a', description: alfworld });
    await expect(find('b')).rejects.toMatchObject({ code: 'fleet' });
  });
});
