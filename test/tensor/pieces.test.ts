/**
 * Variables in several buffers: how slabs are cut, and that reading, writing, clearing, copying and slab-wide kernels
 * do not notice.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copy } from '../../kernels/copy.ts';
import { AdamW } from '../../src/nn/optimizer.ts';
import { norm } from '../../src/ops/reduce.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { accumulate } from '../../src/tensor/gradients.ts';
import { part } from '../../src/tensor/part.ts';
import { packPieces, paddedSize, partAlignment, partsOf } from '../../src/tensor/slabLayout.ts';
import { input, launch, sizeOf } from '../../src/tensor/tensor.ts';
import { type ParameterRequest, ParameterSlab, Variable } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

describe('a slab', () => {
  const request = (name: string, shape: number[], decay = true): ParameterRequest => ({
    name,
    shape,
    decay,
    initial: null,
  });

  it('is one piece where it fits', () => {
    const slab = new ParameterSlab('s', [request('a', [30, 10]), request('b', [7], false)]);
    expect(slab.variable.pieces).toEqual([{ start: 0, size: 384 + 128 }]);
    expect(slab.parameters.map(({ parts, tensor }) => parts.length === 1 && parts[0] === tensor)).toEqual([true, true]);
  });

  it('is cut between parameters, and within matrices that no piece can hold', () => {
    const requests = [
      request('a', [4, 128]),
      request('table', [10, 128]),
      request('b', [128], false),
      request('c', [128], false),
    ];
    const slab = new ParameterSlab('s', requests, { largestPiece: 4 * 128 * 4 });
    // The table's 10 rows are cut into 4, 4 and 2; the last share a piece with the biases.
    expect(slab.variable.pieces.map(({ size }) => size / 128)).toEqual([4, 4, 4, 4]);
    expect(slab.parts('table').map(({ shape }) => shape)).toEqual([
      [4, 128],
      [4, 128],
      [2, 128],
    ]);
    expect(slab.parameters.map(({ offset }) => offset / 128)).toEqual([0, 4, 14, 15]);
    expect(slab.tensors).toHaveLength(6);
    expect(() => slab.get('table')).toThrow(
      'the parameter table of shape [10, 128] lies in 3 buffers, and only its parts can be read.',
    );
    expect(slab.frozen().variable).toBe(slab.variable);
    expect(slab.frozen().parts('table')).toHaveLength(3);
  });

  it('is refused where a row or a vector is larger than a piece', () => {
    const make = (shape: number[]) => new ParameterSlab('s', [request('big', shape)], { largestPiece: 1024 });
    expect(() => make([3, 300])).toThrow(
      'the parameter big of shape [3, 300] needs a buffer of 9600 elements at least, but 256 are allowed;',
    );
    expect(() => make([300])).toThrow(
      'the parameter big of shape [300] needs a buffer of 300 elements at least, but 256 are allowed;',
    );
  });

  it('is cut without gaps, at multiples of an alignment that every device accepts, into as much as fits', () => {
    const shapes = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 20 })), {
      minLength: 1,
      maxLength: 8,
    });
    const property = fc.property(shapes, fc.integer({ min: 20, max: 60 }), (given, largestRuns) => {
      const largest = partAlignment * largestRuns;
      let end = 0;
      const parts = given.flatMap((shape) => {
        const cut = partsOf('p', shape, end, largest);
        expect(cut.reduce((rows, part) => rows + part.shape[0]!, 0)).toBe(shape[0]);
        for (const [index, part] of cut.entries()) {
          expect(part.offset % partAlignment).toBe(0);
          if (index > 0) expect(part.offset).toBe(cut[index - 1]!.offset + sizeOf(cut[index - 1]!.shape));
        }
        end += paddedSize(shape);
        return cut;
      });
      const pieces = packPieces(parts, largest);
      expect(pieces[0]!.start).toBe(0);
      for (const [index, { start, size }] of pieces.entries()) {
        expect(size).toBeLessThanOrEqual(largest);
        expect(start + size).toBe(pieces[index + 1]?.start ?? end);
      }
      for (const { offset, shape } of parts) {
        expect(pieces.some(({ start, size }) => offset >= start && offset + sizeOf(shape) <= start + size)).toBe(true);
      }
    });
    fc.assert(property);
  });
});

const count = 64 * 40;
const cut = [
  { start: 0, size: 64 },
  { start: 64, size: 64 * 30 },
  { start: 64 * 31, size: 64 * 9 },
];
const otherCut = [
  { start: 0, size: 64 * 20 },
  { start: 64 * 20, size: 64 * 20 },
];
const ramp = (first: number, length = count) =>
  Float32Array.from({ length }, (_, index) => Math.fround(Math.sin(first + index)));

describe.each(testAdapters)('on %s', (adapter) => {
  it('reads, writes, clears and copies across pieces', async () => {
    const engine = new Engine(await testDevice(adapter));
    const variable = new Variable('v', [count], 'f32', ramp(1), cut);
    const expected = ramp(1);
    expect(await engine.read(variable)).toEqual(expected);
    expect(await engine.read(variable, 50, 64 * 33)).toEqual(expected.slice(50, 50 + 64 * 33));
    expect(await engine.read(variable, 70, 3)).toEqual(expected.slice(70, 73));
    expected.set(ramp(9, 2000), 60);
    engine.write(variable, ramp(9, 2000), 60);
    expect(await engine.read(variable)).toEqual(expected);
    for (const pieces of [cut, otherCut, undefined]) {
      const other = new Variable('other', [count], 'f32', ramp(3), pieces);
      engine.copy(variable, other);
      expect(await engine.read(other)).toEqual(expected);
      engine.clear(other);
      expect((await engine.read(other)).every((value) => value === 0)).toBe(true);
      engine.release(other);
    }
    engine.release(variable);
  });

  it('adds up, and takes the norm of, what lies in pieces', async () => {
    const engine = new Engine(await testDevice(adapter));
    const [total, values] = ['total', 'values'].map(
      (name, index) => new Variable(name, [count], 'f32', ramp(index), cut),
    );
    const after = accumulate(total!.tensor, values!.tensor);
    const program = await engine.compile({ name: 'sum', outputs: { size: norm(after) }, updates: [after] });
    const { size } = await program.run();
    const expected = ramp(0).map((value, index) => value + ramp(1)[index]!);
    expect(await engine.read(total!)).toEqual(expected);
    expect(size[0]).toBeCloseTo(Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0)), 4);
    for (const variable of [total!, values!]) engine.release(variable);
  });

  it('makes the steps of AdamW with the same bits as for one buffer, where nothing is clipped', async () => {
    const engine = new Engine(await testDevice(adapter));
    const requests = [
      { name: 'a', shape: [10, 64], decay: true, initial: ramp(5, 640) },
      { name: 'b', shape: [640], decay: false, initial: ramp(6, 640) },
    ];
    const states = await Promise.all(
      [1024, 2560, 2 ** 20].map(async (largestPiece) => {
        const slab = new ParameterSlab('s', requests.slice(0, largestPiece < 2560 ? 1 : 2), { largestPiece });
        const adamW = new AdamW(slab, { maxGradNorm: Number.POSITIVE_INFINITY, weightDecay: 0.1 });
        const { updates, norm } = adamW.update(input('gradients', [slab.size]));
        const program = await engine.compile({ name: 'update', outputs: { norm }, updates });
        for (const step of [1, 2])
          await program.run({ gradients: ramp(step, slab.size), hyperparameters: adamW.hyperparameters(step, 0.01) });
        return Promise.all([slab.variable, ...adamW.variables].map((variable) => engine.read(variable, 0, 640)));
      }),
    );
    expect(states[0]).toEqual(states[2]);
    expect(states[1]).toEqual(states[2]);
  });

  it('names what is larger than the device can bind, and what to do', async () => {
    const engine = new Engine(await testDevice(adapter), { largestBinding: 4096 });
    expect(engine.largestBinding).toBe(4096);
    expect(() => engine.write(new Variable('keys of layer 3', [2, 1024]), [1])).toThrow(
      /^keys of layer 3, f32 \[2, 1024\], needs a buffer of 0\.0 MiB, but .* binds 0\.0 MiB; make it smaller/,
    );
    const double = launch(copy, { count: 2048 }, { x: input('x', [2048]) }, { y: [32, 64] }).y;
    const compiling = engine.compile({
      name: 'double',
      outputs: { double },
      remedy: 'lower optimiser.microBatchTokens',
    });
    await expect(compiling).rejects.toThrow(
      /^the program double needs 0\.0 MiB for x of copy, f32 \[2048\], but .*; lower optimiser\.microBatchTokens\.$/,
    );
    const variable = new Variable('cut', [count], 'f32', null, cut);
    const { y } = launch(copy, { count: 128 }, { x: part(variable.tensor, 0, [128]) }, { y: [128] });
    await expect(engine.compile({ name: 'across', outputs: { y } })).rejects.toThrow(
      'elements 0 to 128 of cut lie in several of its 3 buffers',
    );
    engine.release(variable);
  });
});
