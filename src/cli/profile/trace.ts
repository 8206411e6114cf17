/**
 * A profile in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open. It has a track of the run's
 * phases, one of the host with a slice for each submit, and one of the GPU with a slice for each program and, within
 * it, for each dispatch. The device's clock is not the host's: a program's first dispatch is drawn where the host
 * submitted it.
 */
import type { ProgramRun } from '../../gpu/profiler.ts';
import type { EndedPhase } from './summary.ts';

/** Traces of more dispatches than this are slow to open. */
const mostDispatches = 200_000;

const host = 1;
const device = 2;
const run = 3;

interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  /** Start and duration in microseconds. */
  readonly ts?: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, string | number>>;
}

export class Trace {
  private readonly events: TraceEvent[] = [nameOf(run, 'phases'), nameOf(host, 'host'), nameOf(device, 'GPU')];
  private dispatches = 0;
  /** Where the last program ends, in milliseconds. */
  private end = 0;
  private cut = false;

  /** Whether programs were left out because there were too many. */
  get isCut(): boolean {
    return this.cut;
  }

  addPhase({ name, start, ms }: EndedPhase): void {
    if (!this.cut) this.events.push(slice(name, run, start, ms));
  }

  add({ program, start, encodeMs, dispatches }: ProgramRun): void {
    if (this.dispatches + dispatches.length > mostDispatches) this.cut = true;
    if (this.cut) return;
    this.dispatches += dispatches.length;
    this.events.push(slice(`encode ${program}`, host, start - encodeMs, encodeMs));
    const last = dispatches.at(-1);
    if (!last) return;
    const at = Math.max(start, this.end);
    this.end = at + last.start + last.ms;
    this.events.push(slice(program, device, at, this.end - at));
    for (const { label, scope, flops, bytes, start: offset, ms } of dispatches) {
      this.events.push(slice(label, device, at + offset, ms, { scope, flops, bytes }));
    }
  }

  toString(): string {
    return JSON.stringify({ displayTimeUnit: 'ms', traceEvents: this.events });
  }
}

function nameOf(tid: number, name: string): TraceEvent {
  return { name: 'thread_name', ph: 'M', pid: 1, tid, args: { name } };
}

function slice(name: string, tid: number, startMs: number, ms: number, args?: TraceEvent['args']): TraceEvent {
  return { name, ph: 'X', pid: 1, tid, ts: 1000 * startMs, dur: 1000 * ms, ...(args ? { args } : {}) };
}
