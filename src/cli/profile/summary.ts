/** Adds up the times of dispatches: by kernel, by op, by part of the model, by program, by phase of the run. */
import type { DispatchTiming, ProgramRun, TimedDispatch } from '../../gpu/profiler.ts';
import type { Ceilings } from '../../gpu/rates.ts';
import { kernelRates } from '../../view/profile/kernelWords.ts';
import type { ProfileCell, ProfileFile, ProfileTimes, ProfileTotal } from '../../view/profile/profileFile.ts';
import { Totals, totalsBy } from '../../view/profile/totals.ts';
import { formatTable, percent } from '../table.ts';

const mostRows = 24;

/** What of a profile is known besides its sums. */
export interface ProfileFacts {
  readonly timing: DispatchTiming;
  readonly ceilings: Ceilings;
  /** Milliseconds of the whole profile. */
  readonly elapsed: number;
}

/** Milliseconds. */
interface Phase {
  /** From start to end, with what timing took. */
  span: number;
  gpu: number;
  gaps: number;
  encoding: number;
  /** What timing took. */
  overhead: number;
}

/** A phase that is over, in milliseconds of the profile. */
export interface EndedPhase {
  readonly name: string;
  readonly start: number;
  readonly ms: number;
}

export class ProfileSummary {
  private readonly cells = new Map<string, { -readonly [K in keyof ProfileCell]: ProfileCell[K] }>();
  private readonly programs = new Totals();
  private readonly phases = new Map<string, Phase>();
  /** When the phase under way began, in milliseconds of the profile. */
  private since = 0;
  private runs = 0;

  /** @param phase the first one */
  constructor(private phase: string) {
    this.phaseOf(phase);
  }

  /** Whether nothing ran. */
  get isEmpty(): boolean {
    return this.runs === 0;
  }

  /** What runs from here on belongs to another phase. @returns the one that is over; null where it goes on */
  enter(phase: string, elapsed: number): EndedPhase | null {
    if (phase === this.phase) return null;
    const ended = this.phaseUntil(elapsed);
    this.phaseOf(this.phase).span += ended.ms;
    this.since = elapsed;
    this.phase = phase;
    this.phaseOf(phase);
    return ended;
  }

  /** The phase under way, if it ended there. */
  phaseUntil(elapsed: number): EndedPhase {
    return { name: this.phase, start: this.since, ms: elapsed - this.since };
  }

  add(run: ProgramRun): void {
    this.runs++;
    const phase = this.phaseOf(this.phase);
    phase.encoding += run.encodeMs;
    phase.overhead += run.overheadMs;
    let end = 0;
    for (const dispatch of run.dispatches) {
      this.addToCell(dispatch);
      this.programs.add(run.program, { ...dispatch, count: 1 });
      phase.gpu += dispatch.ms;
      phase.gaps += Math.max(0, dispatch.start - end);
      end = dispatch.start + dispatch.ms;
    }
  }

  /** The figures for `profile.json`, but for the adapter and the trace. */
  report({ timing, ceilings, elapsed }: ProfileFacts): Omit<ProfileFile, 'adapter' | 'traceIsCut'> {
    const cells = [...this.cells.values()].sort((a, b) => b.ms - a.ms);
    const phases = this.timesByPhase(elapsed);
    return {
      format: 'proxmo-profile',
      formatVersion: 1,
      timing,
      ceilings,
      programRuns: this.runs,
      milliseconds: sumOf(phases),
      phases,
      kernels: totalsBy(cells, 'kernel'),
      ops: totalsBy(cells, 'op'),
      parts: totalsBy(cells, 'part'),
      programs: this.programs.sorted,
      cells,
    };
  }

  private addToCell({ kernel: op, label: kernel, scope, ms, flops, bytes }: TimedDispatch): void {
    const [part, phase] = [scope || 'no named part', this.phase];
    const key = `${kernel}\n${part}\n${phase}`;
    const cell = this.cells.get(key) ?? { kernel, op, part, phase, count: 0, ms: 0, flops: 0, bytes: 0 };
    cell.count++;
    cell.ms += ms;
    cell.flops += flops;
    cell.bytes += bytes;
    this.cells.set(key, cell);
  }

