/** Tensors in another form, and sums and means along dimensions: by eye, by finite differences, on random shapes. */
import { describe, expect, it } from 'vitest';
import { mean, mse } from '../../src/ops/mean.ts';
import { sum } from '../../src/ops/reduce.ts';
import { concat, expand, permute, slice, transpose } from '../../src/ops/shape.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { Random } from '../../src/tensor/random.ts';
import { constant, input, sizeOf, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { coordinatesOf, elementAt, indexInto } from '../support/strides.ts';

type Numbers = ArrayLike<number>;

const permuted = (x: Numbers, shape: readonly number[], order: readonly number[]) => {
  const result = order.map((axis) => shape[axis]!);
  return Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    const coordinates = coordinatesOf(result, i);
    return x[
      elementAt(
        shape,
        shape.map((_, axis) => coordinates[order.indexOf(axis)]!),
      )
    ]!;
  });
};

const summed = (x: Numbers, shape: readonly number[], axes: readonly number[]) => {
  const kept = shape.filter((_, axis) => !axes.includes(axis));
  const total = new Float64Array(sizeOf(kept));
  for (let i = 0; i < x.length; i++)
    total[
      elementAt(
        kept,
        coordinatesOf(shape, i).filter((_, axis) => !axes.includes(axis)),
      )
    ]! += x[i]!;
  return total;
};

const sliced = (x: Numbers, shape: readonly number[], axis: number, start: number, end: number) => {
  const result = shape.with(axis, end - start);
  return Float64Array.from({ length: sizeOf(result) }, (_, i) => {
    const coordinates = coordinatesOf(result, i);
    return x[elementAt(shape, coordinates.with(axis, coordinates[axis]! + start))]!;
  });
};

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it('gives numbers that one can check by eye', async () => {
    const x = constant([1, 2, 3, 4, 5, 6], [2, 3]);
    const outputs = {
      transposed: transpose(x),
      repeated: expand(constant([1, 2], [2, 1]), [2, 3]),
      columns: slice(x, 1, 1, 3),
      lastRow: slice(x, 0, -1),
      below: concat([x, constant([7, 8, 9], [1, 3])], 0),
      beside: concat([x, constant([10, 20], [2, 1])], -1),
      ofRows: sum(x, 1),
      ofColumns: sum(x, 0),
      ofAll: sum(x),
      meanOfRows: mean(x, -1),
      mean: mean(x),
      error: mse(x, constant([1, 2, 3], [3])),
    };
    const program = await (await makeEngine()).compile({ name: 'literals', outputs });
    const result = await program.run();
    expect(Object.fromEntries(Object.entries(result).map(([name, values]) => [name, [...values]]))).toEqual({
      transposed: [1, 4, 2, 5, 3, 6],
      repeated: [1, 1, 1, 2, 2, 2],
      columns: [2, 3, 5, 6],
      lastRow: [4, 5, 6],
      below: [1, 2, 3, 4, 5, 6, 7, 8, 9],
      beside: [1, 2, 3, 10, 4, 5, 6, 20],
      ofRows: [6, 15],
      ofColumns: [5, 7, 9],
      ofAll: [21],
      meanOfRows: [2, 5],
      mean: [3.5],
      error: [4.5],
    });
    expect(outputs.beside.shape).toEqual([2, 4]);
    expect(sum(x, 1, { keepDims: true }).shape).toEqual([2, 1]);
    expect(sum(x, [0, 1]).shape).toEqual([]);
  });

  it('agrees with finite differences', async () => {
    const shape = [2, 3, 4];
    const weights = Array.from({ length: 12 }, (_, i) => i / 5 - 1);
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: shape, y: [2, 1, 4] },
      build: ({ x, y }) => [
        permute(x, [2, 0, 1]),
        transpose(x),
        expand(y, shape),
        slice(x, 1, 1, 3),
        slice(x, 2, 0, 2),
        concat([x, y], 1),
        concat([y, slice(x, 1, 0, 1)], -1),
        sum(x, 1),
        mean(x, [0, 2]),
        mse(slice(x, 0, 0, 1), constant(weights, [1, 3, 4])),
      ],
      reference: ({ x, y }) => {
        const joined = (a: Numbers, ofA: number, b: Numbers, ofB: number) =>
          Float64Array.from({ length: a.length + b.length }, (_, i) => {
            const [row, at] = [Math.floor(i / (ofA + ofB)), i % (ofA + ofB)];
            return at < ofA ? a[row * ofA + at]! : b[row * ofB + at - ofA]!;
          });
        return [
          permuted(x, shape, [2, 0, 1]),
          permuted(x, shape, [0, 2, 1]),
          Float64Array.from({ length: 24 }, (_, i) => y[indexInto([2, 1, 4], shape, i)]!),
          sliced(x, shape, 1, 1, 3),
          sliced(x, shape, 2, 0, 2),
          joined(x, 12, y, 4),
          joined(y, 4, sliced(x, shape, 1, 0, 1), 4),
          summed(x, shape, [1]),
          summed(x, shape, [0, 2]).map((value) => value / 8),
          [weights.reduce((total, weight, i) => total + (x[i]! - weight) ** 2, 0) / 12],
        ];
      },
    });
    expect(mismatch).toBeNull();
  });

  it('is right on random shapes, orders and dimensions', async () => {
    const random = new Random(7, 'shapes');
    const outputs: Record<string, Tensor> = {};
    const values: Record<string, Float32Array<ArrayBuffer>> = {};
    const expected: Record<string, Numbers> = {};
    for (let trial = 0; trial < 12; trial++) {
      const shape = Array.from({ length: 1 + random.below(5) }, () => 1 + random.below(6));
      const name = `x${trial} [${shape.join(', ')}]`;
      const x = input(name, shape);
      const data = Float32Array.from({ length: x.size }, () => random.normal());
      values[name] = data;
      const order = random.shuffle(shape.map((_, axis) => axis));
      const axes = order.slice(0, 1 + random.below(order.length)).sort();
      const [axis] = order as [number];
      const start = random.below(shape[axis]!);
      const end = start + 1 + random.below(shape[axis]! - start);
      outputs[`${name} permute ${order}`] = permute(x, order);
      expected[`${name} permute ${order}`] = permuted(data, shape, order);
      outputs[`${name} sum ${axes}`] = sum(x, axes);
      expected[`${name} sum ${axes}`] = summed(data, shape, axes);
      outputs[`${name} slice ${axis}`] = slice(x, axis, start, end);
      expected[`${name} slice ${axis}`] = sliced(data, shape, axis, start, end);
      outputs[`${name} concat ${axis}`] = concat([slice(x, axis, 0, start), slice(x, axis, start)], axis);
      expected[`${name} concat ${axis}`] = data;
    }
    const program = await (await makeEngine()).compile({ name: 'random shapes', outputs });
    const result = await program.run(values);
    for (const [name, want] of Object.entries(expected)) {
      expect(result[name]!.length, name).toBe(want.length);
      for (let i = 0; i < want.length; i++) expect(result[name]![i], `${name} [${i}]`).toBeCloseTo(want[i]!, 4);
    }
  });

  it('sums nothing to 0, and dimensions that are empty', async () => {
    const outputs = { rows: sum(input('x', [3, 0]), 1), columns: sum(input('x', [3, 0]), 0) };
    const program = await (await makeEngine()).compile({ name: 'empty', outputs });
    const result = await program.run({ x: new Float32Array(0) });
    expect([...result.rows, ...result.columns]).toEqual([0, 0, 0]);
  });
});

