/** What a kernel's figures say, in plain words. */
import { type Ceilings, rates, roofOf } from '../../gpu/rates.ts';
import type { ProfileTotal, ProfileWork } from './profileFile.ts';

export interface KernelRates {
  /** 10⁹ operations and bytes a second; null where it does none. */
  readonly gflops: number | null;
  readonly gbps: number | null;
  /** Operations a byte; null where either is not known. */
  readonly intensity: number | null;
  /** The least time that the ceilings allow for its work, over its time; null where its work is not known. */
  readonly ofCeiling: number | null;
  readonly limit: 'memory' | 'arithmetic' | null;
  /** 10⁹ operations a second that products of its precision reached. */
  readonly roof: number;
}

/** @param op the kernel's name, which says how products' operands are stored */
export function kernelRates({ ms, flops, bytes }: ProfileWork, op: string, ceilings: Ceilings): KernelRates {
  const precision = /^matmul\b.*f16/.test(op) ? 'f16' : 'f32';
  const roof = roofOf(precision, ceilings);
  const { gflops, gbps, ofCeiling } = ms > 0 ? rates({ flops, bytes, precision }, { median: ms }, ceilings) : {};
  const isKnown = flops > 0 || bytes > 0;
  return {
    gflops: gflops ?? null,
    gbps: gbps ?? null,
    intensity: flops > 0 && bytes > 0 ? flops / bytes : null,
    ofCeiling: ofCeiling ?? null,
    limit: isKnown ? (flops / roof > bytes / ceilings.gbps ? 'arithmetic' : 'memory') : null,
    roof,
  };
}

/**
 * Two sentences: how long it takes, and what limits it.
 * @param gpuMs milliseconds of all kernels
 */
export function kernelWords(
  { op, ...total }: ProfileTotal & { op: string },
  gpuMs: number,
  ceilings: Ceilings,
): string[] {
  const { count, ms } = total;
  const times = count === 1 ? 'one dispatch' : `${count.toLocaleString('en')} dispatches`;
  const time = `${share(ms / gpuMs)} of the kernels’ time: ${times} of ${microseconds((1000 * ms) / count)}${count === 1 ? '' : ' each'}.`;
  return [time, limitOf(kernelRates(total, op, ceilings), ceilings)];
}

function limitOf({ gflops, gbps, intensity, ofCeiling, limit, roof }: KernelRates, ceilings: Ceilings): string {
  if (limit === null || ofCeiling === null) return 'How much work that is, is not known.';
  const reached =
    limit === 'arithmetic'
      ? `${figure(gflops ?? 0)} of the ${figure(roof)} GFLOP/s that matrix products reached here`
      : `${figure(gbps ?? 0)} of the ${figure(ceilings.gbps)} GB/s that copies reached here`;
  const beyond = ofCeiling > 1 ? '; more than all, since caches hold what it reads' : '';
  const why =
    intensity === null
      ? `It ${gflops === null ? 'computes' : 'moves'} nothing`
      : `It computes ${figure(intensity)} operations for each byte that it has to move`;
  return `${why}, so ${limit} limits it: ${reached}, ${share(ofCeiling)}${beyond}.`;
}

/** Three digits, without an exponent where that is short. */
export function figure(value: number): string {
  if (value === 0) return '0';
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

function share(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}

function microseconds(value: number): string {
  return value < 1000 ? `${figure(value)} µs` : `${figure(value / 1000)} ms`;
}
