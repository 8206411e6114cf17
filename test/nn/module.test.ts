/** Models of one's own: their parameters, what they start from, gradient descent on them, and their files. */
import { describe, expect, it } from 'vitest';
import * as init from '../../src/nn/initial.ts';
import { createModule, loadParameters, saveParameters } from '../../src/nn/module.ts';
import { Sgd } from '../../src/nn/sgd.ts';
import { minimise } from '../../src/nn/slabUpdate.ts';
import { add, multiply, subtract } from '../../src/ops/elementwise.ts';
import { mse } from '../../src/ops/mean.ts';
import { sum } from '../../src/ops/reduce.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { Random } from '../../src/tensor/random.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const line = (seed = 1) =>
  createModule('line', { slope: init.normal([1, 1], 1), layers: [{ bias: init.zeros([1]) }] }, { seed });

it('has tensors where the object had starting values, and names that are paths', () => {
  const { tensors, slab } = line();
  expect(tensors.slope.shape).toEqual([1, 1]);
  expect(tensors.layers[0].bias.shape).toEqual([1]);
  expect(slab.parameters.map(({ name, decay }) => [name, decay])).toEqual([
    ['slope', true],
    ['layers.0.bias', false],
  ]);
});

it('starts from the same numbers for a seed, whatever else there is', () => {
  const slopeOf = (module: ReturnType<typeof line>) => module.slab.variable.initial![module.slab.offsetOf('slope')];
  const alone = createModule('line', { slope: init.normal([1, 1], 1) });
  expect(slopeOf(line())).toBe(alone.slab.variable.initial![0]);
  expect(slopeOf(line())).not.toBe(slopeOf(line(2)));
});

it('initialisers have the spread that they promise', () => {
  const spread = (values: Float32Array) => Math.sqrt(values.reduce((total, x) => total + x * x, 0) / values.length);
  const random = new Random(1, 'initial');
  expect(spread(init.he([300, 50]).values(random))).toBeCloseTo(Math.sqrt(2 / 50), 2);
  expect(spread(init.glorot([100, 300]).values(random))).toBeCloseTo(Math.sqrt(2 / 400), 2);
  expect(spread(init.normal([100, 100], 0.5).values(random))).toBeCloseTo(0.5, 1);
  const even = init.uniform([5000], 0.25).values(random);
  expect(Math.max(...even)).toBeCloseTo(0.25, 2);
  expect(Math.min(...even)).toBeCloseTo(-0.25, 2);
  expect([...init.ones([2]).values(random), ...init.zeros([2]).values(random)]).toEqual([1, 1, 0, 0]);
});

it.each([
  [() => createModule('empty', {}), 'the module empty has no parameters'],
  [() => createModule('dotted', { 'a.b': init.zeros([1]) }), 'dotted: the name a.b has a dot in it'],
  [() => createModule('odd', { a: 3 } as never), 'odd: a is 3; give it starting values, as init.zeros([3]).'],
  [() => new Sgd(line().slab, { momentum: 1 }), "SGD's momentum is 1; it must be 0 or more and below 1."],
  [() => new Sgd(line().slab, { weightDecay: -1 }), "SGD's weightDecay is -1; it must be 0 or more."],
])('says what is wrong', (make, message) => {
  expect(make).toThrow(message);
});

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it('gradient descent with momentum takes the steps that one computes by hand', async () => {
    const engine = await makeEngine();
    const { tensors, slab } = createModule('w', { w: new init.Initial([1], () => 1) });
    const sgd = new Sgd(slab, { momentum: 0.5, maxGradNorm: Number.POSITIVE_INFINITY });
    const { updates, norm } = minimise(sum(multiply(tensors.w, tensors.w)), sgd);
    const program = await engine.compile({ name: 'descent', outputs: { norm }, updates });
    const step = async () => {
      const result = await program.run({ hyperparameters: sgd.hyperparameters(1, 0.25) });
      return [result.norm[0], (await engine.read(slab.variable))[0]];
    };
    // g = 2w; v = v / 2 + g; w = w − v / 4.
    expect(await step()).toEqual([2, 0.5]); // g = 2, v = 2
    expect(await step()).toEqual([1, 0]); // g = 1, v = 2
    expect(await step()).toEqual([0, -0.25]); // g = 0, v = 1
  });

  it('finds a line', async () => {
    const engine = await makeEngine();
    const [x, y] = [input('x', [8, 1]), input('y', [8, 1])];
    const data = Float32Array.from({ length: 8 }, (_, i) => i / 4 - 1);
    const inputs = { x: data, y: data.map((value) => 3 * value - 2) };
    const { tensors, slab } = line();
    const optimizer = new Sgd(slab, { nesterov: true, maxGradNorm: 10 });
    const loss = mse(add(multiply(x, tensors.slope), tensors.layers[0].bias), y);
    const program = await engine.compile({ name: 'fit', outputs: { loss }, ...minimise(loss, optimizer) });
    let last = Number.POSITIVE_INFINITY;
    for (let step = 1; step <= 60; step++)
      last = (await program.run({ ...inputs, hyperparameters: optimizer.hyperparameters(step, 0.1) })).loss[0]!;
    expect(last).toBeLessThan(1e-2);
    const values = await engine.read(slab.variable);
    expect(values[slab.offsetOf('slope')]).toBeCloseTo(3, 0);
    expect(values[slab.offsetOf('layers.0.bias')]).toBeCloseTo(-2, 1);
  });

  it('comes back from its file, and refuses what does not fit without a change', async () => {
    const engine = await makeEngine();
    const [saved, other] = [line(1), line(2)];
    const file = await saveParameters(engine, saved.slab, { made: 'here' });
    loadParameters(engine, other.slab, file);
    expect([...(await engine.read(other.slab.variable))]).toEqual([...(await engine.read(saved.slab.variable))]);
    const larger = createModule('larger', { slope: init.zeros([1, 2]), layers: [{ bias: init.zeros([1]) }] });
    expect(() => loadParameters(engine, larger.slab, file, 'line.safetensors')).toThrow(
      'line.safetensors has [1, 1] for slope of larger, which is [1, 2]; load what was saved of the same model.',
    );
    const fewer = createModule('fewer', { slope: init.zeros([1, 1]) });
    expect(() => loadParameters(engine, fewer.slab, file)).toThrow('the file has layers.0.bias, which fewer has not');
    expect((await engine.read(fewer.slab.variable))[0]).toBe(0);
    expect(() => loadParameters(engine, fewer.slab, file.slice(0, 20))).toThrow(/damaged/);
  });

  it.each([
    ['a gradient of two parameters', add, [8, 4]],
    ['a gradient that is the negative of another', subtract, [8, -4]],
  ] as const)('%s lands in both', async (_, op, [sum, difference]) => {
    const engine = await makeEngine();
    const { tensors, slab } = createModule('two', { a: new init.Initial([1], () => 3), b: init.ones([1]) });
    const sgd = new Sgd(slab, { momentum: 0, maxGradNorm: Number.POSITIVE_INFINITY });
    const both = op(tensors.a, tensors.b);
    const { updates } = minimise(multiply(both, both), sgd);
    const program = await engine.compile({ name: 'both', updates });
    await program.run({ hyperparameters: sgd.hyperparameters(1, 1) });
    const values = await engine.read(slab.variable);
    // The gradient is 2 (3 ± 1) in a, and as much or its negative in b.
    const gradient = op === add ? sum : -difference;
    expect(values[slab.offsetOf('a')]).toBe(3 - gradient);
    expect(values[slab.offsetOf('b')]).toBe(1 - (op === add ? sum : difference));
  });
});
