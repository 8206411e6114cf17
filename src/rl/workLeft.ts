/**
 * How long a training run still takes, told from its first seconds on. Its work is counted in episodes that are read
 * once: learning from an episode costs three readings, playing one about one and a half. What a unit takes is measured
 * for each kind of work as it is done; work of a kind that has not begun is taken to go as fast as all the work so far.
 */
import type { TrainConfig } from './config.ts';
import type { Left, Phase } from './liveProgress.ts';
import type { Progress } from './trainer.ts';

type Settings = Pick<TrainConfig, 'warmStart' | 'training' | 'evaluation' | 'loss'>;

const readings = { play: 1.5, learn: 3, reference: 1 };
/** What follows on each other as a whole: what comes before training, an iteration, an evaluation. */
const stages: readonly (readonly Phase[])[] = [
  ['demonstrations', 'warm start'],
  ['rollout', 'advantages', 'update'],
  ['evaluation'],
];
/** Weight of the newest phase in what is known of its kind: the first ones compile kernels. */
const newest = 0.5;

/**
 * Evaluations of a run: before training, on the way and after it.
 * @param from iteration that it goes on from; null if it is at its beginning
 */
export function evaluationsLeft(
  { training, evaluation: { every } }: Pick<TrainConfig, 'training' | 'evaluation'>,
  from: number | null,
): number {
  const between = every > 0 ? Math.ceil(training.iterations / every) - 1 - Math.floor((from ?? 0) / every) : 0;
  return Math.max(0, between) + (from === null ? 2 : 1);
}

interface Measured {
  /** Seconds a unit. */
  pace: number | null;
  /** Seconds and units of the phase that is under way. */
  seconds: number;
  units: number;
  /** Phases that are over. */
  over: number;
}

export class WorkLeft {
  private readonly kinds = new Map<Phase, Measured>();
  /** Of all work so far. */
  private readonly total = { seconds: 0, units: 0 };
  private phase: { readonly kind: Phase; done: number } | null = null;
  private last: number;
  /** One that was not needed has no phases. */
  private isPastWarmStart = false;
  private readonly evaluations: number;

  /**
   * @param from iteration that a resumed run goes on from; null if the warm start is still to come
   * @param now in milliseconds
   */
  constructor(
    private readonly settings: Settings,
    private readonly from: number | null,
    now: number = performance.now(),
  ) {
    this.evaluations = evaluationsLeft(settings, from);
    this.last = now;
  }

  /** Told of every step of a phase. */
  note({ phase: kind, done }: Pick<Progress, 'phase' | 'done'>, now: number = performance.now()): void {
    if (this.phase !== null && (this.phase.kind !== kind || done < this.phase.done)) this.endPhase(now);
    const before = this.phase?.done ?? 0;
    this.phase = { kind, done };
    if (kind !== 'demonstrations' && kind !== 'warm start') this.isPastWarmStart = true;
    this.add(kind, now, Math.max(0, done - before) * this.unitsOf(kind));
  }

  /** Told of the end of the phase under way. */
  endPhase(now: number = performance.now()): void {
    if (this.phase === null) return;
    const { kind, done } = this.phase;
    this.add(kind, now, (1 - done) * this.unitsOf(kind));
    const measured = this.measured(kind);
    if (measured.units > 0) {
      const pace = measured.seconds / measured.units;
      measured.pace = measured.pace === null ? pace : newest * pace + (1 - newest) * measured.pace;
    }
    Object.assign(measured, { seconds: 0, units: 0, over: measured.over + 1 });
    this.phase = null;
  }

  /** Seconds that are left; null while nothing is known. */
  get seconds(): number | null {
    if (this.total.units === 0 || this.total.seconds === 0) return null;
    let seconds = 0;
    for (const kind of stages.flat()) seconds += this.unitsLeft(kind) * this.paceOf(kind);
    return seconds;
  }

  /** Of the iteration under way; outside of iterations, of the warm start or the evaluation. */
  get stage(): Left {
    if (this.phase === null || this.seconds === null) return { share: 0, seconds: null };
    const { kind: current, done } = this.phase;
    const kinds = stages.find((stage) => stage.includes(current))!;
    const at = kinds.indexOf(current);
    let [whole, seconds] = [0, 0];
    for (const [index, kind] of kinds.entries()) {
      const takes = this.unitsOf(kind) * this.paceOf(kind);
      whole += takes;
      if (index >= at) seconds += index === at ? (1 - done) * takes : takes;
    }
    return { share: whole > 0 ? 1 - seconds / whole : 0, seconds };
  }

  /** Share of the run's time that has passed, as far as this process has seen it. */
  get share(): number {
    const left = this.seconds;
    return left === null ? 0 : this.total.seconds / (this.total.seconds + left);
  }

  private add(kind: Phase, now: number, units: number): void {
    const seconds = Math.max(0, now - this.last) / 1000;
    this.last = now;
    const measured = this.measured(kind);
    for (const sum of [measured, this.total]) {
      sum.seconds += seconds;
      sum.units += units;
    }
  }

  private measured(kind: Phase): Measured {
    let measured = this.kinds.get(kind);
    if (measured === undefined) this.kinds.set(kind, (measured = { pace: null, seconds: 0, units: 0, over: 0 }));
    return measured;
  }

  private paceOf(kind: Phase): number {
    const { pace, seconds, units } = this.measured(kind);
    return pace ?? (units > 0 ? seconds / units : this.total.seconds / this.total.units);
  }

  private unitsLeft(kind: Phase): number {
    const current = this.phase?.kind === kind ? this.phase.done : 0;
    return Math.max(0, this.phasesOf(kind) - this.measured(kind).over - current) * this.unitsOf(kind);
  }

  /** Phases of a kind in what this process has to do. */
  private phasesOf(kind: Phase): number {
    const { warmStart, training } = this.settings;
    if (kind === 'evaluation') return this.evaluations;
    if (kind === 'demonstrations' || kind === 'warm start')
      return this.from === null && warmStart.tasks > 0 && warmStart.epochs > 0 && !this.isPastWarmStart ? 1 : 0;
    return training.iterations - (this.from ?? 0);
  }

  private unitsOf(kind: Phase): number {
    const { warmStart, training, evaluation, loss } = this.settings;
    const episodes = training.tasks * training.groupSize;
    const reference = loss.klCoefficient > 0 ? readings.reference : 0;
    switch (kind) {
      case 'demonstrations':
        // Nothing is read: only the worlds and their experts work.
        return 0.02 * warmStart.tasks;
      case 'warm start':
        return readings.learn * warmStart.tasks * warmStart.epochs;
      case 'rollout':
        return readings.play * episodes;
      case 'advantages':
        return 0.02 * episodes;
      case 'update':
        return (readings.learn * training.epochs + reference) * episodes;
      case 'evaluation':
        return readings.play * evaluation.tasks;
    }
  }
}