  private phaseOf(name: string): Phase {
    const known = this.phases.get(name) ?? { span: 0, gpu: 0, gaps: 0, encoding: 0, overhead: 0 };
    this.phases.set(name, known);
    return known;
  }

  private timesByPhase(elapsed: number): (ProfileTimes & { name: string })[] {
    return [...this.phases].map(([name, { span, overhead, gpu, gaps, encoding }]) => {
      const whole = span + (name === this.phase ? this.phaseUntil(elapsed).ms : 0);
      return { name, wall: Math.max(0, whole - overhead), gpu, gaps, encoding };
    });
  }
}

function sumOf(phases: readonly ProfileTimes[]): ProfileTimes {
  const sum = (field: keyof ProfileTimes) => phases.reduce((total, phase) => total + phase[field], 0);
  return { wall: sum('wall'), gpu: sum('gpu'), gaps: sum('gaps'), encoding: sum('encoding') };
}

/** A profile as tables for a terminal. */
export function describeProfile(profile: ReturnType<ProfileSummary['report']>): string {
  const { timing, ceilings, programRuns, milliseconds, phases, kernels, ops, parts, programs } = profile;
  const { wall, gpu, gaps, encoding } = milliseconds;
  const clock =
    timing === 'timestamps'
      ? 'timed by timestamps of the GPU'
      : 'dispatches ran one by one, timed by the host without timestamps, so that each time includes a submit';
  const rest = Math.max(0, wall - gpu - gaps - encoding);
  const tables = { kernel: kernels, op: ops, 'part of the model': parts, program: programs };
  return [
    `${programRuns} program runs in ${(wall / 1000).toFixed(2)} s; ${clock}`,
    formatTable([
      ['', 'ms', 'of wall'],
      ['GPU, kernels', gpu.toFixed(1), percent(gpu / wall)],
      ['GPU, gaps within programs', gaps.toFixed(1), percent(gaps / wall)],
      ['host, encoding', encoding.toFixed(1), percent(encoding / wall)],
      ['host, the rest', rest.toFixed(1), percent(rest / wall)],
    ]),
    ...(gpu > 0
      ? [`encoding takes ${percent(encoding / gpu)} of the kernels' time; ${describeCeilings(ceilings)}`]
      : []),
    `\n${describePhases(phases, wall)}`,
    ...Object.entries(tables).map(([heading, totals]) => `\n${describeTotals(heading, totals, gpu, ceilings)}`),
  ].join('\n');
}

function describeCeilings({ gflops, halfGflops, gbps }: Ceilings): string {
  const half = halfGflops === undefined ? '' : ` (${halfGflops.toFixed(1)} of f16)`;
  return `ceilings: ${gflops.toFixed(1)} GFLOP/s${half}, ${gbps.toFixed(1)} GB/s`;
}

/** @param wall milliseconds of them all */
function describePhases(phases: readonly (ProfileTimes & { readonly name: string })[], wall: number): string {
  return formatTable([
    ['phase', 'ms', 'of wall', 'GPU, kernels', 'of phase'],
    ...phases.map((phase) => [
      phase.name,
      phase.wall.toFixed(1),
      percent(phase.wall / wall),
      phase.gpu.toFixed(1),
      phase.wall > 0 ? percent(phase.gpu / phase.wall) : '',
    ]),
  ]);
}

/** The longest rows, and the others in one. */
function describeTotals(heading: string, totals: readonly ProfileTotal[], gpuMs: number, ceilings: Ceilings): string {
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

function cells(total: ProfileTotal, gpuMs: number, ceilings: Ceilings): string[] {
  const { name, count, ms } = total;
  const { gflops, gbps, ofCeiling } = kernelRates(total, name, ceilings);
  return [
    name,
    String(count),
    ms.toFixed(2),
    percent(ms / gpuMs),
    ((1000 * ms) / count).toFixed(0),
    gflops?.toFixed(2) ?? '',
    gbps?.toFixed(2) ?? '',
    ofCeiling === null ? '' : percent(ofCeiling),
  ];
}
