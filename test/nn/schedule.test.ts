/** Learning-rate schedules. */
import { describe, expect, it } from 'vitest';
import { learningRateAt } from '../../src/nn/schedule.ts';

const base = { peak: 2, warmup: 0.25, totalSteps: 16 };

describe('learningRateAt', () => {
  it.each(['constant', 'linear', 'cosine'] as const)('%s rises to the peak in the warm-up', (course) => {
    expect([0, 1, 2, 3, 4].map((step) => learningRateAt({ ...base, course }, step))).toEqual([0.5, 1, 1.5, 2, 2]);
    expect(learningRateAt({ ...base, course, warmup: 0 }, 0)).toBe(2);
  });

  it.each([
    ['constant', 2, 2],
    ['linear', 1, 0],
    ['cosine', 1, 0],
  ] as const)('%s is halfway in the middle and stays at its end', (course, middle, end) => {
    expect(learningRateAt({ ...base, course }, 10)).toBeCloseTo(middle, 12);
    expect(learningRateAt({ ...base, course }, 16)).toBeCloseTo(end, 12);
    expect(learningRateAt({ ...base, course }, 1000)).toBeCloseTo(end, 12);
  });

  it('follows half a cosine', () => {
    expect(learningRateAt({ ...base, course: 'cosine' }, 7)).toBeCloseTo(1 + Math.SQRT1_2, 12);
  });

  it('never takes the last step at 0', () => {
    for (const course of ['linear', 'cosine'] as const)
      expect(learningRateAt({ ...base, course }, base.totalSteps - 1)).toBeGreaterThan(0);
  });
});
