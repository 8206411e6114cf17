/** Learning-rate schedules: a linear warm-up, then a course to the end of training. */

export const courses = ['constant', 'linear', 'cosine'] as const;

export interface Schedule {
  /** The learning rate after the warm-up. */
  readonly peak: number;
  /**
   * After the warm-up: stay at the peak, or fall to 0 along a line or half a cosine (Loshchilov and Hutter,
   * arXiv 1608.03983).
   */
  readonly course: (typeof courses)[number];
  /**
   * Share of all steps in which the rate rises, by the same amount each step, to the peak, so that AdamW's moments
   * settle first.
   */
  readonly warmup: number;
  /** Steps in all; beyond them the rate stays as it is at the end. */
  readonly totalSteps: number;
}

/** The learning rate of a step, counted from 0. */
export function learningRateAt({ peak, course, warmup, totalSteps }: Schedule, step: number): number {
  const warmupSteps = Math.round(warmup * totalSteps);
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  if (course === 'constant') return peak;
  const done = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  return peak * (course === 'linear' ? 1 - done : (1 + Math.cos(Math.PI * done)) / 2);
}
