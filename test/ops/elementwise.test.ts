/** Elementwise ops and their gradients. */
import { describe, expect, it } from 'vitest';
import {
  add,
  divide,
  exp,
  gelu,
  geluErf,
  greater,
  log,
  multiply,
  negate,
  relu,
  scale,
  sigmoid as sigmoidOp,
  silu,
  sqrt,
  subtract,
  tanh,
  where,
} from '../../src/ops/elementwise.ts';
import { sum } from '../../src/ops/reduce.ts';
import { broadcastShape } from '../../src/ops/strided.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { constant, input, sizeOf, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { indexInto } from '../support/strides.ts';

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const geluOf = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** Φ by the midpoint rule from 0 on. */
function normalCdf(x: number): number {
  const steps = 2000;
  let sum = 0;
  for (let i = 0; i < steps; i++) sum += Math.exp(-0.5 * ((x * (i + 0.5)) / steps) ** 2);
  return 0.5 + (sum * x) / steps / Math.sqrt(2 * Math.PI);
}

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it.each([
    ['add', add, (a: number, b: number) => a + b],
    ['multiply', multiply, (a: number, b: number) => a * b],
    ['subtract', subtract, (a: number, b: number) => a - b],
  ] as const)('%s', async (_, op, reference) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { a: [3, 5], b: [3, 5] },
      build: ({ a, b }) => op(a, b),
      reference: ({ a, b }) => a.map((value, i) => reference(value, b[i]!)),
    });
    expect(mismatch).toBeNull();
  });

  it.each([
    ['scale', (x: Parameters<typeof scale>[0]) => scale(x, -1.5), (x: number) => -1.5 * x],
    ['gelu', gelu, geluOf],
    ['geluErf', geluErf, (x: number) => x * normalCdf(x)],
    ['silu', silu, (x: number) => x * sigmoid(x)],
    ['negate', negate, (x: number) => -x],
    ['relu', relu, (x: number) => Math.max(x, 0)],
    ['tanh', tanh, Math.tanh],
    ['sigmoid', sigmoidOp, sigmoid],
    ['exp', exp, Math.exp],
  ] as const)('%s', async (_, op, reference) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [4, 7] },
      build: ({ x }) => op(x),
      reference: ({ x }) => x.map(reference),
    });
    expect(mismatch).toBeNull();
  });

  const positive = Array.from({ length: 12 }, (_, i) => 0.2 + (i % 5) / 2);
  it.each([
    ['log', log, Math.log],
    ['sqrt', sqrt, Math.sqrt],
    ['a quotient', (x: Tensor) => divide(1, x), (x: number) => 1 / x],
  ] as const)('%s of positive numbers', async (_, op, reference) => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: { shape: [3, 4], values: positive } },
      build: ({ x }) => op(x),
      reference: ({ x }) => x.map(reference),
    });
    expect(mismatch).toBeNull();
  });

  it('where takes the gradient to what it chose', async () => {
    const isLarge = (x: number) => x > 0.1;
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [3, 5], y: [5] },
      build: ({ x, y }) => where(greater(x, 0.1), multiply(x, x), y),
      reference: ({ x, y }) => x.map((value, i) => (isLarge(value) ? value * value : y[i % 5]!)),
    });
    expect(mismatch).toBeNull();
  });

  it('where lets nothing through from what it did not choose, though that is infinite', async () => {
    const engine = await makeEngine();
    const x = input('x', [2]);
    x.requiresGrad = true;
    const y = where(greater(x, 0), log(x), 0);
    const [gradient] = grad(sum(y), [x]);
    const program = await engine.compile({ name: 'chosen', outputs: { y, gradient: gradient! } });
    const result = await program.run({ x: Float32Array.of(0, 4) });
    expect(result.y[0]).toBe(0);
    expect(result.gradient[1]).toBe(0.25);
  });

  it.each([
    ['a row for all rows', [3, 4], [4]],
    ['a column for all columns', [3, 4], [3, 1]],
    ['an outer product', [5, 1], [1, 3]],
    ['one number', [2, 3], []],
    ['leading and inner dimensions', [2, 3, 4], [2, 1, 4]],
    ['both operands at once', [2, 1, 4, 1], [3, 1, 2]],
    ['nothing', [0, 4], [4]],
  ] as const)('operands are repeated: %s', async (_, a, b) => {
    const shape = broadcastShape('test', a, b);
    const at = (own: readonly number[], i: number) => indexInto(own, shape, i);
    const results = { add: (x: number, y: number) => x + y, subtract: (x: number, y: number) => x - y };
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { a, b: { shape: b, values: Array.from({ length: sizeOf(b) }, (_, i) => 0.5 + i / 4) } },
      build: ({ a, b }) => [add(a, b), subtract(a, b), multiply(a, b), divide(a, b)],
      reference: (values) =>
        [results.add, results.subtract, (x: number, y: number) => x * y, (x: number, y: number) => x / y].map((f) =>
          Float64Array.from({ length: sizeOf(shape) }, (_, i) => f(values.a[at(a, i)]!, values.b[at(b, i)]!)),
        ),
    });
    expect(mismatch).toBeNull();
  });

  it('gives numbers that one can check by eye', async () => {
    const engine = await makeEngine();
    const x = constant([1, 2, 3, 4, 5, 6], [2, 3]);
    const outputs = {
      row: add(x, constant([10, 20, 30], [3])),
      column: multiply(x, constant([1, -1], [2, 1])),
      difference: subtract(1, x),
      quotient: divide(constant([60], [1]), x),
      outer: multiply(constant([1, 2], [2, 1]), constant([1, 10], [2])),
      relu: relu(constant([-2, 0, 3], [3])),
      logistic: sigmoidOp(constant([0, 1000, -1000], [3])),
      tanh: tanh(constant([0, 1000, -1000], [3])),
      exp: exp(constant([0, 1], [2])),
      log: log(constant([1, Math.E], [2])),
      sqrt: sqrt(constant([0, 4, 9], [3])),
      greater: greater(x, 3),
      where: where(constant([1, 0, 2], [3]), x, -1),
    };
    const program = await engine.compile({ name: 'literals', outputs });
    const result = await program.run();
    const close = (name: keyof typeof outputs, ...expected: number[]) => {
      expect(result[name].length, name).toBe(expected.length);
      expected.forEach((value, i) => {
        expect(result[name][i], name).toBeCloseTo(value, 4);
      });
    };
    close('row', 11, 22, 33, 14, 25, 36);
    close('column', 1, 2, 3, -4, -5, -6);
    close('difference', 0, -1, -2, -3, -4, -5);
    close('quotient', 60, 30, 20, 15, 12, 10);
    close('outer', 1, 10, 2, 20);
    close('relu', 0, 0, 3);
    close('logistic', 0.5, 1, 0);
    close('tanh', 0, 1, -1);
    close('exp', 1, Math.E);
    close('log', 0, 1);
    close('sqrt', 0, 2, 3);
    close('greater', 0, 0, 0, 1, 1, 1);
    close('where', 1, -1, 3, 4, -1, 6);
  });

  it('adds up the gradients of a tensor that is both operands', async () => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { x: [6] },
      build: ({ x }) => multiply(x, x),
      reference: ({ x }) => x.map((value) => value * value),
    });
    expect(mismatch).toBeNull();
  });
});

it('refuses tensors whose shapes do not combine', () => {
  expect(() => add(input('a', [2, 3]), input('b', [3, 2]))).toThrow(
    'add cannot combine [2, 3] and [3, 2]: counted from the last, dimensions must be equal, or 1 in all but one.',
  );
  expect(() => where(input('a', [2]), input('b', [3]), 0)).toThrow('where cannot combine [2] and [3] and []');
});

it('refuses second derivatives, and says so', () => {
  const x = input('x', [3]);
  x.requiresGrad = true;
  const [gradient] = grad(sum(multiply(x, x)), [x]);
  expect(() => grad(sum(gradient!), [x])).toThrow(
    'there are no second derivatives: the loss depends on a gradient, by multiply, which reads a tensor f32 [3]; use the gradient as an output, or in a step without a gradient of its own.',
  );
});
