/**
 * What a fleet survives: nothing that workers or the server do or leave undone changes a bit of what the run comes to,
 * and no iteration is lost or counted twice.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withOpening } from '../../bench/fleet/opening.ts';
import type { TaskSet, Turn } from '../../src/envs/environment.ts';
import { RandomStream } from '../../src/envs/random.ts';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { floatsToText, packed, unpacked } from '../../src/fleet/codec.ts';
import type { Answer, Piece } from '../../src/fleet/protocol.ts';
import { createDirectory } from '../../src/fleet/server.ts';
import type { TrainConfig } from '../../src/rl/config.ts';
import {
  startWorker,
  type TestWorker,
  tinyFleetConfig,
  trainAlone,
  trainWithFleet,
  version,
} from '../support/fleet.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { essenceOf, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a fleet goes on to the same bits', needsNatsServer, () => {
  const world = writeTinyWorld(folder);
  const config: TrainConfig = tinyFleetConfig(world);
  let expected: Awaited<ReturnType<typeof essenceOf>>;
  beforeAll(async () => {
    await trainAlone(join(folder, 'alone'), config);
    expected = await essenceOf(join(folder, 'alone'));
  });

  /** Opens the run's worlds, each of which waits first. */
  const opening = (before: () => Promise<void> | undefined) => async () =>
    withOpening(await createNamedTaskSet(world), before);

  it('when a worker hangs, and when one is slow', async () => {
    await using server = await NatsServer.start();
    const hanging = await startWorker(server, 'hanging', { openTaskSet: opening(() => new Promise(() => {})) });
    const slow = await startWorker(server, 'slow', {
      openTaskSet: opening(() => new Promise((resolve) => setTimeout(resolve, 2500))),
    });
    const sound = await startWorker(server, 'sound');
    const notices: string[] = [];
    const { workers } = await trainWithFleet(server, join(folder, 'hanging'), config, {
      onNotice: (text) => notices.push(text),
    });
    expect(await essenceOf(join(folder, 'hanging'))).toEqual(expected);
    expect(notices.join('\n')).toContain('takes long and is given again');
    expect(workers.join('\n')).not.toContain('hanging');
    expect((await sound.done).pieces).toBeGreaterThan(0);
    hanging.stop();
    slow.stop();
  });

  it('when the server is restarted with what it had stored, and without', async () => {
    await using server = await NatsServer.start();
    const worker = await startWorker(server, 'w');
    const notices: string[] = [];
    let iterations = 0;
    let restarts = Promise.resolve();
    await trainWithFleet(server, join(folder, 'restarts'), config, {
      onNotice: (text) => notices.push(text),
      onEvent: ({ kind }) => {
        if (kind !== 'iteration') return;
        const nth = ++iterations;
        if (nth < 3)
          restarts = restarts.then(() => (nth === 1 ? server.down() : server.lose())).then(() => server.up());
      },
    });
    await restarts;
    await worker.done;
    expect(await essenceOf(join(folder, 'restarts'))).toEqual(expected);
    expect(notices.filter((text) => text.includes('is there again')).length).toBeGreaterThan(0);
  });

  it('when answers come twice, late, of another session, cut short, damaged, altered, or of another version', async () => {
    await using server = await NatsServer.start();
    const rogue = await connect({ servers: server.address });
    const answer = (worker: string, bytes: Uint8Array) => rogue.publish(`proxmo.test.answer.${worker}`, bytes);
    const lie = async (data: Uint8Array) => {
      const piece = (await unpacked(data)) as Piece;
      for (const [worker, what] of liesAbout(piece)) answer(worker, await packed(what));
    };
    let repeated = 0;
    rogue.subscribe('proxmo.test.answer.sound', {
      callback: (_, { data, headers }) => {
        // Its own copies come here too.
        if (headers?.has('copy') || !headers) return;
        repeated++;
        for (const milliseconds of [0, 500]) setTimeout(() => answer('sound', data), milliseconds);
        answer('rogue', data);
        answer('rogue', data.slice(0, -10));
      },
    });
    rogue.subscribe('proxmo.test.work', {
      callback: (_, { data }) => void lie(data),
    });
    const sound = await startWorker(server, 'sound');
    const notices: string[] = [];
    const { workers } = await trainWithFleet(server, join(folder, 'rogue'), config, {
      onNotice: (text) => notices.push(text),
    });
    await sound.done;
    expect(await essenceOf(join(folder, 'rogue'))).toEqual(expected);
    expect(repeated).toBeGreaterThan(0);
    const told = notices.join('\n');
    expect(told).toContain('an answer of rogue was dropped: A message is damaged or cut short.');
    expect(told).toContain('an answer of rogue was dropped: It says that it is of sound.');
    expect(told).toContain('Worker old is proxmo 0 (protocol 3), and this is proxmo 1 (protocol 3)');
    expect(told).toMatch(/short is shut out, and its pieces are given again: .* it has 0 episodes of 2/);
    // An early answer that is read only when its round has come is a lie like that of `short`.
    const liars = workers.filter((line) => line.includes('shut out')).map((line) => line.split(':')[0]!);
    expect(liars).toContain('short');
    expect(['early', 'short']).toEqual(expect.arrayContaining(liars));
    await rogue.close();
  });

  it('when a piece is taken off the queue by somebody who does not play it', async () => {
    await using server = await NatsServer.start();
    const thief = await connect({ servers: server.address });
    const notices: string[] = [];
    let worker: Promise<TestWorker> | undefined;
    await trainWithFleet(server, join(folder, 'stolen'), config, {
      onNotice: (text) => {
        notices.push(text);
        if (text.includes('no worker is there yet')) worker ??= steal().then(() => startWorker(server, 'w'));
      },
    });
    async function steal(): Promise<void> {
      const consumer = await jetstream(thief).consumers.get('proxmo_test_work', 'workers');
      (await consumer.next({ expires: 1000 }))!.term();
    }
    await (await worker!).done;
    await thief.close();
    expect(await essenceOf(join(folder, 'stolen'))).toEqual(expected);
    expect(notices.join('\n')).toContain('is lost and is given again');
  });

  it('while a second coordinator, and a worker of another version, are refused', async () => {
    await using server = await NatsServer.start();
    const dir = join(folder, 'second');
    const notices: string[] = [];
    // Without a worker it waits.
    const first = trainWithFleet(server, dir, config, { onNotice: (text) => notices.push(text) });
    await until(() => notices.some((text) => text.includes('no worker is there yet')));
    await expect(trainWithFleet(server, join(folder, 'other'), config)).rejects.toMatchObject({
      code: 'fleet',
      message: expect.stringMatching(/The run test is coordinated by process \d+ on here, since .*--fleet-run/),
    });
    const other = await startWorker(server, 'new', { version: '2' });
    await expect(other.done).rejects.toMatchObject({
      code: 'fleet',
      message: expect.stringMatching(/The coordinator of test is proxmo 1 \(protocol 3\), and this is proxmo 2/),
    });
    const worker = await startWorker(server, 'w');
    await first;
    await worker.done;
    expect(await essenceOf(dir)).toEqual(expected);
  });

  it('with a worker for any run, which passes over those that have ended, of whatever version', async () => {
    await using server = await NatsServer.start();
    const other = await connect({ servers: server.address });
    const { runs } = await createDirectory(other);
    await runs.put('ancient', JSON.stringify({ protocol: 0, version: '0', isOpen: false }));
    await other.close();
    const worker = await startWorker(server, 'w', { run: null, environments: [config.environment.name] });
    await trainWithFleet(server, join(folder, 'any'), config);
    worker.stop();
    expect((await worker.done).pieces).toBeGreaterThan(0);
    expect(await essenceOf(join(folder, 'any'))).toEqual(expected);
  });

  it('when a worker lies about its world, or fails at all that it does', async () => {
    await using server = await NatsServer.start();
    const taskSet = await createNamedTaskSet(world);
    const liar = await startWorker(server, 'liar', {
      openTaskSet: async () => ({
        ...taskSet,
        createEnvironment() {
          const environment = taskSet.createEnvironment();
          return {
            reset: (task) => environment.reset(task),
            step: (action) => ({ ...(environment.step(action) as Turn), success: true, reward: 10, score: 1 }),
          };
        },
      }),
    });
    const notices: string[] = [];
    let broken: Promise<TestWorker> | undefined;
    const training = trainWithFleet(server, join(folder, 'liar'), config, {
      onNotice: (text) => notices.push(text),
      onEvent: ({ kind }) => {
        if (kind === 'evaluation')
          broken ??= startWorker(server, 'broken', { openTaskSet: async () => onFire(taskSet) });
      },
    });
    await expect(liar.done).rejects.toMatchObject({
      code: 'fleet',
      message: expect.stringContaining(
        'The coordinator of test has shut this worker out: The environment answers otherwise',
      ),
    });
    const sound = await startWorker(server, 'sound');
    const { workers } = await training;
    await sound.done;
    (await broken)?.stop();
    expect(await essenceOf(join(folder, 'liar'))).toEqual(expected);
    expect(notices.join('\n')).toContain('liar is shut out, and its pieces are given again: The environment answers');
    expect(workers.find((line) => line.startsWith('liar'))).toContain('liar: 0 pieces');
    expect(workers.find((line) => line.startsWith('broken')) ?? 'broken: 0 pieces').toContain('broken: 0 pieces');
  });

  it('when the disk of the server is full, until there is room again', async () => {
    const settings = join(folder, 'room.conf');
    const room = (bytes: number) => writeFileSync(settings, `jetstream { max_file_store: ${bytes} }\n`);
    room(9000);
    await using server = await NatsServer.start(['--config', settings]);
    const notices: string[] = [];
    const worker = await startWorker(server, 'w');
    const training = trainWithFleet(server, join(folder, 'full'), config, { onNotice: (text) => notices.push(text) });
    await until(() => notices.some((text) => text.includes('the NATS server takes nothing: ')));
    room(1e8);
    await server.down();
    await server.up();
    await training;
    await worker.done;
    expect(await essenceOf(join(folder, 'full'))).toEqual(expected);
  });

  it('when answers are larger than messages may be', async () => {
    const settings = join(folder, 'small.conf');
    writeFileSync(settings, 'max_payload: 12000\n');
    await using server = await NatsServer.start(['--config', settings]);
    const watcher = await connect({ servers: server.address });
    let parts = 0;
    watcher.subscribe('$O.proxmo_test_large.C.>', { callback: () => void parts++ });
    const random = new RandomStream(1);
    const components = Object.fromEntries(Array.from({ length: 3000 }, () => [`c${random.below(2 ** 32)}`, 1]));
    const taskSet = await createNamedTaskSet(world);
    const worker = await startWorker(server, 'w', {
      openTaskSet: async () => ({
        ...taskSet,
        createEnvironment() {
          const environment = taskSet.createEnvironment();
          return {
            reset: (task) => environment.reset(task),
            step: (action) => ({ ...(environment.step(action) as Turn), components }),
          };
        },
      }),
    });
    const dir = join(folder, 'large');
    await trainWithFleet(server, dir, { ...config, fleet: { ...config.fleet, audit: 0 } });
    await worker.done;
    await watcher.close();
    expect(await essenceOf(dir)).toEqual(expected);
    expect(parts).toBeGreaterThan(20);
  });
});

