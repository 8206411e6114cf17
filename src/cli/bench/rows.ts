/** What a bench measures, as rows for tables and JSON. */
import type { Timing } from '../../gpu/benchmark.ts';
import { type Noise, spreadOf } from './noise.ts';

export interface BenchRow {
  readonly name: string;
  readonly shape: string;
  readonly variant: string;
  readonly adapter: string;
  readonly ms: Timing;
  readonly gflops?: number;
  readonly gbps?: number;
  readonly tokensPerSecond?: number;
  /** What else was done in a second, as steps of an environment. */
  readonly perSecond?: { readonly name: string; readonly rate: number };
  /** The least time that the measured ceilings allow for this work, over the median. */
  readonly ofCeiling?: number;
  /** The copy's least time for the bytes, over the median: for work that reads much and computes little. */
  readonly ofCopy?: number;
  /** Tokens that one run read and wrote, where they are counted. */
  readonly tokens?: number;
  /** Seconds of one run's phases. */
  readonly phases?: Readonly<Record<string, number>>;
  /** Kernel dispatches of one run, for workloads of many. */
  readonly dispatches?: number;
  /** Kernel dispatches for each token of a reply, all rows of the batch together. */
  readonly dispatchesPerStep?: number;
  /** How many times as fast as the default the variant is that tuning chose; absent if that is the default. */
  readonly speedup?: number;
  /** Bytes on the device: of variables, and of intermediate values as they are planned, added up, and at the least. */
  readonly memory?: {
    readonly variables: number;
    readonly planned: number;
    readonly sum: number;
    readonly lowerBound: number;
  };
  /** Milliseconds that the host takes to encode a run, and the sum of its kernels' times. */
  readonly host?: { readonly encodeMs: number; readonly kernelMs: number };
  /** Bytes that a step leaves behind, by where, with the standard error. */
  readonly growth?: Readonly<Record<string, { readonly bytes: number; readonly error: number }>>;
  /** Why the time is not to be trusted, after it was measured again. */
  readonly noise?: Noise;
  /** What the result was compared with; `wrong` if it differs. */
  readonly check: 'reference' | 'variant' | 'wrong';
}

export const benchHeadings: readonly string[] = [
  '',
  'shape',
  'variant',
  'ms',
  'least',
  'most',
  'spread',
  'GFLOP/s',
  'GB/s',
  'tokens/s',
  'of ceiling',
  'of copy',
  '',
];

/** A row for a table under `benchHeadings`. */
export function benchCells(row: BenchRow): string[] {
  const { ms, gflops, gbps, tokensPerSecond, ofCeiling, ofCopy } = row;
  return [
    row.name,
    row.shape,
    row.variant,
    ...[ms.median, ms.min, ms.max].map(figure),
    share(spreadOf(ms) ?? undefined),
    ...[gflops, gbps, tokensPerSecond].map((value) => (value === undefined ? '' : figure(value))),
    ...[ofCeiling, ofCopy].map(share),
    notes(row).join(', '),
  ];
}

function notes({
  check,
  noise,
  perSecond,
  speedup,
  dispatches,
  dispatchesPerStep,
  memory,
  host,
  growth = {},
  tokens,
  phases = {},
}: BenchRow): string[] {
  const mebibytes = (bytes: number) => figure(bytes / 2 ** 20);
  return [
    ...(check === 'wrong' ? ['WRONG'] : []),
    ...(noise === undefined ? [] : [`NOISE: ${noise}`]),
    ...(perSecond ? [`${figure(perSecond.rate)} ${perSecond.name}/s`] : []),
    ...(speedup ? [`${speedup.toFixed(2)} × the default`] : []),
    ...(tokens === undefined ? [] : [`${tokens} tokens`]),
    ...Object.entries(phases).map(([phase, seconds]) => `${phase} ${figure(seconds)} s`),
    ...(dispatches === undefined ? [] : [`${dispatches} dispatches`]),
    ...(dispatchesPerStep === undefined ? [] : [`${figure(dispatchesPerStep)} dispatches a token`]),
    ...(memory
      ? [
          `${mebibytes(memory.variables)} MiB of variables + ${mebibytes(memory.planned)} planned of ${mebibytes(memory.sum)} (least ${mebibytes(memory.lowerBound)})`,
        ]
      : []),
    ...(host ? [`encoding ${figure(host.encodeMs)} of ${figure(host.kernelMs)} ms`] : []),
    ...Object.entries(growth).map(
      ([where, { bytes, error }]) => `${where} ${Math.round(bytes)} ± ${Math.ceil(error)} bytes a step`,
    ),
  ];
}

function share(value: number | undefined): string {
  return value === undefined ? '' : `${Math.round(100 * value)} %`;
}

/** Three or more digits. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
