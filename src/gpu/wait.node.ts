/**
 * Waiting asleep. While a WebGPU promise is pending, Dawn's Node binding polls from `setImmediate` and keeps the main
 * thread at full speed, which on a software adapter takes a core from the threads that compute. Short sleeps between
 * the polls give it back.
 */

const cell = new Int32Array(new SharedArrayBuffer(4));
/** Time to poll at full speed first, so that short waits stay short, in milliseconds. */
const eagerMs = 0.3;
const longestSleepMs = 1;
/** Share of the time waited so far that the next sleep may take: what a wait is longer than the work, at most. */
const sleepShare = 1 / 32;

export async function waitAsleep<T>(promise: Promise<T>): Promise<T> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  promise.then(settle, settle);
  const start = performance.now();
  while (!settled) {
    await new Promise((resolve) => setImmediate(resolve));
    const waited = performance.now() - start;
    if (!settled && waited > eagerMs) Atomics.wait(cell, 0, 0, Math.min(longestSleepMs, waited * sleepShare));
  }
  return promise;
}
