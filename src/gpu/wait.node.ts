/**
 * Waiting asleep. While a WebGPU promise is pending, Dawn's Node binding polls from `setImmediate` and keeps the main
 * thread at full speed, which on a software adapter takes a core from the threads that compute. Short sleeps between
 * the polls give it back.
 *
 * How much longer than it should a sleep lasts is up to the system: 0.1 ms on Linux and macOS, up to 16 ms on Windows.
 * On a software adapter the work goes on meanwhile. A GPU may be done long before, so there a wait sleeps only once it
 * has lasted so long that this does not matter.
 */

/** What a waiter takes from the system. Times are in milliseconds. */
export interface Clock {
  now(): number;
  sleep(ms: number): void;
}

const cell = new Int32Array(new SharedArrayBuffer(4));
const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms) => void Atomics.wait(cell, 0, 0, ms),
};

/** Time to poll at full speed first, so that short waits stay short, in milliseconds. */
const eagerMs = 0.3;
const longestSleepMs = 1;
/** Share of the time waited so far that the next sleep may take: what a wait is longer than the work, at most. */
const sleepShare = 1 / 32;
/** Weight of the last sleep in the mean: one that lasted long because the machine was busy is soon forgotten. */
const lastWeight = 0.25;

/** Waits for promises of WebGPU on an adapter. */
export function makeWait(kind: 'cpu' | 'gpu', clock: Clock = systemClock): <T>(promise: Promise<T>) => Promise<T> {
  /** How much longer than they should sleeps last, as a running mean. */
  let excessMs = 0;
  const sleepFor = (ms: number) => {
    const start = clock.now();
    clock.sleep(ms);
    excessMs += lastWeight * (clock.now() - start - ms - excessMs);
  };
  return async (promise) => {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    promise.then(settle, settle);
    const start = clock.now();
    while (!settled) {
      await new Promise((resolve) => setImmediate(resolve));
      const waited = clock.now() - start;
      const bearable = waited * sleepShare;
      if (!settled && waited > eagerMs && (kind === 'cpu' || excessMs <= bearable))
        sleepFor(Math.min(longestSleepMs, bearable));
    }
    return promise;
  };
}
