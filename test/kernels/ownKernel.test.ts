/** Kernels from outside the library: what `proxmo/kernels` exports finds what is wrong with them, and says it. */
import { describe, expect, it } from 'vitest';
import {
  checkKernel,
  defaultVariant,
  defineKernel,
  differentiable,
  elementDispatch,
  elementVariants,
  gradientMismatch,
  type KernelSpec,
  launch,
  Profiler,
  type ProgramRun,
  shader,
  throughput,
  timeKernel,
} from '../../src/kernels.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

type Twice = { count: number };

let made = 0;

/** y = 2 x, with one line of the shader as given. Kernels with code of their own have names of their own. */
const twice = (line: string, rest: Partial<KernelSpec<Twice>> = {}): KernelSpec<Twice> =>
  defineKernel<Twice>({
    name: made++ === 0 ? 'twice' : `twice ${made}`,
    shader: shader(
      'twice.wgsl',
      `//#include "lib/elements.wgsl"
@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let block = workgroupNumber(workgroup, workgroups);
  for (var i = blockStart(block) + local; i < blockEnd(block, params.count / WIDTH); i += WORKGROUP) {
    ${line}
  }
}`,
    ),
    bindings: { x: { dtype: 'f32', access: 'read' }, y: { dtype: 'f32', access: 'write' } },
    params: { count: 'u32' },
    variants: elementVariants(['x', 'y']).filter(({ label }) => label.includes('scalar')),
    sizes: ({ count }) => ({ x: count, y: count }),
    dispatch: elementDispatch,
    cost: ({ count }) => ({ flops: count, bytes: 8 * count }),
    reference: ({ x }) => ({ y: x!.map((value) => 2 * value) }),
    cases: [1, 0, 37].map((count) => ({ params: { count } })),
    tolerance: { absolute: 0, relative: 1e-7 },
    ...rest,
  });
const good = twice('y[i] = 2.0 * x[i];');
const apply = (kernel: KernelSpec<Twice>, x: Tensor) => launch(kernel, { count: x.size }, { x }, { y: x.shape }).y;

describe.each(testAdapters.slice(0, 1))('on %s', (adapter) => {
  it('a kernel that is right passes, in every case', async () => {
    expect(await checkKernel(await testDevice(adapter), good)).toBeNull();
  });

  it.each([
    ['a wrong number', twice('y[i] = 2.0 * x[i] + f32(i);'), /^\S+ for \{"count":37\}: y\[1\] is \S+, not \S+ \(error/],
    ['an element that is left out', twice('if (i != 36u) { y[i] = 2.0 * x[i]; }'), /"count":37\}: y\[36\] is/],
    ['a write outside', twice('y[i + 1u] = 0.0; y[i] = 2.0 * x[i];'), /^\S+ for \{"count":1\}: it wrote outside y$/],
    ['a missing output', twice('y[i] = 2.0 * x[i];', { reference: () => ({}) }), /the reference gives no y$/],
  ])('checkKernel finds %s', async (_, kernel, problem) => {
    expect(await checkKernel(await testDevice(adapter), kernel)).toMatch(problem);
  });

  it.each([
    ['no case', twice('', { cases: [] }), 'config', /^the kernel twice \d+ has nothing to check on .*: give it cases/],
    [
      'an unknown include',
      { ...good, shader: shader('mine.wgsl', '//#include "lib/none.wgsl"') },
      'parse',
      /^mine\.wgsl:1: there is no lib\/none\.wgsl in shaders\/; there are lib\/elements\.wgsl, /,
    ],
    [
      'an unknown constant',
      twice('y[i] = $FACTOR * x[i];'),
      'parse',
      /^twice\.wgsl:\d+: the variant does not define FACTOR/,
    ],
    [
      'the name of another kernel',
      { ...twice('y[i] = x[i];'), name: 'twice' },
      'config',
      /^two kernels with different code are called twice\./,
    ],
    ['WGSL that does not compile', twice('y[i] = nothing;'), 'gpu-error', /nothing/],
  ])('refuses %s', async (_, kernel, code, message) => {
    const error = await checkKernel(await testDevice(adapter), kernel).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'ProxmoError', code, message: expect.stringMatching(message) });
  });

  it('gradientMismatch finds a gradient that is wrong, and passes one that is right', async () => {
    const engine = new Engine(await testDevice(adapter));
    const check = (factor: number) =>
      gradientMismatch(engine, {
        inputs: { x: [2, 3] },
        build: ({ x }) => differentiable('twice', [x], apply(good, x), (dy) => [factor === 2 ? apply(good, dy) : dy]),
        reference: ({ x }) => x.map((value) => 2 * value),
      });
    expect(await check(2)).toBeNull();
    expect(await check(1)).toMatch(/^gradient of x\[0\] is \S+, not \S+ \(error/);
  });

  it('timeKernel and Profiler measure it', async () => {
    const gpu = await testDevice(adapter);
    const params = { count: 1000 };
    const variant = defaultVariant(good, gpu.profile, params);
    const { min, median, max } = await timeKernel(gpu, good, variant, { params }, { batchMs: 1, repeats: 3 });
    expect(min).toBeGreaterThan(0);
    expect(median).toBeGreaterThanOrEqual(min);
    expect(max).toBeGreaterThanOrEqual(median);
    expect(throughput(good, params, 1)).toEqual({ gflops: 0.001, gbps: 0.008 });
    const runs: ProgramRun[] = [];
    const program = await new Engine(gpu).compile({ name: 'mine', outputs: { y: apply(good, input('x', [3])) } });
    gpu.runner = new Profiler(gpu, (run) => runs.push(run));
    try {
      expect([...(await program.run({ x: Float32Array.of(1, 2, 3) })).y]).toEqual([2, 4, 6]);
    } finally {
      gpu.runner = null;
    }
    expect(runs.map((run) => [run.program, run.dispatches.map(({ kernel, flops }) => [kernel, flops])])).toEqual([
      ['mine', [['twice', 3]]],
    ]);
  });
});

it.each([
  [() => launch(good, { count: 3 }, {}, { y: [3] }), 'twice needs a tensor for its binding x; give it one.'],
  [() => launch(good, { count: 3 }, { x: input('x', [4]) }, { y: [3] }), 'twice: x is f32[4], but 3 elements of f32'],
  [() => launch(good, { count: 3 }, { z: input('z', [3]) }, { y: [3] }), 'twice reads no z; leave it out.'],
  [() => launch(good, { count: 3 }, { x: input('x', [3]) }, { z: [3] }), 'twice has no output z; it has y.'],
])('launch says what a kernel misses', (build, message) => {
  expect(build).toThrow(message);
});

it('says that an adapter can run no variant', () => {
  const picky = twice('', { variants: good.variants.map((variant) => ({ ...variant, requires: () => false })) });
  const profile = { features: new Set<string>() } as never;
  expect(() => defaultVariant(picky, profile, { count: 3 })).toThrow(
    'has no variant that this adapter runs for {"count":3}; keep one without `requires`.',
  );
});
