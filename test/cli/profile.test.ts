/** What `proxmo profile` makes of timed dispatches: sums and a trace; and the profiler that times them. */
import { describe, expect, it } from 'vitest';
import { describeProfile, ProfileSummary } from '../../src/cli/profile/summary.ts';
import { Trace } from '../../src/cli/profile/trace.ts';
import type { DispatchTiming, ProgramRun } from '../../src/gpu/profiler.ts';
import { Profiler } from '../../src/gpu/profiler.ts';
import { add, scale } from '../../src/ops/elementwise.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { inScope } from '../../src/tensor/scope.ts';
import { input } from '../../src/tensor/tensor.ts';
import { profileSchema } from '../../src/view/profile/profileFile.ts';
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
  const summary = new ProfileSummary('preparation');
  summary.enter('rollout', 4);
  summary.add(run);
  summary.enter('update', 15);
  summary.add({ ...run, overheadMs: 0 });
  const report = summary.report({ timing: 'timestamps', ceilings, elapsed: 30 });

  it('adds up kernels, gaps and encoding, by phase and in all', () => {
    const phase = { gpu: 6, gaps: 1, encoding: 1 };
    expect(report.phases).toEqual([
      { name: 'preparation', wall: 4, gpu: 0, gaps: 0, encoding: 0 },
      { name: 'rollout', wall: 9, ...phase },
      { name: 'update', wall: 15, ...phase },
    ]);
    expect(report.milliseconds).toEqual({ wall: 28, gpu: 12, gaps: 2, encoding: 2 });
    expect(report.kernels.map(({ name, count, ms }) => [name, count, ms])).toEqual([
      ['matmul.f32', 4, 10],
      ['add.f32', 2, 2],
    ]);
    expect(report.programs).toEqual([{ name: 'step', count: 6, ms: 12, flops: 6e6, bytes: 6e6 }]);
    expect(report.parts.map(({ name }) => name)).toEqual(['layers.0', 'layers.1', 'no named part']);
  });

  it('goes on with a phase that comes again', () => {
    const again = new ProfileSummary('rollout');
    again.enter('update', 5);
    again.enter('rollout', 6);
    const { phases } = again.report({ timing: 'timestamps', ceilings, elapsed: 10 });
    expect(phases.map(({ name, wall }) => [name, wall])).toEqual([
      ['rollout', 9],
      ['update', 1],
    ]);
  });

  it('tells kernel, part and phase together, as profile.json keeps them', () => {
    expect(report.cells.map(({ kernel, part, phase, ms }) => [kernel, part, phase, ms])).toEqual([
      ['matmul.f32', 'layers.0', 'rollout', 3],
      ['matmul.f32', 'layers.0', 'update', 3],
      ['matmul.f32', 'layers.1', 'rollout', 2],
      ['matmul.f32', 'layers.1', 'update', 2],
      ['add.f32', 'no named part', 'rollout', 1],
      ['add.f32', 'no named part', 'update', 1],
    ]);
    const file = { adapter: 'a', traceIsCut: false, ...report };
    expect(profileSchema.parse(JSON.parse(JSON.stringify(file)))).toEqual(file);
  });

  it('says how it was timed, and where', () => {
    expect(describeProfile({ ...report, timing: 'serialised' })).toMatch(/one by one, timed by the host/);
    expect(describeProfile(report)).toMatch(/matmul\.f32 +4 +10\.00 +83\.3 %/);
    expect(describeProfile(report)).toMatch(/update +15\.0 +53\.6 % +6\.0 +40\.0 %/);
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
