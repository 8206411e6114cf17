/**
 * Values whose storage is updated in place, dispatches that bind a buffer twice, and parts that kernels cannot bind.
 */
import { describe, expect, it } from 'vitest';
import { scale } from '../../kernels/elementwise.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { add } from '../../src/ops/elementwise.ts';
import { checkAliases } from '../../src/tensor/aliases.ts';
import { assign } from '../../src/tensor/assign.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { accumulate } from '../../src/tensor/gradients.ts';
import { part } from '../../src/tensor/part.ts';
import { plan } from '../../src/tensor/planner.ts';
import { constant, input, launch, scratch, type Tensor } from '../../src/tensor/tensor.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { halfAdapter, needsHalf, testAdapters, testDevice } from '../support/adapters.ts';

const scaled = (a: Tensor, factor: number) => launch(scale, { count: a.size, factor }, { a }, { y: a.shape }).y;
const stale = /reads .* as it was before an update that runs earlier; use the updated tensor\.$/;

describe('a program refuses', () => {
  const x = () => input('x', [64]);

  it('a value that is read after its storage was updated', () => {
    const value = scaled(x(), 2);
    const updated = accumulate(value, input('more', [64]));
    expect(() => plan([updated, scaled(value, 3)], [])).toThrow(stale);
    expect(() => plan([scaled(part(value, 0, [64]), 3)], [updated])).toThrow(stale);
    expect(() => plan([value], [updated])).toThrow(stale);
    expect(() => plan([value.reshape([8, 8]), updated], [])).toThrow(stale);
  });

  it('an input that is read after its storage was updated, and two updates of one value', () => {
    const [given, more] = [x(), input('more', [64])];
    expect(() => plan([accumulate(given, more), add(given, more)], [])).toThrow(stale);
    const value = scaled(x(), 2);
    expect(() => plan([accumulate(value, more), accumulate(value, more)], [])).toThrow(stale);
    const total = new Variable('total', [64]);
    const updates = [accumulate(total.tensor, more), accumulate(total.tensor, x())];
    expect(() => plan([], updates)).toThrow(/reads total as it was/);
  });

  it('the update of a constant', () => {
    const fixed = constant(new Float32Array(64), [64]);
    expect(() => plan([accumulate(fixed, x())], [])).toThrow('accumulate updates a constant in place; copy it first.');
  });

  it('two inputs of one name', () => {
    expect(() => plan([add(x(), x())], [])).toThrow(expect.objectContaining({ code: 'graph' }));
  });
});

describe.each(testAdapters)('on %s', (adapter) => {
  it('reads values before and after an update, where they are in order', async () => {
    const engine = new Engine(await testDevice(adapter));
    const value = scaled(input('x', [128]), 2);
    const before = scaled(value, 10);
    const half = accumulate(part(value, 64, [64]), input('more', [64]));
    const whole = assign(value, [{ offset: 64, value: half }]);
    const program = await engine.compile({ name: 'order', outputs: { before, after: scaled(whole, 1), whole } });
    const result = await program.run({ x: new Float32Array(128).fill(1), more: new Float32Array(64).fill(5) });
    for (const [name, low, high] of [
      ['before', 20, 20],
      ['after', 2, 7],
      ['whole', 2, 7],
    ] as const)
      expect([result[name][0], result[name][63], result[name][64], result[name][127]]).toEqual([low, low, high, high]);
  });
});

describe('a dispatch', () => {
  const kernel = { name: 'three', bindings: bindingsOf('read', 'read', 'write') };
  const buffers = Array.from({ length: 3 }, () => ({}) as GPUBuffer);
  const range = (buffer: number, offset = 0, size = 256) => ({ buffer: buffers[buffer]!, offset, size });

  it('may read a buffer twice, and write it at ranges apart', () => {
    expect(() => checkAliases(kernel, [range(0), range(0), range(1)])).not.toThrow();
    const writes = { name: 'writes', bindings: bindingsOf('write', 'readWrite', 'read') };
    expect(() => checkAliases(writes, [range(0), range(0, 256), range(1)])).not.toThrow();
    expect(() => checkAliases(writes, [range(0), range(0, 128), range(1)])).toThrow(/write one range twice/);
  });

  it('may not read and write a buffer, whichever of the bindings it is', () => {
    for (const ranges of [
      [range(0), range(1), range(0)],
      [range(0), range(1), range(1)],
      [range(1), range(1), range(1, 512)],
    ])
      expect(() => checkAliases(kernel, ranges)).toThrow(
        expect.objectContaining({ code: 'graph', message: expect.stringContaining('read and write one buffer') }),
      );
    const pair = { name: 'pair', bindings: bindingsOf('write', 'readWrite', 'read') };
    expect(() => checkAliases(pair, [range(0), range(1), range(1)])).toThrow('bindings b1 and b2');
  });
});

describe('parts', () => {
  it('begin where kernels can bind them', () => {
    const x = input('x', [512]);
    expect(part(part(x, 64, [256]), 128, [1]).shape).toEqual([1]);
    expect(() => part(x, 32, [64])).toThrow('a part cannot begin at element 32 of f32 storage');
    expect(() => part(part(x, 64, [256]), 96, [1])).toThrow('at element 160 of f32 storage');
    expect(() => part(x, 0.5, [1])).toThrow('are not within');
    const half = new Variable('half', [512], 'f16').tensor;
    expect(() => part(half, 64, [64])).toThrow('begin at a multiple of 128');
    expect(part(half, 128, [64]).size).toBe(64);
    expect(() => assign(half, [{ offset: 64, value: part(half, 0, [64]) }])).toThrow('multiples of 128');
    expect(() => assign(half, [{ offset: 0, value: scratch([64]) }])).toThrow('have its type');
  });
});

describe('in f16', needsHalf, () => {
  it('copies what it is given, no less and no more', async () => {
    const engine = new Engine(await testDevice(halfAdapter!));
    const values = Float32Array.from({ length: 1024 }, (_, i) => i);
    const [from, to] = [new Variable('from', [1024], 'f16', values), new Variable('to', [1024], 'f16')];
    const update = assign(to.tensor, [
      { offset: 0, value: part(from.tensor, 512, [130]) },
      { offset: 256, value: part(from.tensor, 0, [2]) },
    ]);
    await (await engine.compile({ name: 'copies', updates: [update] })).run();
    const copied = await engine.read(to);
    expect([...copied.slice(0, 130)]).toEqual([...values.slice(512, 642)]);
    expect([...copied.slice(130)]).toEqual(Array.from({ length: 894 }, (_, i) => (i === 127 ? 1 : 0)));
    const odd = assign(to.tensor, [{ offset: 0, value: part(from.tensor, 0, [3]) }]);
    expect(() => plan([], [odd])).toThrow('3 elements of f16 cannot be copied into a larger tensor');
    const end = new Variable('end', [3], 'f16');
    await (
      await engine.compile({
        name: 'end',
        updates: [assign(end.tensor, [{ offset: 0, value: part(from.tensor, 128, [3]) }])],
      })
    ).run();
    expect([...(await engine.read(end))]).toEqual([128, 129, 130]);
  });
});

function bindingsOf(...accesses: ('read' | 'write' | 'readWrite')[]): KernelSpec['bindings'] {
  return Object.fromEntries(accesses.map((access, index) => [`b${index}`, { dtype: 'f32', access }] as const));
}
