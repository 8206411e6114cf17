/** Adds up the times of dispatches: by kernel, by op, by part of the model, by program. */
import type { DispatchTiming, ProgramRun, TimedDispatch } from '../../gpu/profiler.ts';
import { type Ceilings, rates } from '../bench/rows.ts';
import { formatTable, percent } from '../table.ts';

export interface Total {
  readonly name: string;
  readonly count: number;
  readonly ms: number;
  readonly flops: number;
  readonly bytes: number;
}

/** Milliseconds of the whole profile. */
export interface ProfileTimes {
  /** From start to end, without what timing itself took. */
  readonly wall: number;
  /** Dispatches. */
  readonly gpu: number;
  /** Between dispatches of a program. */
  readonly gaps: number;
  /** Encoding of the programs on the host, as it is without a profiler. */
  readonly encoding: number;
}

const mostRows = 24;

class Totals {
  private readonly byName = new Map<string, { -readonly [K in keyof Total]: Total[K] }>();

  add(name: string, { ms, flops, bytes }: Pick<TimedDispatch, 'ms' | 'flops' | 'bytes'>): void {
    const total = this.byName.get(name) ?? { name, count: 0, ms: 0, flops: 0, bytes: 0 };
    total.count++;
    total.ms += ms;
    total.flops += flops;
    total.bytes += bytes;
    this.byName.set(name, total);
  }

  /** The longest first. */
  get sorted(): readonly Total[] {
    return [...this.byName.values()].sort((a, b) => b.ms - a.ms);
  }
}

export class ProfileSummary {
  private readonly kernels = new Totals();
  private readonly ops = new Totals();
  private readonly parts = new Totals();
  private readonly programs = new Totals();
  private runs = 0;
  private gpuMs = 0;
  private gapMs = 0;
  private encodeMs = 0;
  private overheadMs = 0;

  add(run: ProgramRun): void {
    this.runs++;
    this.encodeMs += run.encodeMs;
    this.overheadMs += run.overheadMs;
    let end = 0;
    for (const dispatch of run.dispatches) {
      this.kernels.add(dispatch.label, dispatch);
      this.ops.add(dispatch.kernel, dispatch);
      this.parts.add(dispatch.scope || 'no named part', dispatch);
      this.programs.add(run.program, dispatch);
      this.gpuMs += dispatch.ms;
      this.gapMs += Math.max(0, dispatch.start - end);
      end = dispatch.start + dispatch.ms;
    }
  }

  /** By kernel variant, the longest first. */
  get byKernel(): readonly Total[] {
    return this.kernels.sorted;
  }

  /** @param elapsed milliseconds of the whole profile */
  times(elapsed: number): ProfileTimes {
    return { wall: elapsed - this.overheadMs, gpu: this.gpuMs, gaps: this.gapMs, encoding: this.encodeMs };
  }

  /** For JSON. */
  report(elapsed: number, timing: DispatchTiming, ceilings: Ceilings) {
    return {
      timing,
      ceilings,
      programRuns: this.runs,
      milliseconds: this.times(elapsed),
      kernels: this.kernels.sorted,
      ops: this.ops.sorted,
      parts: this.parts.sorted,
      programs: this.programs.sorted,
    };
  }

  describe(elapsed: number, timing: DispatchTiming, ceilings: Ceilings): string {
    const { wall, gpu, gaps, encoding } = this.times(elapsed);
    const clock =
      timing === 'timestamps'
        ? 'timed by timestamps of the GPU'
        : 'dispatches ran one by one, timed by the host without timestamps, so that each time includes a submit';
    return [
      `${this.runs} program runs in ${(wall / 1000).toFixed(2)} s; ${clock}`,
      formatTable([
        ['', 'ms', 'of wall'],
        ['GPU, kernels', gpu.toFixed(1), percent(gpu / wall)],
        ['GPU, gaps within programs', gaps.toFixed(1), percent(gaps / wall)],
        ['host, encoding', encoding.toFixed(1), percent(encoding / wall)],
        [
          'host, the rest',
          Math.max(0, wall - gpu - gaps - encoding).toFixed(1),
          percent(Math.max(0, wall - gpu - gaps - encoding) / wall),
        ],
      ]),
      `encoding takes ${percent(encoding / gpu)} of the kernels' time; ceilings: ${ceilings.gflops.toFixed(1)} GFLOP/s, ${ceilings.gbps.toFixed(1)} GB/s`,
      ...(
        [
          ['kernel', this.kernels],
          ['op', this.ops],
          ['part of the model', this.parts],
          ['program', this.programs],
        ] as const
      ).map(([heading, totals]) => `\n${describeTotals(heading, totals.sorted, gpu, ceilings)}`),
    ].join('\n');
  }
}

/** The longest rows, and the others in one. */
function describeTotals(heading: string, totals: readonly Total[], gpuMs: number, ceilings: Ceilings): string {
  const others = totals.slice(mostRows);
  const sumOf = (field: 'count' | 'ms' | 'flops' | 'bytes') => others.reduce((sum, total) => sum + total[field], 0);
  const rest = {
    name: `${others.length} others`,
    count: sumOf('count'),
    ms: sumOf('ms'),
    flops: sumOf('flops'),
    bytes: sumOf('bytes'),
  };
  const shown = [...totals.slice(0, mostRows), ...(others.length > 0 ? [rest] : [])];
  return formatTable([
    [heading, 'count', 'ms', 'share', 'µs each', 'GFLOP/s', 'GB/s', 'of ceiling'],
    ...shown.map((total) => cells(total, gpuMs, ceilings)),
  ]);
}

function cells(total: Total, gpuMs: number, ceilings: Ceilings): string[] {
  const { name, count, ms } = total;
  const { gflops, gbps, ofCeiling } = rates(total, { median: ms, min: ms, max: ms }, ceilings);
  return [
    name,
    String(count),
    ms.toFixed(2),
    percent(ms / gpuMs),
    ((1000 * ms) / count).toFixed(0),
    ms > 0 ? (gflops?.toFixed(2) ?? '') : '',
    ms > 0 ? (gbps?.toFixed(2) ?? '') : '',
    ms > 0 && ofCeiling !== undefined ? percent(ofCeiling) : '',
  ];
}