it.each([
  [() => permute(input('x', [2, 3]), [0, 0]), 'permute of [2, 3] needs each of its 2 dimensions once'],
  [() => permute(input('x', [2, 3]), [0]), 'it was given [0]'],
  [() => transpose(input('x', [3])), 'transpose needs two dimensions or more; it was given [3].'],
  [() => slice(input('x', [4]), 0, 2, 5), 'slice: 2 to 5 is not within dimension 0 of [4], which has 4 elements.'],
  [() => slice(input('x', [4]), 1, 0), 'slice: [4] has no dimension 1.'],
  [() => concat([], 0), 'concat needs one tensor or more'],
  [() => concat([input('x', [2, 3]), input('y', [3, 3])], 1), '[2, 3], [3, 3] differ in other dimensions than 1.'],
  [() => expand(input('x', [2, 3]), [3]), 'expand cannot make [3] of [2, 3]: only dimensions of 1 can grow.'],
  [() => expand(input('x', [2]), [3]), 'expand cannot combine [2] and [3]'],
  [() => sum(input('x', [2, 3]), [1, -1]), 'sum: [1, -1] names a dimension twice.'],
  [() => mean(input('x', [0, 3]), 0), 'mean: [0, 3] has no elements there to take the mean of.'],
])('says what does not fit', (build, message) => {
  expect(build).toThrow(message);
});
