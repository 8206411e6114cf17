/** How long a fine-tuning still takes. */
import { describe, expect, it } from 'vitest';
import { StepsLeft } from '../../../src/rl/sft/stepsLeft.ts';

const totals = { stepsPerEpoch: 4, totalSteps: 10 };

describe('what is left of a fine-tuning', () => {
  it('is not known before the first step', () => {
    const left = new StepsLeft(totals, 4);
    expect(left.run(0)).toEqual({ share: 0, seconds: null });
    expect(left.epoch(0)).toEqual({ share: 0, seconds: null });
  });

  it('is the steps and the evaluations that are still to come', () => {
    const left = new StepsLeft(totals, 4);
    left.noteStep(2);
    left.noteStep(4);
    left.noteEvaluation(5);
    // Eight steps of 3 s, and evaluations after steps 4, 8 and 10.
    expect(left.run(2)).toEqual({ share: 0.2, seconds: 8 * 3 + 3 * 5 });
    expect(left.epoch(2)).toEqual({ share: 0.5, seconds: 2 * 3 + 5 });
    // The last epoch has two steps, and an evaluation after its last.
    expect(left.epoch(9)).toEqual({ share: 0.5, seconds: 3 + 5 });
  });

  it('is nothing at the end, and has no evaluations where no chats are held out', () => {
    const left = new StepsLeft(totals, null);
    left.noteStep(3);
    expect(left.run(8)).toEqual({ share: 0.8, seconds: 6 });
    expect(left.run(10)).toEqual({ share: 1, seconds: 0 });
    expect(left.epoch(10)).toEqual({ share: 1, seconds: 0 });
  });
});
