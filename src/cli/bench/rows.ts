/** What a bench measures, as rows for tables and JSON, and how a time relates to the best that the adapter showed in the same run. */
import type { Timing } from '../../gpu/benchmark.ts';

export interface BenchRow {
  readonly name: string;
  readonly shape: string;
  readonly variant: string;
  readonly adapter: string;
  readonly ms: Timing;
  readonly gflops?: number;
  readonly gbps?: number;
  readonly tokensPerSecond?: number;
  /** The least time that the measured ceilings allow for this work, over the median. */
  readonly ofCeiling?: number;
  /** Kernel dispatches of one run, for workloads of many. */
  readonly dispatches?: number;
  /** What the result was compared with; `wrong` if it differs. */
  readonly check: 'reference' | 'variant' | 'wrong';
}

/** What the adapter reached in matrix products and copies. */
export interface Ceilings {
  readonly gflops: number;
  readonly gbps: number;
}

/** Arithmetic operations and the fewest bytes moved; 0 bytes where that is not known. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
  readonly tokens?: number;
}

/** What work of a median time comes to: 10⁹ operations and bytes a second, tokens a second, and the share of the ceilings (the roofline model). */
export function rates({ flops, bytes, tokens }: Work, { median }: Timing, ceilings: Ceilings | null) {
  const least = ceilings ? Math.max(flops / ceilings.gflops, bytes / ceilings.gbps) / 1e6 : 0;
  return {
    ...(flops > 0 ? { gflops: flops / median / 1e6 } : {}),
    ...(bytes > 0 ? { gbps: bytes / median / 1e6 } : {}),
    ...(tokens ? { tokensPerSecond: (1000 * tokens) / median } : {}),
    ...(ceilings ? { ofCeiling: least / median } : {}),
  };
}

export const benchHeadings: readonly string[] = [
  '',
  'shape',
  'variant',
  'ms',
  'least',
  'most',
  'GFLOP/s',
  'GB/s',
  'tokens/s',
  'of ceiling',
  '',
];

/** A row for a table under `benchHeadings`. */
export function benchCells(row: BenchRow): string[] {
  const { ms, gflops, gbps, tokensPerSecond, ofCeiling, dispatches, check } = row;
  return [
    row.name,
    row.shape,
    row.variant,
    ...[ms.median, ms.min, ms.max].map(figure),
    ...[gflops, gbps, tokensPerSecond].map((value) => (value === undefined ? '' : figure(value))),
    ofCeiling === undefined ? '' : `${Math.round(100 * ofCeiling)} %`,
    check === 'wrong' ? 'WRONG' : dispatches === undefined ? '' : `${dispatches} dispatches`,
  ];
}

/** Three or more digits. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
