/** Runs that overlap, and programs that are used after their end or with inputs that they do not have. */
import { describe, expect, it } from 'vitest';
import { add, scale } from '../../kernels/elementwise.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import { Profiler } from '../../src/gpu/profiler.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { accumulate } from '../../src/tensor/gradients.ts';
import { constant, input, launch, type Tensor } from '../../src/tensor/tensor.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const plus = (a: Tensor, b: Tensor) => launch(add, { count: a.size }, { a, b }, { y: a.shape }).y;
const scaled = (a: Tensor, factor: number) => launch(scale, { count: a.size, factor }, { a }, { y: a.shape }).y;
const ones = (factor: number) => new Float32Array(64).fill(factor);

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));
  const doubling = (engine: Engine, name = 'double') =>
    engine.compile({ name, outputs: { y: scaled(input('x', [64]), 2) } });

  it('gives each of the runs that overlap its own outputs', async () => {
    const engine = await makeEngine();
    const [double, triple] = [
      await doubling(engine),
      await engine.compile({ name: 'triple', outputs: { y: scaled(input('x', [64]), 3) } }),
    ];
    for (let round = 0; round < 2; round++) {
      const runs = [1, 2, 3, 4].flatMap((x) => [double.run({ x: ones(x) }), triple.run({ x: ones(x) })]);
      const results = await Promise.all(runs);
      expect(results.map(({ y }) => [y[0], y[63]])).toEqual([2, 3, 4, 6, 6, 9, 8, 12].map((value) => [value, value]));
    }
  });

  it('reads its inputs when it is called, and keeps its place among reads and writes of variables', async () => {
    const engine = await makeEngine();
    const total = new Variable('total', [64]);
    const program = await engine.compile({ name: 'sum', updates: [accumulate(total.tensor, input('x', [64]))] });
    const x = ones(1);
    const first = program.run({ x });
    x.fill(100);
    const between = engine.read(total);
    const second = program.run({ x: ones(10) });
    engine.write(total, ones(1000));
    const third = program.run({ x: ones(5) });
    expect((await between)[0]).toBe(1);
    await Promise.all([first, second, third]);
    expect((await engine.read(total))[0]).toBe(1005);
  });

  it('compiles programs at once, also while others run, on the same new variable', async () => {
    const engine = await makeEngine();
    const weights = new Variable('weights', [64], 'f32', ones(7));
    const running = (await doubling(engine)).run({ x: ones(4) });
    const factors = [2, 3, 4, 5];
    const programs = await Promise.all(
      factors.map((factor) =>
        engine.compile({ name: `${factor}`, outputs: { y: plus(scaled(weights.tensor, factor), input('x', [64])) } }),
      ),
    );
    const results = await Promise.all(programs.map((program, index) => program.run({ x: ones(index) })));
    expect(results.map(({ y }) => y[63])).toEqual(factors.map((factor, index) => 7 * factor + index));
    expect((await running).y[0]).toBe(8);
  });

  it('keeps runs apart that a profiler runs', async () => {
    const gpu = await testDevice(adapter);
    const engine = new Engine(gpu);
    const program = await engine.compile({ name: 'chain', outputs: { y: scaled(scaled(input('x', [64]), 2), 5) } });
    gpu.runner = new Profiler(gpu, () => {}, 'serialised');
    try {
      const x = ones(1);
      const first = program.run({ x });
      x.fill(2);
      const results = await Promise.all([first, program.run({ x }), program.run({ x: ones(3) })]);
      expect(results.map(({ y }) => y[0])).toEqual([10, 20, 30]);
    } finally {
      gpu.runner = null;
    }
  });

  it('makes no buffer where runs come one after another', async () => {
    const engine = await makeEngine();
    const program = await doubling(engine);
    await program.run({ x: ones(1) });
    const { made, bytes } = engine.gpu.allocations;
    for (let x = 0; x < 5; x++) await program.run({ x: ones(x) });
    expect(engine.gpu.allocations.made).toBe(made);
    await Promise.all([program.run({ x: ones(1) }), program.run({ x: ones(2) })]);
    expect(engine.gpu.allocations.bytes).toBe(bytes);
  });

  it('refuses to run after its end, finishes what was begun, and harms nothing else', async () => {
    const engine = await makeEngine();
    const [program, other] = [await doubling(engine), await doubling(engine, 'other')];
    const running = [program.run({ x: ones(3) }), program.run({ x: ones(4) })];
    program.destroy();
    program.destroy();
    await expect(program.run({ x: ones(1) })).rejects.toMatchObject({
      code: 'destroyed',
      message: expect.stringContaining('the program double cannot run: it was destroyed'),
    });
    expect((await Promise.all(running)).map(({ y }) => y[0])).toEqual([6, 8]);
    await expect(program.run({ x: ones(1) })).rejects.toMatchObject({ code: 'destroyed' });
    expect((await other.run({ x: ones(1) })).y[0]).toBe(2);
  });

  it('refuses to run where a variable that it uses is gone', async () => {
    const engine = await makeEngine();
    const weights = new Variable('weights', [64], 'f32', ones(7));
    const program = await engine.compile({ name: 'sum', outputs: { y: plus(weights.tensor, input('x', [64])) } });
    expect((await program.run({ x: ones(1) })).y[0]).toBe(8);
    engine.release(weights);
    await expect(program.run({ x: ones(1) })).rejects.toMatchObject({
      code: 'destroyed',
      message: 'the program sum cannot run: weights, which it uses, was destroyed; compile it again.',
    });
    expect((await (await doubling(engine)).run({ x: ones(1) })).y[0]).toBe(2);
  });

  it('frees its constants where it does not compile', async () => {
    const engine = await makeEngine();
    const { bytes } = engine.gpu.allocations;
    const fixed = constant(new Float32Array(4096), [4096]);
    const choose = engine.variantChooser;
    engine.variantChooser = { choose: () => Promise.reject(new Error('no variant')) };
    await expect(engine.compile({ name: 'broken', outputs: { y: scaled(fixed, 2) } })).rejects.toThrow('no variant');
    engine.variantChooser = choose;
    expect(engine.gpu.allocations.bytes - bytes).toBeLessThanOrEqual(engine.memory.shared);
    expect(engine.gpu.allocations.bytes - engine.memory.shared).toBeLessThan(bytes);
  });

  it('names inputs that it does not have, and all that are missing', async () => {
    const engine = await makeEngine();
    const program = await engine.compile({ name: 'sum', outputs: { z: plus(input('x', [64]), input('y', [64])) } });
    const [x, y] = [ones(1), ones(2)];
    await expect(program.run({ x, y, z: x, typo: y })).rejects.toMatchObject({
      code: 'shape',
      message: expect.stringMatching(/^the program sum has no input z, typo; it has [xy], [xy]\.$/),
    });
    await expect(program.run({})).rejects.toThrow(/needs 64 values of f32 as its input \w; it was given nothing, nor/);
    expect((await program.run({ x, y })).z[0]).toBe(3);
  });

  it('says that the device was closed', async () => {
    const gpu = await openDevice(adapter);
    const engine = new Engine(gpu);
    const program = await doubling(engine);
    const running = program.run({ x: ones(1) }).catch((error: unknown) => error);
    gpu.destroy();
    const result = await running;
    if (result instanceof Error) expect(result).toMatchObject({ code: 'destroyed' });
    const late = [program.run({ x: ones(1) }), engine.read(new Variable('v', [64])), doubling(engine)];
    for (const outcome of await Promise.allSettled(late)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'destroyed' } });
    }
  });
});
