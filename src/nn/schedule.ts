/** Learning-rate schedules: a linear warm-up, then a course to the end of training. */

export const courses = ['constant', 'linear', 'cosine'] as const;

export interface Schedule {
  /** The learning rate after the warm-up. */
  readonly peak: number;
  /**
   * After the warm-up: stay at the peak, or fall to `finalShare` of it along a line or half a cosine (Loshchilov and
   * Hutter, arXiv 1608.03983).
   */
  readonly course: (typeof courses)[number];
  /** Steps of the warm-up, which rises by the same amount each step and ends at the peak. */
  readonly warmupSteps: number;
  /** Steps in all; beyond them the rate stays as it is at the end. */
  readonly totalSteps: number;
  readonly finalShare: number;
}

/** The learning rate of a step, counted from 0. */
export function learningRateAt({ peak, course, warmupSteps, totalSteps, finalShare }: Schedule, step: number): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  if (course === 'constant') return peak;
  const done = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  const left = course === 'linear' ? 1 - done : (1 + Math.cos(Math.PI * done)) / 2;
  return peak * (finalShare + (1 - finalShare) * left);
}
