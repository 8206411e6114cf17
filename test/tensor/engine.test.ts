/** Programs: compiled once, run many times, with shared memory and in-place updates. */
import { describe, expect, it } from 'vitest';
import { add, multiply, scale } from '../../kernels/elementwise.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import { assign } from '../../src/tensor/assign.ts';
import { differentiable, filled, grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input, launch, type Tensor } from '../../src/tensor/tensor.ts';
import { ParameterSlab, Variable } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const plus = (a: Tensor, b: Tensor) => launch(add, { count: a.size }, { a, b }, { y: a.shape }).y;
const times = (a: Tensor, b: Tensor): Tensor =>
  differentiable('times', [a, b], launch(multiply, { count: a.size }, { a, b }, { y: a.shape }).y, (dy) => [
    times(dy, b),
    times(dy, a),
  ]);
const scaled = (a: Tensor, factor: number) => launch(scale, { count: a.size, factor }, { a }, { y: a.shape }).y;

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it('runs a graph again with other inputs', async () => {
    const engine = await makeEngine();
    const [x, y] = [input('x', [3]), input('y', [3])];
    const program = await engine.compile({ name: 'sum', outputs: { z: plus(x, scaled(y, 2)) } });
    expect([...(await program.run({ x: new Float32Array([1, 2, 3]), y: new Float32Array([1, 1, 1]) })).z]).toEqual([
      3, 4, 5,
    ]);
    expect([...(await program.run({ x: new Float32Array([0, 0, 0]), y: new Float32Array([1, 2, 3]) })).z]).toEqual([
      2, 4, 6,
    ]);
  });

  it('says which input is missing or has the wrong length', async () => {
    const engine = await makeEngine();
    const program = await engine.compile({ name: 'double', outputs: { y: scaled(input('x', [3]), 2) } });
    await expect(program.run({})).rejects.toThrow(
      'program double needs 3 values of f32 as its input x; it was given nothing',
    );
    await expect(program.run({ x: new Float32Array(2) })).rejects.toThrow('it was given Float32Array of 2');
    // As programs in JavaScript may.
    await expect(program.run({ x: [1, 2, 3] as never })).rejects.toThrow('it was given Array of 3');
  });

  it('differentiates through a tensor that is used several times', async () => {
    const engine = await makeEngine();
    const slab = new ParameterSlab('w', [{ name: 'w', shape: [1], decay: true, initial: [3] }]);
    const w = slab.get('w');
    const [gradient] = grad(times(times(w, w), w), [w]);
    const program = await engine.compile({ name: 'cube', outputs: { gradient: gradient! } });
    expect((await program.run()).gradient[0]).toBe(27);
  });

  it('keeps variables between runs, and writes assigned values straight into them', async () => {
    const engine = await makeEngine();
    const total = new Variable('total', [128]);
    const x = input('x', [64]);
    const after = assign(total.tensor, [
      { offset: 0, value: scaled(x, 2) },
      { offset: 64, value: scaled(x, 3) },
    ]);
    const program = await engine.compile({ name: 'assign', updates: [after] });
    expect(program.dispatches).toBe(2);
    await program.run({ x: new Float32Array(64).fill(5) });
    const values = await engine.read(total);
    expect([values[0], values[63], values[64], values[127]]).toEqual([10, 10, 15, 15]);
  });

  it('copies an assigned value where no kernel can write it in place', async () => {
    const engine = await makeEngine();
    const total = new Variable('total', [64]);
    const program = await engine.compile({
      name: 'copy',
      updates: [assign(total.tensor, [{ offset: 0, value: input('x', [64]) }])],
    });
    await program.run({ x: new Float32Array(64).fill(7) });
    expect((await engine.read(total))[63]).toBe(7);
  });

  it('shares memory between values whose lifetimes do not overlap', async () => {
    const engine = await makeEngine();
    let chain = input('x', [1024]);
    for (let i = 0; i < 10; i++) chain = scaled(chain, 1.5);
    const program = await engine.compile({ name: 'chain', outputs: { chain } });
    expect(program.memory).toEqual({ planned: 2 * 4096, sum: 11 * 4096, lowerBound: 2 * 4096 });
    expect((await program.run({ x: new Float32Array(1024).fill(1) })).chain[0]).toBeCloseTo(1.5 ** 10, 3);
  });

  it('fills gradients that do not exist with zeros', async () => {
    const engine = await makeEngine();
    const slab = new ParameterSlab('w', [
      { name: 'used', shape: [1], decay: true, initial: [2] },
      { name: 'unused', shape: [2], decay: false, initial: [1, 1] },
    ]);
    const loss = times(slab.get('used'), filled([1], 4));
    const [used, unused] = grad(loss, [slab.get('used'), slab.get('unused')]);
    const program = await engine.compile({ name: 'gradients', outputs: { used: used!, unused: unused! } });
    const result = await program.run();
    expect([...result.used, ...result.unused]).toEqual([4, 0, 0]);
  });
});

