/** How long a run of supervised fine-tuning still takes: by what its steps and evaluations took in this process. */
import type { Left } from '../liveProgress.ts';

interface Taken {
  seconds: number;
  count: number;
}

export class StepsLeft {
  private readonly steps: Taken = { seconds: 0, count: 0 };
  private readonly evaluations: Taken = { seconds: 0, count: 0 };

  /** @param evaluateEvery steps from one evaluation to the next; null where there are none */
  constructor(
    private readonly totals: { readonly stepsPerEpoch: number; readonly totalSteps: number },
    private readonly evaluateEvery: number | null,
  ) {}

  noteStep(seconds: number): void {
    add(this.steps, seconds);
  }

  noteEvaluation(seconds: number): void {
    add(this.evaluations, seconds);
  }

  /** Of the run, after a step. */
  run(step: number): Left {
    const { totalSteps } = this.totals;
    const evaluations = this.evaluationsAfter(step);
    return this.of(totalSteps - step, evaluations, totalSteps > 0 ? step / totalSteps : 1);
  }

  /** Of the epoch that is under way after a step. */
  epoch(step: number): Left {
    const { stepsPerEpoch, totalSteps } = this.totals;
    const start = Math.floor(step / stepsPerEpoch) * stepsPerEpoch;
    const end = Math.min(start + stepsPerEpoch, totalSteps);
    if (step >= end) return { share: 1, seconds: 0 };
    return this.of(
      end - step,
      this.evaluationsAfter(step) - this.evaluationsAfter(end),
      (step - start) / (end - start),
    );
  }

  private of(steps: number, evaluations: number, share: number): Left {
    if (steps === 0 && evaluations === 0) return { share, seconds: 0 };
    if (this.steps.count === 0) return { share, seconds: null };
    return { share, seconds: steps * mean(this.steps) + evaluations * mean(this.evaluations) };
  }

  /** Evaluations that are due after later steps: every so many, and after the last one. */
  private evaluationsAfter(step: number): number {
    const { totalSteps } = this.totals;
    const every = this.evaluateEvery;
    if (every === null) return 0;
    const isLastBetween = totalSteps % every !== 0 && step < totalSteps;
    return Math.floor(totalSteps / every) - Math.floor(step / every) + (isLastBetween ? 1 : 0);
  }
}

function add(taken: Taken, seconds: number): void {
  taken.seconds += seconds;
  taken.count++;
}

function mean({ seconds, count }: Taken): number {
  return count > 0 ? seconds / count : 0;
}
