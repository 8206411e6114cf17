/** Seconds that a run took so far, in all of the processes that worked at it. */
export class RunClock {
  /** Seconds of the processes before this one. */
  before = 0;
  private readonly started = performance.now();

  get seconds(): number {
    return this.before + (performance.now() - this.started) / 1000;
  }
}
