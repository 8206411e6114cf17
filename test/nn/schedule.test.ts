/** Learning-rate schedules. */
import { describe, expect, it } from 'vitest';
import { learningRateAt } from '../../src/nn/schedule.ts';

const base = { peak: 2, warmupSteps: 4, totalSteps: 14, finalShare: 0.1 };

describe('learningRateAt', () => {
  it.each(['constant', 'linear', 'cosine'] as const)('%s rises to the peak in the warm-up', (course) => {
    expect([0, 1, 2, 3, 4].map((step) => learningRateAt({ ...base, course }, step))).toEqual([0.5, 1, 1.5, 2, 2]);
  });

  it.each([
    ['constant', 2, 2],
    ['linear', 2 * (0.1 + 0.9 * 0.5), 0.2],
    ['cosine', 2 * (0.1 + 0.9 * 0.5), 0.2],
  ] as const)('%s is halfway in the middle and stays at its end', (course, middle, end) => {
    expect(learningRateAt({ ...base, course }, 9)).toBeCloseTo(middle, 12);
    expect(learningRateAt({ ...base, course }, 14)).toBeCloseTo(end, 12);
    expect(learningRateAt({ ...base, course }, 1000)).toBeCloseTo(end, 12);
  });

  it('follows half a cosine', () => {
    const quarter = learningRateAt({ ...base, course: 'cosine', finalShare: 0 }, 6.5);
    expect(quarter).toBeCloseTo(1 + Math.SQRT1_2, 12);
  });
});