/** A task set that cannot be played. */
function onFire(taskSet: TaskSet): TaskSet {
  return {
    ...taskSet,
    get maxSteps(): number {
      throw new Error('the device is on fire');
    },
  };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Answers that must not count, by who gives them. */
function liesAbout({ session, round, name, index, attempt, weights }: Piece): [string, Answer][] {
  const common = { protocol: 3, version, session, round, name, index, attempt, weights, seconds: 0.1 };
  const step = {
    observation: 'two doors',
    actions: ['left', 'right'],
    reply: [1],
    logProbs: floatsToText([-1]),
    reward: 10,
    seconds: { reply: 0, world: 0 },
  };
  const won = { instruction: 'go', steps: [step], success: true, score: 1, components: {}, faults: 0 };
  const result: Answer['result'] = { kind: 'episodes', episodes: [won, won], faults: [] };
  const lie = (worker: string, changes: Partial<Answer>): [string, Answer] => [
    worker,
    { ...common, worker, result, ...changes },
  ];
  return [
    lie('late', { session: 'another' }),
    lie('stale', { weights: '0'.repeat(64) }),
    lie('early', { round: round + 1 }),
    lie('old', { version: '0' }),
    lie('short', { result: { kind: 'episodes', episodes: [], faults: [] } }),
  ];
}
