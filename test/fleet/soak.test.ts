/**
 * A fleet of processes of which some are killed at random, again and again: worker, server with and without what it had
 * stored, coordinator. In the end it has the bits of an undisturbed run. A quarter of a minute by default;
 * `PROXMO_SOAK_MINUTES=20 npx vitest run test/fleet/soak.test.ts` takes as long as it says.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/envs/random.ts';
import { openRun } from '../../src/runs/run.ts';
import { testAdapters } from '../support/adapters.ts';
import { type CliResult, proxmo } from '../support/cli.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { essenceOf } from '../support/tinyRun.ts';

const minutes = Number(process.env.PROXMO_SOAK_MINUTES ?? 0.25);
const seed = Number(process.env.PROXMO_SOAK_SEED ?? Date.now() % 1000);
const folder = mkdtempSync(join(tmpdir(), 'proxmo-soak-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = { PROXMO_ADAPTER: testAdapters.at(-1)! };
const settings = [
  'policy.dModel=16 policy.layers=1 policy.heads=2 policy.kvHeads=1 policy.dFf=16 warmStart.tasks=0',
  'training.tasks=4 training.groupSize=2 training.pool=8 training.miniBatches=1 training.groupsAtOnce=1',
  'evaluation.tasks=4 checkpoints.every=1 checkpoints.keep=3 environment.options.maxSteps=6 rollouts.keep=none',
].flatMap((line) => line.split(' ').flatMap((setting) => ['--set', setting]));

/** A command under way. */
interface Running {
  readonly child: ChildProcess;
  readonly done: Promise<CliResult>;
}

function start(args: readonly string[]): Promise<Running> {
  return new Promise((resolve) => {
    const done: Promise<CliResult> = proxmo(args, { env, onStart: (child) => resolve({ child, done }) });
  });
}

async function kill({ child, done }: Running): Promise<void> {
  child.kill('SIGKILL');
  await done;
}

describe('a fleet', needsNatsServer, () => {
  it(`survives ${minutes} minutes of random kills (seed ${seed})`, {
    timeout: 60_000 * (3 * minutes + 8),
  }, async () => {
    await using server = await NatsServer.start();
    const random = new RandomStream(seed);
    const dir = join(folder, 'soak');
    const train = ['train', '--fleet', server.address];
    const newWorker = () => start(['worker', server.address, '--run', 'soak']);
    const workers = [await newWorker(), await newWorker()];
    let coordinator = await start([...train, '--out', dir, '--iterations', '100000', ...settings]);
    const done = async () => (await (await openRun(dir)).readMetrics()).filter(({ kind }) => kind === 'train').length;
    /** Waits for an iteration. A coordinator that ended, since it found no server as it began, is started again. */
    const reaches = async (iteration: number) => {
      while ((await done().catch(() => 0)) < iteration) {
        await pause(200);
        if (coordinator.child.exitCode === null) continue;
        const { stderr } = await coordinator.done;
        expect(stderr).toMatch(/NATS server/);
        coordinator = await start([...train, '--resume', dir]);
      }
    };
    await reaches(1);

    for (const end = Date.now() + 60_000 * minutes; Date.now() < end; ) {
      const what = random.below(6);
      if (what <= 2) {
        const which = random.below(workers.length);
        await kill(workers[which]!);
        workers[which] = await newWorker();
      } else if (what === 3) {
        await kill(coordinator);
        coordinator = await start([...train, '--resume', dir]);
      } else {
        await (what === 4 ? server.down() : server.lose());
        await pause(random.below(2000));
        await server.up();
      }
      await pause(1000 + random.below(7000));
    }

    const before = await done();
    // It goes on after all that, and ends as it is asked to.
    await reaches(before + 2);
    coordinator.child.kill('SIGINT');
    expect(await coordinator.done).toMatchObject({ code: 130 });
    for (const worker of workers) worker.child.kill('SIGTERM');
    await Promise.all(workers.map((worker) => worker.done));
    const { iteration, tensors } = await essenceOf(dir);
    const records = await (await openRun(dir)).readMetrics();
    // No iteration is lost, and none is counted twice.
    const numbers = records.flatMap((record) => (record.kind === 'train' ? [record.iteration] : []));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(iteration).toBe(numbers.length);

    const alone = join(folder, 'alone');
    const undisturbed = await proxmo(['train', '--out', alone, '--iterations', `${iteration}`, ...settings], { env });
    expect(undisturbed).toMatchObject({ code: 0 });
    expect((await essenceOf(alone)).tensors).toEqual(tensors);
  });
});
