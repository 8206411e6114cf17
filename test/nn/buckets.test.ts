/** Programs that are made once for each bucket, and what becomes of those that could not be made. */
import { expect, it, vi } from 'vitest';
import { Cache, destroyPrograms } from '../../src/nn/buckets.ts';
import type { Program } from '../../src/tensor/engine.ts';

it('makes a value once, and keeps the failure to make it', async () => {
  const cache = new Cache<number>();
  const make = vi.fn(async () => 1);
  const fail = vi.fn(async () => Promise.reject(new Error('does not compile')));
  for (let time = 0; time < 2; time++) {
    expect(await cache.get('good', make)).toBe(1);
    await expect(cache.get('bad', fail)).rejects.toThrow('does not compile');
  }
  expect([make.mock.calls.length, fail.mock.calls.length]).toEqual([1, 1]);
  expect(cache.drain()).toHaveLength(2);
  expect(cache.drain()).toEqual([]);
});

it('destroys the programs that there are, without an unhandled rejection for one that did not compile', async () => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  const destroy = vi.fn();
  const late = new Promise<Program>((done) => setTimeout(() => done({ destroy } as unknown as Program)));
  destroyPrograms([Promise.reject(new Error('does not compile')), late]);
  await late;
  await new Promise((done) => setTimeout(done));
  process.off('unhandledRejection', unhandled);
  expect(destroy).toHaveBeenCalledOnce();
  expect(unhandled).not.toHaveBeenCalled();
});
