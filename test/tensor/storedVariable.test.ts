/** Reads, writes and copies of variables: ranges that there are not, elements within a word, calls that overlap. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/tensor/engine.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { halfAdapter, needsHalf, testAdapters, testDevice } from '../support/adapters.ts';

const counting = (count: number) => Float32Array.from({ length: count }, (_, i) => i);

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it('refuses ranges that are not within a variable', async () => {
    const engine = await makeEngine();
    const variable = new Variable('v', [10], 'f32', counting(10));
    for (const [offset, count] of [
      [5, 6],
      [-1, 2],
      [0.5, 1],
      [0, Number.NaN],
    ] as const)
      await expect(engine.read(variable, offset, count)).rejects.toMatchObject({
        code: 'shape',
        message: `${count} values at ${offset} are not within the variable v of 10.`,
      });
    expect(() => engine.write(variable, [1, 2], 9)).toThrow('2 values at 9 are not within the variable v of 10.');
    expect(() => engine.write(variable, [1], -1)).toThrow('are not within');
    expect(() => engine.copy(variable, new Variable('w', [4]), 7)).toThrow('types and sizes must fit');
    expect([...(await engine.read(variable, 8))]).toEqual([8, 9]);
  });

  it('reads all buffers of a variable as they were when it was asked', async () => {
    const engine = await makeEngine();
    const pieces = [0, 128, 256].map((start) => ({ start, size: 128 }));
    const variable = new Variable('cut', [384], 'f32', counting(384), pieces);
    const before = engine.read(variable, 100, 200);
    engine.write(variable, new Float32Array(384));
    expect([...(await before)]).toEqual([...counting(300).slice(100)]);
    expect([...(await engine.read(variable, 250, 20))]).toEqual(Array(20).fill(0));
  });
});

describe('in f16', needsHalf, () => {
  it('reads from any element on, and copies from every second', async () => {
    const engine = new Engine(await testDevice(halfAdapter!));
    const variable = new Variable('half', [11], 'f16', counting(12).slice(0, 11));
    expect([...(await engine.read(variable, 3, 4))]).toEqual([3, 4, 5, 6]);
    expect([...(await engine.read(variable, 10, 1))]).toEqual([10]);
    const part = new Variable('part', [5], 'f16');
    engine.copy(variable, part, 6);
    expect([...(await engine.read(part))]).toEqual([6, 7, 8, 9, 10]);
    expect(() => engine.copy(variable, part, 5)).toThrow('f16 begins at an even element');
  });
});
