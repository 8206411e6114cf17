/** The queue that keeps an object's asynchronous calls apart. */
import { expect, it } from 'vitest';
import { Queue } from '../../src/base/queue.ts';

/** Work that notes its start and its end, some microtasks apart. */
function workOf(log: string[], name: string, pauses: number, error?: Error) {
  return async () => {
    log.push(`${name} begins`);
    for (let pause = 0; pause < pauses; pause++) await Promise.resolve();
    log.push(`${name} ends`);
    if (error) throw error;
    return name;
  };
}

it('begins work in the order in which it was asked for, when what came before has ended', async () => {
  const [queue, log] = [new Queue(), [] as string[]];
  const results = await Promise.all([queue.run(workOf(log, 'long', 9)), queue.run(workOf(log, 'short', 1))]);
  expect(results).toEqual(['long', 'short']);
  expect(log).toEqual(['long begins', 'long ends', 'short begins', 'short ends']);
});

it('goes on after an error, which is for its own caller alone', async () => {
  const [queue, log] = [new Queue(), [] as string[]];
  const failed = queue.run(workOf(log, 'first', 5, new Error('no')));
  const second = queue.run(workOf(log, 'second', 1));
  await expect(failed).rejects.toThrow('no');
  expect(await second).toBe('second');
  expect(log).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
});
