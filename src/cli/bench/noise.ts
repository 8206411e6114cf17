/** Which figures of a bench are noise, and measuring them again. */
import { quantile } from 'simple-statistics';
import type { Timing } from '../../gpu/benchmark.ts';

/** Why a figure is not to be trusted. */
export type Noise = 'above the ceiling' | 'wide spread';

/** Faster than the ceiling by more than this, it or the ceiling was measured badly, or caches hold the data. */
export const mostOfCeiling = 1.05;
/** Largest distance between quartiles, as a share of the median. */
export const mostSpread = 0.15;
/** Quartiles of fewer times say nothing. */
const fewestTimes = 4;
/** How often a noisy row is measured once more. */
const moreTries = 2;

/** The distance between the quartiles over the median; null where there are too few times for that. */
export function spreadOf({ times = [], median }: Timing): number | null {
  if (times.length < fewestTimes || median === 0) return null;
  const [low = 0, high = 0] = quantile([...times], [0.25, 0.75]);
  return (high - low) / median;
}

/** @param ofCeiling of the roofline; undefined where it is not known */
export function noiseOf(ms: Timing, ofCeiling: number | undefined): Noise | null {
  if ((ofCeiling ?? 0) > mostOfCeiling) return 'above the ceiling';
  return (spreadOf(ms) ?? 0) > mostSpread ? 'wide spread' : null;
}

export interface QuietTiming {
  readonly ms: Timing;
  /** What was still wrong with the best of the measurements. */
  readonly noise: Noise | null;
  /** How often it was measured. */
  readonly measured: number;
}

/** Measures until there is no noise, some times at most; then the measurement with the least spread counts. */
export async function quietTiming(
  measure: () => Promise<Timing>,
  noiseIn: (ms: Timing) => Noise | null,
): Promise<QuietTiming> {
  let best: Timing | undefined;
  for (let measured = 1; ; measured++) {
    const ms = await measure();
    const noise = noiseIn(ms);
    if (noise === null) return { ms, noise, measured };
    if (!best || (spreadOf(ms) ?? 0) < (spreadOf(best) ?? 0)) best = ms;
    if (measured > moreTries) return { ms: best, noise: noiseIn(best), measured };
  }
}
