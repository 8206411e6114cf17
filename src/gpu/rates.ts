/** What work of a known time comes to a second, and how that relates to the best that the adapter showed. */
import type { Timing } from './benchmark.ts';

/** What the adapter reached in matrix products and copies. */
export interface Ceilings {
  readonly gflops: number;
  /** In products of operands stored in f16; absent where the adapter stores none. */
  readonly halfGflops?: number | undefined;
  readonly gbps: number;
}

/** Arithmetic operations and the fewest bytes moved; 0 bytes where that is not known. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
  readonly tokens?: number;
  /** What a run does that is counted, where that is not tokens. */
  readonly units?: { readonly name: string; readonly count: number };
  /** How products' operands are stored; default f32. */
  readonly precision?: 'f32' | 'f16';
}

/** 10⁹ operations a second that products of a precision reached. */
export function roofOf(precision: Work['precision'], ceilings: Ceilings): number {
  return precision === 'f16' ? (ceilings.halfGflops ?? ceilings.gflops) : ceilings.gflops;
}

/**
 * What work of a median time comes to: 10⁹ operations and bytes a second, tokens a second, and the share of the
 * ceilings (the roofline model).
 */
export function rates(
  { flops, bytes, tokens, units, precision }: Work,
  { median }: Pick<Timing, 'median'>,
  ceilings: Ceilings | null,
) {
  const least = ceilings ? Math.max(flops / roofOf(precision, ceilings), bytes / ceilings.gbps) / 1e6 : 0;
  return {
    ...(flops > 0 ? { gflops: flops / median / 1e6 } : {}),
    ...(bytes > 0 ? { gbps: bytes / median / 1e6 } : {}),
    ...(tokens ? { tokensPerSecond: (1000 * tokens) / median } : {}),
    ...(units ? { perSecond: { name: units.name, rate: (1000 * units.count) / median } } : {}),
    ...(least > 0 ? { ofCeiling: least / median } : {}),
    ...(ceilings && bytes > 0 ? { ofCopy: bytes / ceilings.gbps / 1e6 / median } : {}),
  };
}
