/** Fleets of processes, some of which are killed: the command line, as a user has it. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { packageVersion } from '../../src/base/packageVersion.ts';
import { listCheckpoints } from '../../src/runs/checkpoint.ts';
import { testAdapters } from '../support/adapters.ts';
import { proxmo } from '../support/cli.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { essenceOf } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = { PROXMO_ADAPTER: testAdapters.at(-1)! };
/** A household run that is as small as they get. */
const settings = [
  'policy.dModel=16 policy.layers=1 policy.heads=2 policy.kvHeads=1 policy.dFf=16 warmStart.tasks=0',
  'training.iterations=3 training.tasks=4 training.groupSize=2 training.pool=8 training.miniBatches=1',
  'training.groupsAtOnce=1 evaluation.tasks=4 checkpoints.every=1 checkpoints.keep=9 environment.options.maxSteps=6',
].flatMap((line) => line.split(' ').flatMap((setting) => ['--set', setting]));

describe('processes of a fleet', needsNatsServer, () => {
  it('may be killed, a worker as well as the coordinator, and the run comes to the same bits', {
    timeout: 300_000,
  }, async () => {
    const alone = join(folder, 'alone');
    expect(await proxmo(['train', '--out', alone, ...settings], { env })).toMatchObject({ code: 0 });
    const expected = await essenceOf(alone);

    await using server = await NatsServer.start();
    const dir = join(folder, 'fleet');
    const worker = (onStart: (child: ChildProcess) => void = () => {}) =>
      proxmo(['worker', server.address, '--run', 'fleet', '--json'], { env, onStart });
    // The first word of a piece that has begun kills its worker.
    const watcher = await connect({ servers: server.address });
    let first: ChildProcess | undefined;
    watcher.subscribe('proxmo.fleet.taken', { max: 1, callback: () => void first?.kill('SIGKILL') });
    const killed = worker((child) => {
      first = child;
    });
    let coordinator: ChildProcess | undefined;
    const training = proxmo(['train', '--fleet', server.address, '--out', dir, ...settings], {
      env,
      onStart: (child) => {
        coordinator = child;
      },
    });
    expect(await killed).toMatchObject({ code: 1 });
    const second = worker();
    while ((await listCheckpoints(join(dir, 'checkpoints')).catch(() => [])).at(-1) !== 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
    coordinator?.kill('SIGKILL');
    await training;

    const status = await proxmo(['fleet', 'status', server.address, '--json']);
    expect(JSON.parse(status.stdout)).toMatchObject([{ run: 'fleet', version: packageVersion }]);
    const resumed = await proxmo(['train', '--fleet', server.address, '--resume', dir], { env });
    expect(resumed).toMatchObject({ code: 0 });
    const { code, stdout, stderr } = await second;
    expect([code, stderr]).toEqual([0, expect.stringContaining('fleet has ended')]);
    expect(JSON.parse(stdout).pieces).toBeGreaterThan(0);
    expect(await essenceOf(dir)).toEqual(expected);
    await watcher.close();
  });

  it('are started and ended by train --workers', async () => {
    const dir = join(folder, 'workers');
    const { code, stdout, stderr } = await proxmo(['train', '--workers', '1', '--out', dir, '--json', ...settings], {
      env,
    });
    expect([code, stderr]).toEqual([0, expect.stringMatching(/-\d+-[0-9a-f]{4}: \d+ pieces, \d+ episodes/)]);
    expect(JSON.parse(stdout).run).toBe(dir);
    expect(await essenceOf(dir)).toEqual(await essenceOf(join(folder, 'alone')));
  });

  it('say what is wrong with an address, and where nothing answers', async () => {
    const wrong = await proxmo(['worker', 'http://127.0.0.1']);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      'proxmo: http://127.0.0.1 is no address of a NATS server; write it as nats://HOST:4222.\n',
    ]);
    const away = await proxmo(['train', '--fleet', 'nats://127.0.0.1:9', '--out', join(folder, 'none'), ...settings], {
      env,
    });
    expect([away.code, away.stderr]).toEqual([
      1,
      expect.stringMatching(/No NATS server can be used at nats:\/\/127\.0\.0\.1:9: .*apt-get install nats-server/),
    ]);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});

it('train --workers says how to get a server where there is none', async () => {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const dir = join(folder, 'nothing');
  const { code, stderr } = await proxmo(['train', '--workers', '2', '--out', dir, ...settings], {
    env: { ...env, PATH: bin },
  });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/nats-server is not installed; get it .*apt-get install/)]);
  expect(existsSync(dir)).toBe(false);
});

it.each([
  [['--fleet', 'nats://x', '--env', './mine.mjs'], /Workers of a fleet play household, .* but the run plays /],
  [['--fleet', 'nats://x', '--fleet-run', 'a b'], /A run of a fleet cannot be called "a b"/],
  [['--fleet-run', 'a'], /give the address of its server too/],
])('train %s is refused before anything is made', async (args, message) => {
  writeFileSync(join(folder, 'mine.mjs'), 'export default () => {};');
  const { code, stderr } = await proxmo(['train', ...args, '--out', 'out', ...settings], { env, cwd: folder });
  expect([code, stderr]).toEqual([expect.any(Number), expect.stringMatching(message)]);
  expect(code).toBeGreaterThan(0);
  expect(existsSync(join(folder, 'out'))).toBe(false);
});
