/** Waiting asleep, by a clock of the test's own whose sleeps last as long as a system's. */
import { describe, expect, it } from 'vitest';
import { makeWait } from '../../src/gpu/wait.node.ts';

/**
 * A machine on which a poll takes 0.02 ms.
 * @param grainMs a sleep lasts at least so long
 */
function machine(kind: 'cpu' | 'gpu', grainMs: number) {
  let time = 0;
  let asleep = 0;
  const wait = makeWait(kind, {
    now: () => (time += 0.01),
    sleep: (ms) => {
      const lasts = Math.max(ms, grainMs);
      time += lasts;
      asleep += lasts;
    },
  });
  return {
    /** Waits for work of so many milliseconds. @returns how long the wait was, and how much of it was sleep */
    async run(workMs: number): Promise<{ readonly waited: number; readonly asleep: number }> {
      const [start, asleepBefore] = [time, asleep];
      let done = () => {};
      const work = new Promise<void>((resolve) => {
        done = resolve;
      });
      const poll = () => {
        if (time - start >= workMs) done();
        else setImmediate(poll);
      };
      setImmediate(poll);
      await wait(work);
      return { waited: time - start, asleep: asleep - asleepBefore };
    },
  };
}

describe('waiting', () => {
  it.each(['cpu', 'gpu'] as const)('sleeps through most of long work on a %s where sleeps are short', async (kind) => {
    const { run } = machine(kind, 0.06);
    const { waited, asleep } = await run(200);
    expect(waited).toBeLessThan(200 * 1.05);
    expect(asleep).toBeGreaterThan(100);
  });

  it('does not prolong short work on a GPU where sleeps are coarse', async () => {
    const { run } = machine('gpu', 15.6);
    // The first sleeps show how coarse they are.
    await run(5);
    await run(5);
    for (let i = 0; i < 5; i++) expect((await run(5)).waited).toBeLessThan(5.5);
    const { waited, asleep } = await run(2000);
    expect(waited).toBeLessThan(2000 * 1.05);
    expect(asleep).toBeGreaterThan(500);
  });

  it('leaves the cores to a software adapter, however coarse sleeps are', async () => {
    const { run } = machine('cpu', 15.6);
    await run(100);
    expect((await run(100)).asleep).toBeGreaterThan(80);
  });

  it('gives on what the promise ends with', async () => {
    const wait = makeWait('cpu');
    expect(await wait(Promise.resolve(7))).toBe(7);
    await expect(wait(Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  });
});
