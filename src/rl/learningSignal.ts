/** Says so when there is nothing to learn from: no task whose episodes came to different rewards, again and again. */
import type { IterationMetrics } from './metrics.ts';

/** Iterations in a row without a difference after which it is no accident. */
const patience = 3;

export class LearningSignal {
  private without: IterationMetrics[] = [];
  private isTold = false;
  /** The highest success of an iteration before those without a difference. */
  private best = 0;

  /**
   * Takes note of an iteration.
   * @returns once, after three iterations in a row in which no group's episodes differed, a sentence on what to do
   */
  note(metrics: IterationMetrics): string | null {
    this.without = metrics.deadGroupShare === 1 ? [...this.without, metrics] : [];
    if (this.without.length === 0) this.best = Math.max(this.best, metrics.success);
    if (this.isTold || this.without.length < patience) return null;
    this.isTold = true;
    const rates = this.without.map(({ success }) => success);
    return `In ${patience} iterations in a row, the episodes of each task all came to the same reward${remedyFor(rates, this.best)}.`;
  }
}

function remedyFor(rates: readonly number[], best: number): string {
  const hasFailed = rates.every((rate) => rate === 0);
  if (hasFailed && best > 0)
    return (
      `, and none succeeded, though ${(100 * best).toFixed(1)} % did before, so the policy has unlearned what it could and finds nothing to learn from; ` +
      'begin anew with a lower learning rate (training.learningRate) or with demonstrations beside it (loss.imitationCoefficient=1, with warmStart.tasks)'
    );
  if (hasFailed)
    return (
      ', and none succeeded, so there is nothing to learn from; give more demonstrations (warmStart.tasks, warmStart.epochs), ' +
      'let the environment reward progress on the way, or train on another pool of easier tasks'
    );
  if (rates.every((rate) => rate === 1))
    return ', and all succeeded, so there is little left to learn; train on another pool of harder tasks';
  return (
    ', so they tell nothing of how a task is better done; play more episodes of each (training.groupSize), sample at a higher temperature ' +
    '(sampling.temperature), or train on another pool of tasks that succeed now and then'
  );
}
