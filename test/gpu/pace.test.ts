/** Programs are submitted in parts of limited length, and dispatches in parts of their grids, with the same bits. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Dispatch, defineKernel, type KernelSpec, type Variant } from '../../kernels/spec.ts';
import { KernelBench } from '../../src/gpu/benchmark.ts';
import type { GpuContext } from '../../src/gpu/context.ts';
import { partsOfGrid } from '../../src/gpu/gridParts.ts';
import { Pace } from '../../src/gpu/pace.ts';
import { raceVariants } from '../../src/gpu/tunerRace.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const rate = { gflops: 1, gbps: 1 };

function atPace(gpu: GpuContext, submitMs: number): void {
  Object.assign(gpu.pace, { rate, submitMs });
}

afterEach(async () => {
  for (const adapter of testAdapters) {
    const gpu = await testDevice(adapter);
    Object.assign(gpu.pace, { rate: null, submitMs: new Pace(gpu).submitMs });
  }
});

it.each<[Dispatch, number, number]>([
  [[10, 1, 1], 3, 4],
  [[7, 5, 1], 4, 5],
  [[7, 5, 3], 2, 3],
  [[7, 5, 3], 6, 9],
  [[7, 5, 3], 1000, 105],
  [[1, 1, 1], 9, 1],
  [[65535, 2, 1], 1, 1],
])('parts of a grid of %j for %d cover each workgroup once', (grid, count, expected) => {
  const parts = partsOfGrid(grid, count);
  expect(parts).toHaveLength(expected);
  const inside = (at: readonly number[]) =>
    parts.filter(({ first, size }) =>
      at.every((value, axis) => value >= first[axis]! && value < first[axis]! + size[axis]!),
    );
  const corners = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65534];
  for (const x of corners.filter((value) => value < grid[0]))
    for (let y = 0; y < grid[1]; y++) for (let z = 0; z < grid[2]; z++) expect(inside([x, y, z])).toHaveLength(1);
});

describe.each(testAdapters)('on %s', (adapter) => {
  it('submits a program in as many parts as it takes, with the same bits', async () => {
    const gpu = await testDevice(adapter);
    const engine = new Engine(gpu);
    const side = 192;
    const compile = (name: string) => {
      const [x, w] = [input('x', [side, side]), input('w', [side, side])];
      let y = x;
      for (let layer = 0; layer < 6; layer++) y = matmul(y, w);
      return engine.compile({ name, outputs: { y } });
    };
    const values = (seed: number) => Float32Array.from({ length: side ** 2 }, (_, i) => Math.sin(i * seed) / 12);
    const inputs = { x: values(1.7), w: values(0.3) };
    const whole = await compile('whole');
    expect([whole.submits, whole.dispatches]).toEqual([1, 6]);
    const { y } = await whole.run(inputs);
    const ms = (2 * side ** 3) / 1e6;
    // Two products fit a submit, then half of one.
    for (const [submitMs, submits] of [
      [2.5 * ms, 3],
      [0.5 * ms, 12],
    ] as const) {
      atPace(gpu, submitMs);
      const split = await compile('split');
      expect(split.submits).toBeGreaterThanOrEqual(submits);
      for (let round = 0; round < 3; round++) expect((await split.run(inputs)).y).toEqual(y);
      const results = await Promise.all([split.run(inputs), whole.run(inputs), split.run(inputs)]);
      for (const result of results) expect(result.y).toEqual(y);
    }
  });

  it('measures the adapter once, when that decides how a program is submitted', async () => {
    const gpu = await testDevice(adapter);
    const pace = new Pace(gpu);
    await pace.prepareFor([{ flops: 1e15, bytes: 0 }]);
    expect(pace.rate === null).toBe(gpu.profile.kind === 'cpu');
    pace.submitMs = 75;
    await pace.prepareFor([{ flops: 1e6, bytes: 1e6 }]);
    expect(pace.rate === null).toBe(gpu.profile.kind === 'cpu');
    await Promise.all([pace.prepareFor([{ flops: 1e15, bytes: 0 }]), pace.prepareFor([{ flops: 1e15, bytes: 0 }])]);
    const { rate } = pace;
    expect(rate!.gflops).toBeGreaterThan(0);
    expect(rate!.gbps).toBeGreaterThan(0);
    await pace.prepareFor([{ flops: 1e16, bytes: 0 }]);
    expect(pace.rate).toBe(rate);
  });

  it('does not race a variant whose first workgroups are far behind', async () => {
    const gpu = await testDevice(adapter);
    const kernelCase = { params: { count: 64 * 512 } };
    const [quick, slow, similar] = [variantOf('quick', 3000), variantOf('slow', 600_000), variantOf('similar', 3100)];
    const whole = vi.spyOn(KernelBench.prototype, 'run');
    const parts = vi.spyOn(KernelBench.prototype, 'onceInPart');
    const options = { batchMs: 1, rounds: 1 };
    await raceVariants(gpu, busy, [quick, slow], kernelCase, options);
    expect(whole).toHaveBeenCalledTimes(1);
    expect(parts.mock.calls[0]).toEqual([1 / 64]);
    await raceVariants(gpu, busy, [quick, similar], kernelCase, options);
    expect(whole).toHaveBeenCalledTimes(3);
    vi.restoreAllMocks();
  });
});

/** A kernel that keeps each invocation busy for some rounds. */
const busy = defineKernel<{ count: number }>({
  name: 'busy',
  shader: {
    name: 'busy.wgsl',
    includes: {},
    text: `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let at = workgroup.x * 64u + local;
  var value = at;
  for (var round = 0u; round < ROUNDS; round++) { value = value * 1664525u + 1013904223u; }
  y[at] = value;
}`,
  },
  bindings: { y: { dtype: 'u32', access: 'write' } },
  params: { count: 'u32' },
  variants: [],
  sizes: ({ count }) => ({ y: count }),
  dispatch: ({ count }) => [count / 64, 1, 1],
  cost: ({ count }) => ({ flops: 0, bytes: 4 * count }),
  reference: () => ({}),
  cases: [],
  // Only its time counts.
  tolerance: { absolute: 2 ** 33, relative: 0 },
}) as unknown as KernelSpec;

function variantOf(label: string, rounds: number): Variant {
  return { label, constants: { ROUNDS: rounds } };
}
