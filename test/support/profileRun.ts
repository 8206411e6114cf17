/** A profile as `proxmo profile` leaves it in a run's folder, small and made at once. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProfileSummary } from '../../src/cli/profile/summary.ts';
import { Trace } from '../../src/cli/profile/trace.ts';
import type { ProgramRun, TimedDispatch } from '../../src/gpu/profiler.ts';

const kernels = ['matmul.nt', 'attention', 'addRmsNorm', 'swiglu', 'adamW', 'kvCopy'];

/** Kernels fall in time, and rise in operations a byte; the last computes nothing. */
function dispatch(index: number, start: number, scope: string): TimedDispatch {
  const [kernel, ms] = [kernels[index]!, kernels.length - index];
  const flops = index === kernels.length - 1 ? 0 : 2e6 * ms * (index + 1);
  return { kernel, label: `${kernel}.tile.f32`, scope, flops, bytes: 1e6 * ms, start, ms };
}

function programRun(program: string, count: number, start: number): ProgramRun {
  let at = 0;
  const dispatches = Array.from({ length: count }, (_, index) => {
    const each = dispatch(index, at, `layers.${index % 2}.mlp`);
    at += each.ms;
    return each;
  });
  return { program, start, encodeMs: 1, overheadMs: 0, dispatches };
}

/** Writes a profile whose rollout runs all kernels, and whose update runs the two longest. */
export function writeProfile(run: string, { kernelPrefix = '' } = {}): void {
  const runs = {
    rollout: programRun(`${kernelPrefix}prefill`, kernels.length, 5),
    update: programRun('update', 2, 60),
  };
  const [summary, trace] = [new ProfileSummary('preparation'), new Trace()];
  for (const [phase, each] of Object.entries(runs)) {
    summary.enter(phase, each.start);
    const named = each.dispatches.map((one) => ({ ...one, label: kernelPrefix + one.label }));
    summary.add({ ...each, dispatches: named });
    trace.add(each);
  }
  const report = summary.report({ timing: 'timestamps', ceilings: { gflops: 8, gbps: 1.5 }, elapsed: 100 });
  mkdirSync(join(run, 'profile'), { recursive: true });
  const file = { adapter: 'a test', traceIsCut: false, ...report };
  writeFileSync(join(run, 'profile', 'profile.json'), JSON.stringify(file));
  writeFileSync(join(run, 'profile', 'trace.json'), trace.toString());
}
