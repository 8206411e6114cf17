/** What `proxmo profile` makes of timed dispatches: sums, a trace, a picture; and the profiler that times them. */
import { describe, expect, it } from 'vitest';
import { rooflineSvg } from '../../src/cli/profile/roofline.ts';
import { ProfileSummary } from '../../src/cli/profile/summary.ts';
import { Trace } from '../../src/cli/profile/trace.ts';
import type { DispatchTiming, ProgramRun } from '../../src/gpu/profiler.ts';
import { Profiler } from '../../src/gpu/profiler.ts';
import { add, scale } from '../../src/ops/elementwise.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { inScope } from '../../src/tensor/scope.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const ceilings = { gflops: 10, gbps: 2 };
const dispatch = (kernel: string, start: number, ms: number, scope = '') => ({
  kernel,
  label: `${kernel}.f32`,
  scope,
  flops: 1e6,
  bytes: 1e6,
  start,
  ms,
});
const run: ProgramRun = {
  program: 'step',
  start: 5,
  encodeMs: 1,
  overheadMs: 2,
  dispatches: [dispatch('matmul', 0, 3, 'layers.0'), dispatch('add', 4, 1), dispatch('matmul', 5, 2, 'layers.1')],
};

describe('a summary', () => {
  const summary = new ProfileSummary();
  summary.add(run);

  it('adds up kernels, gaps and encoding', () => {
    expect(summary.times(20)).toEqual({ wall: 18, gpu: 6, gaps: 1, encoding: 1 });
    const { kernels, parts } = summary.report(20, 'timestamps', ceilings);
    expect(kernels.map(({ name, count, ms }) => [name, count, ms])).toEqual([
      ['matmul.f32', 2, 5],
      ['add.f32', 1, 1],
    ]);
    expect(parts.map(({ name }) => name)).toEqual(['layers.0', 'layers.1', 'no named part']);
  });

  it('says how it was timed', () => {
    expect(summary.describe(20, 'serialised', ceilings)).toMatch(/one by one, timed by the host/);
    expect(summary.describe(20, 'timestamps', ceilings)).toMatch(/matmul\.f32 +2 +5\.00 +83\.3 %/);
  });
});

describe('a trace', () => {
  it('puts dispatches within their program, in microseconds', () => {
    const trace = new Trace();
    trace.add(run);
    const { traceEvents } = JSON.parse(trace.toString());
    const slices = traceEvents.filter(({ ph }: { ph: string }) => ph === 'X');
    expect(slices.map(({ name, ts, dur }: { name: string; ts: number; dur: number }) => [name, ts, dur])).toEqual([
      ['encode step', 4000, 1000],
      ['step', 5000, 7000],
      ['matmul.f32', 5000, 3000],
      ['add.f32', 9000, 1000],
      ['matmul.f32', 10_000, 2000],
    ]);
  });
});

describe('a roofline', () => {
  const total = (name: string, ms: number) => ({ name, count: 1, ms, flops: 1e7, bytes: 1e6 });
  const svg = rooflineSvg([total('a<b', 3), total('c', 1), { ...total('copy', 1), flops: 0 }], ceilings, 'Title');

  it('draws kernels that compute, by their share of all time', () => {
    expect(svg.match(/<title>/g)).toHaveLength(2);
    expect(svg).toContain('a&lt;b  60.0 %');
    expect(svg).not.toContain('copy</title>');
  });

  it('keeps everything within the picture', () => {
    for (const [, x, y] of svg.matchAll(/cx="([\d.-]+)" cy="([\d.-]+)"/g)) {
      expect(Number(x)).toBeGreaterThan(0);
      expect(Number(x)).toBeLessThan(1040);
      expect(Number(y)).toBeGreaterThan(0);
      expect(Number(y)).toBeLessThan(560);
    }
  });
});

describe.each(testAdapters)('the profiler on %s', (adapter) => {
  it.each<DispatchTiming>(['timestamps', 'serialised'])(
    'times every dispatch by %s and changes no result',
    async (timing) => {
      const gpu = await testDevice(adapter);
      const engine = new Engine(gpu);
      const a = input('a', [1 << 16]);
      const y = inScope('layers.0', () => add(a, scale(a, 2)));
      const program = await engine.compile({ name: 'sum', outputs: { y } });
      const runs: ProgramRun[] = [];
      gpu.runner = new Profiler(gpu, (made) => runs.push(made), timing);
      try {
        const result = await program.run({ a: new Float32Array(a.size).fill(1.5) });
        expect(new Set(result.y)).toEqual(new Set([4.5]));
      } finally {
        gpu.runner = null;
        program.destroy();
      }
      expect(runs.map((made) => made.program)).toEqual(['sum']);
      const { dispatches, encodeMs } = runs[0]!;
      expect(dispatches.map(({ kernel, scope }) => [kernel, scope])).toEqual([
        ['scale', 'layers.0'],
        ['add', 'layers.0'],
      ]);
      expect(dispatches[0]!.ms).toBeGreaterThan(0);
      expect(dispatches[1]!.start).toBeGreaterThanOrEqual(dispatches[0]!.ms);
      expect(encodeMs).toBeGreaterThan(0);
    },
  );
});
