/**
 * Whole workloads of many kernels, and how they are timed: from arrays on the host to results on the host, on inputs
 * that change from run to run.
 */
import type { AdapterProfile } from '../../../kernels/spec.ts';
import type { FloatStorage } from '../../../kernels/storage.ts';
import { type Timing, timingOf } from '../../gpu/benchmark.ts';
import { type Ceilings, rates, type Work } from '../../gpu/rates.ts';
import type { Engine } from '../../tensor/engine.ts';
import { noiseOf, quietTiming } from './noise.ts';
import type { BenchRow } from './rows.ts';

export interface Workload extends Work {
  readonly name: string;
  readonly shape: string;
  readonly variant: string;
  /** Of the model; f16 is left out where the adapter has none. Default: f32. */
  readonly precision?: FloatStorage;
  /** Whether it takes an adapter so long that it is measured on demand only. Default: no. */
  readonly isLarge?: (adapter: AdapterProfile) => boolean;
  readonly open: (engine: Engine) => Promise<OpenWorkload>;
}

export interface OpenWorkload {
  /** Kernel dispatches of one run, where every run has as many. */
  readonly dispatches?: number;
  /** Whether its results are right. Called before the first run. */
  readonly isCorrect: () => Promise<boolean>;
  /** @param round counts up, to choose inputs by */
  readonly run: (round: number) => Promise<unknown>;
  /** What is measured besides the time, after it. */
  readonly figures?: () => Promise<
    Pick<BenchRow, 'memory' | 'host' | 'growth' | 'dispatchesPerStep' | 'tokens' | 'phases'>
  >;
  readonly destroy: () => void;
}

const warmUpRuns = 2;
/** Large workloads are timed this often at most, never again; the run that checks them is all that warms them up. */
const largeRepeats = 3;

/** @param repeats runs that are timed, after those that warm up */
export async function workloadRow(
  engine: Engine,
  workload: Workload,
  ceilings: Ceilings,
  repeats: number,
): Promise<BenchRow> {
  const { name, shape, variant, isLarge } = workload;
  const open = await workload.open(engine);
  try {
    const isCorrect = await open.isCorrect();
    const { ms, noise } = isLarge?.(engine.profile)
      ? { ms: await timeRuns(open, 0, Math.min(repeats, largeRepeats)), noise: null }
      : await quietTiming(
          () => timeRuns(open, warmUpRuns, repeats),
          (each) => noiseOf(each, rates(workload, each, ceilings).ofCeiling),
        );
    const { dispatches } = open;
    return {
      name,
      shape,
      variant,
      adapter: engine.gpu.adapter.name,
      ms,
      ...rates(workload, ms, ceilings),
      ...(noise === null ? {} : { noise }),
      ...(dispatches === undefined ? {} : { dispatches }),
      ...(await open.figures?.()),
      check: isCorrect ? 'reference' : 'wrong',
    };
  } finally {
    open.destroy();
  }
}

async function timeRuns({ run }: OpenWorkload, warmUps: number, repeats: number): Promise<Timing> {
  for (let round = 0; round < warmUps; round++) await run(round);
  const times: number[] = [];
  for (let round = 0; round < repeats; round++) {
    const start = performance.now();
    await run(warmUps + round);
    times.push(performance.now() - start);
  }
  return timingOf(times);
}
