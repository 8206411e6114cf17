/**
 * How many bytes something leaves behind each time it is done: the slope of a straight line through what is in use
 * after each round.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { GpuContext } from '../../gpu/context.ts';

/** Bytes a round, with the standard error. */
export interface Slope {
  readonly bytes: number;
  readonly error: number;
}

/** Least squares over equal steps. @param values one for each round, three at least */
export function slopeOf(values: readonly number[]): Slope {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = values.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  const bytes = values.reduce((sum, value, i) => sum + (i - middle) * (value - mean), 0) / spread;
  const squares = values.reduce((sum, value, i) => sum + (value - mean - bytes * (i - middle)) ** 2, 0);
  return { bytes, error: Math.sqrt(squares / (values.length - 2) / spread) };
}

/**
 * Growth of JavaScript's heap, of array buffers, and of the device's buffers.
 * @param warmUps rounds before those that are measured, in which what is made once is made
 */
export async function measureGrowth(
  gpu: GpuContext,
  warmUps: number,
  rounds: number,
  run: (round: number) => Promise<unknown>,
): Promise<Record<string, Slope>> {
  const heap: number[] = [];
  const arrays: number[] = [];
  const device: number[] = [];
  for (let round = 0; round < warmUps; round++) await run(round);
  for (let round = 0; round < rounds; round++) {
    await run(warmUps + round);
    await collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    heap.push(heapUsed);
    arrays.push(arrayBuffers);
    device.push(gpu.allocations.bytes);
  }
  return { heap: slopeOf(heap), arrays: slopeOf(arrays), device: slopeOf(device) };
}

/** What finalisers free lives for one collection more. */
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    garbageCollector()();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
