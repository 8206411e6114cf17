/** Bind groups are shared, made when a program first runs, given back with it, and bounded in their number. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { scale } from '../../kernels/elementwise.ts';
import { type Bindings, mostBindGroups } from '../../src/gpu/bindGroups.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input, launch, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const scaled = (a: Tensor, factor: number) => launch(scale, { count: a.size, factor }, { a }, { y: a.shape }).y;
/**
 * A chain of `length` kernels that takes turns between two buffers.
 * @param factors how many kinds of steps there are
 */
function chain(length: number, count = 64, factors = 1): Tensor {
  let value = input('x', [count]);
  for (let step = 0; step < length; step++) value = scaled(value, 1 + (step % factors));
  return value;
}
/** Mappings of the process's memory. */
const mappings = () => readFileSync('/proc/self/maps', 'utf8').split('\n').length;

describe.each(testAdapters)('on %s', (adapter) => {
  afterEach(async () => {
    (await testDevice(adapter)).bindGroups.most = mostBindGroups;
  });

  it('shares them between launches that bind the same buffers and parameters', async () => {
    const engine = new Engine(await testDevice(adapter));
    const [groups, maps] = [engine.memory.bindGroups, mappings()];
    const program = await engine.compile({ name: 'chain', outputs: { y: chain(3000) } });
    expect(engine.memory.bindGroups).toBe(groups);
    await program.run({ x: new Float32Array(64) });
    expect(program.dispatches).toBe(3000);
    expect(engine.memory.bindGroups - groups).toBeLessThanOrEqual(3);
    expect(mappings() - maps).toBeLessThan(1500);
    program.destroy();
    expect(engine.memory.bindGroups).toBe(groups);
  });

  it('shares them between programs, and keeps what another still uses', async () => {
    const engine = new Engine(await testDevice(adapter));
    const groups = engine.memory.bindGroups;
    const compile = (length: number) => engine.compile({ name: `${length}`, outputs: { y: chain(length, 64, 2) } });
    const [first, second] = [await compile(10), await compile(20)];
    const x = Float32Array.of(...new Array<number>(64).fill(1));
    expect((await first.run({ x })).y[0]).toBe(2 ** 5);
    const shared = engine.memory.bindGroups - groups;
    expect((await second.run({ x })).y[0]).toBe(2 ** 10);
    expect(engine.memory.bindGroups - groups).toBe(shared);
    first.destroy();
    expect(engine.memory.bindGroups - groups).toBe(shared);
    expect((await second.run({ x })).y[0]).toBe(2 ** 10);
    second.destroy();
    expect(engine.memory.bindGroups).toBe(groups);
  });

  it('takes them from the programs that ran longest ago where there would be too many', async () => {
    const gpu = await testDevice(adapter);
    const engine = new Engine(gpu);
    const sizes = [64, 128, 192, 256];
    const programs = await Promise.all(
      sizes.map((size) => engine.compile({ name: `${size}`, outputs: { y: chain(4, size, 4) } })),
    );
    gpu.bindGroups.most = engine.memory.bindGroups + 9;
    for (let round = 0; round < 3; round++) {
      for (const [index, size] of sizes.entries()) {
        const { y } = await programs[index]!.run({ x: new Float32Array(size).fill(round + 1) });
        expect([y[0], y[size - 1]]).toEqual([24 * (round + 1), 24 * (round + 1)]);
        expect(engine.memory.bindGroups).toBeLessThanOrEqual(gpu.bindGroups.most);
      }
    }
    for (const program of programs) program.destroy();
  });

  it('says what to do where one program needs too many', async () => {
    const gpu = await testDevice(adapter);
    gpu.bindGroups.most = 3;
    const compiled = new Engine(gpu).compile({ name: 'long', outputs: { y: chain(4, 64, 4) } });
    await expect(compiled).rejects.toMatchObject({
      code: 'shape',
      message: expect.stringMatching(/the program long binds 4 different sets of buffers, but 3 .*blockSize/),
    });
  });

  it('has what nobody uses collected before it adds up', async () => {
    const gpu = await testDevice(adapter);
    const buffer = gpu.createStorage(2 ** 20, 'ranges');
    const { layout } = await gpu.pipelines.get(scale, scale.variants.at(-1)!);
    const uniform = gpu.createBuffer(256, GPUBufferUsage.UNIFORM, 'parameters');
    const parameters = { buffer: uniform, offset: 0, size: 256 };
    const [maps, per, rounds] = [mappings(), 2000, 30];
    for (let round = 0; round < rounds; round++) {
      const bindings = new Map<string, Bindings>();
      for (let index = 0; index < per; index++) {
        const range = { buffer, offset: 256 * (index % 4000), size: 256 };
        bindings.set(`${round} ${index}`, { layout, ranges: [parameters, range, { buffer, offset: 0, size: 256 }] });
      }
      const user = { bindings, forget: () => {} };
      expect(gpu.bindGroups.take(user)).toHaveLength(per);
      gpu.bindGroups.release(user);
      // Drivers take them back when what was submitted since is done.
      gpu.device.queue.submit([gpu.device.createCommandEncoder().finish()]);
      await gpu.idle();
    }
    expect(mappings() - maps).toBeLessThan((per * rounds) / 2);
    for (const made of [buffer, uniform]) made.destroy();
  });
});