describe('an engine that ends', () => {
  const adapter = testAdapters.at(-1)!;
  const doubling = (engine: Engine, variable: Variable) =>
    engine.compile({ name: 'doubling', outputs: { y: scaled(variable.tensor, 2) } });

  it('frees its programs and variables, and those of its parts, and no others', async () => {
    const engine = new Engine(await testDevice(adapter));
    const part = engine.part();
    const [whole, inner] = [new Variable('whole', [64]), new Variable('inner', [64])];
    const ofWhole = await doubling(engine, whole);
    const ofBoth = await doubling(part, inner);
    const shared = await doubling(part, whole);
    engine.write(inner, new Float32Array(64).fill(3));
    expect((await ofBoth.run()).y[0]).toBe(6);
    expect(engine.memory.variables).toBe(512);
    part.destroy();
    part.destroy();
    expect(engine.memory.variables).toBe(256);
    await expect(ofBoth.run()).rejects.toMatchObject({ code: 'destroyed' });
    await expect(shared.run()).rejects.toMatchObject({ code: 'destroyed' });
    expect((await ofWhole.run()).y[0]).toBe(0);
    await expect(doubling(part, whole)).rejects.toThrow(
      'the engine that was to compile doubling was destroyed; make another.',
    );
    {
      await using other = engine.part();
      await doubling(other, inner);
      expect(engine.memory.variables).toBe(512);
    }
    expect(engine.memory.variables).toBe(256);
    engine.destroy();
    expect(engine.memory.variables).toBe(0);
    await expect(ofWhole.run()).rejects.toMatchObject({ code: 'destroyed' });
  });

  it('frees what programs shared when no other engine of the device is left', async () => {
    const gpu = await openDevice(adapter);
    const [one, other] = [new Engine(gpu), new Engine(gpu)];
    const program = await one.compile({ name: 'doubling', outputs: { y: scaled(input('x', [64]), 2) } });
    await other.compile({ name: 'halving', outputs: { y: scaled(input('x', [64]), 0.5) } });
    const running = program.run({ x: new Float32Array(64).fill(3) });
    one.destroy();
    expect(other.memory.shared).toBeGreaterThan(0);
    other.destroy();
    expect((await running).y[0]).toBe(6);
    expect(gpu.memory()).toEqual({ bytes: 0, holders: [] });
    gpu.destroy();
  });

  it('lets what runs come to its end, and takes along what is being compiled', async () => {
    const engine = new Engine(await testDevice(adapter));
    const program = await doubling(engine, new Variable('v', [64], 'f32', new Float32Array(64).fill(4)));
    const [running, compiling] = [program.run(), doubling(engine, new Variable('late', [64]))];
    engine.destroy();
    const [ran, compiled] = await Promise.allSettled([running, compiling]);
    expect(ran).toMatchObject({ status: 'fulfilled', value: { y: expect.objectContaining({ 0: 8 }) } });
    expect(compiled).toMatchObject({ status: 'rejected', reason: { code: 'destroyed' } });
    expect(engine.memory.variables).toBe(0);
  });
});
