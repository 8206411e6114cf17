/** What a coordinator knows of its workers: what they did, what they failed at, and which of them it has shut out. */

/** A worker that fails so often in a row, where others do not, is of no use. */
const mostInARow = 3;

interface Record {
  readonly pieces: number;
  readonly episodes: number;
  readonly seconds: number;
  /** Failures since its last sound answer. */
  readonly failures: number;
}

export class Standing {
  private readonly records = new Map<string, Record>();
  private readonly reasons = new Map<string, string>();

  /** Who did how much, a line each. */
  get summary(): string[] {
    return [...this.records].map(([worker, { pieces, episodes, seconds }]) => {
      const why = this.reasons.get(worker);
      const end = why === undefined ? '' : `; shut out: ${why}`;
      return `${worker}: ${pieces} pieces, ${episodes} episodes, ${seconds.toFixed(1)} s${end}`;
    });
  }

  get shutOut(): { readonly worker: string; readonly why: string }[] {
    return [...this.reasons].map(([worker, why]) => ({ worker, why }));
  }

  isShutOut(worker: string): boolean {
    return this.reasons.has(worker);
  }

  /** A sound answer. */
  succeeded(worker: string, episodes: number, seconds: number): void {
    const before = this.recordOf(worker);
    this.records.set(worker, {
      pieces: before.pieces + 1,
      episodes: before.episodes + episodes,
      seconds: before.seconds + seconds,
      failures: 0,
    });
  }

  /** A failure. @returns whether it is the worker's own, since others do what it cannot */
  failed(worker: string): boolean {
    const before = this.recordOf(worker);
    this.records.set(worker, { ...before, failures: before.failures + 1 });
    const others = [...this.records].some(([name, { pieces }]) => name !== worker && pieces > 0);
    return others && before.failures + 1 >= mostInARow;
  }

  /** Nothing that it did counts. */
  exclude(worker: string, why: string): void {
    this.reasons.set(worker, why);
    this.records.set(worker, nothing);
  }

  private recordOf(worker: string): Record {
    return this.records.get(worker) ?? nothing;
  }
}

const nothing: Record = { pieces: 0, episodes: 0, seconds: 0, failures: 0 };
