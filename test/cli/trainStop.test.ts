/** `proxmo train` that is asked to stop, or that nobody listens to any more. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { tinyFlags, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-train-stop-'));
const world = writeTinyWorld(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Trains, and does something to the process once its standard error says so. */
function train(dir: string, iterations: number, moment: string, act: (child: ChildProcess) => void) {
  let text = '';
  return proxmo(['train', ...tinyFlags(world), '--iterations', String(iterations), '--out', dir], {
    onStart: (child) =>
      child.stderr!.on('data', (part) => {
        const isBefore = !text.includes(moment);
        text += part;
        if (isBefore && text.includes(moment)) act(child);
      }),
  });
}

describe('a run that is asked to stop', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s ends with a checkpoint, and says which', async (signal) => {
    const dir = join(folder, signal);
    const { code, stderr } = await train(dir, 100_000, 'iteration 2/', (child) => child.kill(signal));
    expect(code).toBe(130);
    const saved =
      /^proxmo: Stopped\. Iteration (\d+) of 100000 is saved; go on with: proxmo train --resume (.*)$/m.exec(stderr);
    expect(saved?.[2]).toBe(dir);
    expect(readFileSync(join(dir, 'checkpoints', 'latest'), 'utf8').trim()).toBe(saved![1]!.padStart(6, '0'));
    expect(existsSync(join(dir, 'run.lock'))).toBe(false);
  });

  it('by one key press that arrives several times does not stop at once', async () => {
    const dir = join(folder, 'pressed');
    const press = (child: ChildProcess) => {
      for (let time = 0; time < 3; time++) child.kill('SIGINT');
      child.kill('SIGTERM');
    };
    const { code, stderr } = await train(dir, 100_000, 'iteration 2/', press);
    expect(code).toBe(130);
    expect(stderr).toMatch(/Stopped\. Iteration \d+ of 100000 is saved/);
  });
});

describe('a run whose output is closed', () => {
  it('goes on to its end, and says so in its log', async () => {
    const dir = join(folder, 'unheard');
    const { code } = await train(dir, 6, 'iteration 2/', (child) => {
      child.stderr!.destroy();
      child.stdout!.destroy();
    });
    expect(code).toBe(0);
    expect(readdirSync(dir)).toContain('summary.json');
    const log = readFileSync(join(dir, 'run.log'), 'utf8');
    expect(log).toMatch(/standard error is closed \(EPIPE\); the run goes on without it\n/);
    expect(log).toMatch(/finished after iteration 6\n/);
    expect(log).toMatch(/standard output is closed \(EPIPE\)/);
  });
});
