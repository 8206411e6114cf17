/**
 * Measures the variants of a kernel against each other on one case. All work on the same buffers, and take turns, so
 * that what else happens on the machine meets all of them. A variant that does not compile, or whose result is not that
 * of the default, is out, and so is one that falls far behind.
 */
import { type KernelCase, kernelLabel, type RunnableKernel, type Variant } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { resultsAgree } from './agreement.ts';
import { type Batch, KernelBench } from './benchmark.ts';
import type { GpuContext } from './context.ts';

export interface RaceOptions {
  /** Least length of a batch in milliseconds; default 8. */
  readonly batchMs?: number;
  /** Rounds in which every variant that is left is timed once; default 5. */
  readonly rounds?: number;
  /** Told in one sentence of a variant that is broken on this device. */
  readonly onBroken?: (text: string) => void;
}

export interface RaceResult {
  readonly winner: Variant;
  /** Median milliseconds of a dispatch. */
  readonly ms: number;
  /** Those of the default variant. */
  readonly defaultMs: number;
}

interface Runner {
  readonly variant: Variant;
  readonly batch: Batch;
  readonly times: number[];
}

/** A variant whose dispatches take this many times the best one's is not raced … */
const hopelessFactor = 4;
/** … if they take longer than submitting and waiting do, in milliseconds … */
const measurableMs = 2;
/** … and so do a few more: the machine may have been busy. */
const secondChances = 2;
/** The share of a variant's grid that is tried first, with half of it, where the best takes long enough. */
const smallestShare = 1 / 32;
/** Behind by this factor in its best time, a variant leaves the race. */
const losingFactor = 1.25;
/**
 * Another variant must be faster than the default by this factor, in its median and in its best time: differences below
 * it are noise.
 */
const winningFactor = 0.97;

/**
 * The fastest variant for a case.
 * @param variants those that the adapter can run, the default first
 * @throws {ProxmoError} `gpu-error` if the default does not run, `shape` if the case is too large for the device
 */
export async function raceVariants(
  gpu: GpuContext,
  spec: RunnableKernel,
  variants: readonly [Variant, ...Variant[]],
  kernelCase: KernelCase,
  { batchMs = 8, rounds = 5, onBroken = () => {} }: RaceOptions = {},
): Promise<RaceResult> {
  const bench = await KernelBench.create(gpu, spec, variants[0], kernelCase);
  const runners: Runner[] = [];
  try {
    for (const { variant, entrant } of await qualify(gpu, spec, bench, variants, onBroken))
      runners.push({ variant, batch: await entrant.batch(batchMs), times: [] });
    const [first] = runners;
    if (!first) throw new Error(`no variant of ${spec.name} was measured`);
    let left: readonly Runner[] = runners;
    for (let round = 0; round < rounds; round++) {
      await runRound(left);
      // One batch alone may have met a busy machine.
      if (round === 0) continue;
      const best = Math.min(...left.map(leastOf));
      left = left.filter((runner) => runner === first || leastOf(runner) <= losingFactor * best);
    }
    const rival = left.reduce((best, runner) => (medianOf(runner) < medianOf(best) ? runner : best));
    // A final between the two: of many variants the best one was the luckiest, too.
    if (rival !== first) for (let round = 0; round < rounds; round++) await runRound([first, rival]);
    const winner = [medianOf, leastOf].every((time) => time(rival) < winningFactor * time(first)) ? rival : first;
    return { winner: winner.variant, ms: medianOf(winner), defaultMs: medianOf(first) };
  } finally {
    for (const { batch } of runners) batch.destroy();
    bench.destroy();
  }
}

/** The variants that compile, agree with the default and are not hopelessly slow. */
async function qualify(
  gpu: GpuContext,
  spec: RunnableKernel,
  bench: KernelBench,
  [first, ...others]: readonly [Variant, ...Variant[]],
  onBroken: (text: string) => void,
): Promise<{ variant: Variant; entrant: KernelBench }[]> {
  const expected = await bench.run();
  let best = await bench.once();
  const qualified = [{ variant: first, entrant: bench }];
  for (const variant of others) {
    const entrant = await bench.withVariant(variant).catch((error: unknown) => {
      if (!(error instanceof ProxmoError)) throw error;
      onBroken(error.message);
      return null;
    });
    if (!entrant || (await isFarBehind(entrant, best))) continue;
    if (!resultsAgree(spec, await entrant.run(), expected)) {
      onBroken(
        `Kernel ${kernelLabel(spec, variant)} gives another result than ${kernelLabel(spec, first)} on ${gpu.adapter.name}.`,
      );
      continue;
    }
    let ms = await entrant.once();
    const isHopeless = () => ms > measurableMs && ms > hopelessFactor * best;
    for (let chance = 0; chance < secondChances && isHopeless(); chance++) ms = Math.min(ms, await entrant.once());
    if (isHopeless()) continue;
    best = Math.min(best, ms);
    qualified.push({ variant, entrant });
  }
  return qualified;
}

/**
 * Whether a variant's first workgroups already tell that it is hopeless, so that a variant that was made for other
 * adapters does not keep the device for seconds. From each try to the next the grid's share doubles, and with it the
 * time, once it fills the device.
 */
async function isFarBehind(entrant: KernelBench, best: number): Promise<boolean> {
  if (best <= measurableMs) return false;
  for (let share = smallestShare; share < 1; share *= 2) {
    const times: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    const isHopeless = () => times[1] > measurableMs && predictedMs(times, share) > hopelessFactor * best;
    for (let chance = 0; chance <= secondChances && (chance === 0 || isHopeless()); chance++) {
      for (const [index, part] of [share / 2, share].entries())
        times[index] = Math.min(times[index]!, await entrant.onceInPart(part));
    }
    if (isHopeless()) return true;
  }
  return false;
}

/**
 * Milliseconds of a whole grid, of which a share was timed, and half of that share: what does not grow with the share
 * is counted once. At most in proportion, since where the half was much quicker than half the machine was busy.
 */
export function predictedMs([half, whole]: readonly [number, number], share: number): number {
  return Math.min(whole + ((whole - half) / (share / 2)) * (1 - share), whole / share);
}

async function runRound(runners: readonly Runner[]): Promise<void> {
  for (const { batch, times } of runners) times.push(await batch.run());
}

function leastOf({ times }: Runner): number {
  return Math.min(...times);
}

function medianOf({ times }: Runner): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.POSITIVE_INFINITY;
}
