/** How long a run is said to take still: from its first seconds on, and not far from what it then takes. */
import { describe, expect, it } from 'vitest';
import { trainConfigSchema } from '../../src/rl/config.ts';
import type { Progress } from '../../src/rl/trainer.ts';
import { WorkLeft } from '../../src/rl/workLeft.ts';

const config = trainConfigSchema.parse({
  warmStart: { tasks: 200, epochs: 5 },
  training: { iterations: 10, tasks: 4, groupSize: 8 },
  evaluation: { tasks: 60, every: 4 },
});

/** Seconds of the phases of a made-up run, near what the count of work would have. */
const seconds = { demonstrations: 1, 'warm start': 30, evaluation: 1.2, rollout: 0.6, advantages: 0.02, update: 1.4 };

/** Plays a run, and notes at each step what it said was left and what was. */
function play(from: number | null = null, wrong = 1) {
  const phases: Progress['phase'][] = from === null ? ['demonstrations', 'warm start', 'evaluation'] : [];
  for (let iteration = from ?? 0; iteration < 10; iteration++) {
    if (iteration > (from ?? 0) && iteration % 4 === 0) phases.push('evaluation');
    phases.push('rollout', 'advantages', 'update');
  }
  phases.push('evaluation');
  const takes = (phase: Progress['phase']) => seconds[phase] * (phase === 'update' ? wrong : 1);
  let left = phases.reduce((sum, phase) => sum + takes(phase), 0);
  const whole = left;
  let now = 1000;
  const work = new WorkLeft(config, from, now);
  const told: { said: number | null; left: number; share: number; passed: number }[] = [];
  for (const phase of phases) {
    for (let step = 0; step < 4; step++) {
      work.note({ phase, done: step / 4 }, now);
      told.push({ said: work.seconds, left, share: work.share, passed: 1 - left / whole });
      now += (1000 * takes(phase)) / 4;
      left -= takes(phase) / 4;
    }
  }
  work.endPhase(now);
  return { told, end: { said: work.seconds, share: work.share } };
}

describe.each([null, 4])('the time left of a run from %j', (from) => {
  it('is known after the first steps, is near the truth, and ends with none', () => {
    const { told, end } = play(from);
    expect(told[0]!.said).toBeNull();
    const late = told.filter(({ passed }) => passed > 0.05);
    for (const { said, left } of late) expect(Math.abs(said! - left)).toBeLessThan(0.35 * left + 1.5);
    for (const { share, passed } of late) expect(Math.abs(share - passed)).toBeLessThan(0.2);
    expect(end.said).toBeCloseTo(0);
    expect(end.share).toBeCloseTo(1);
  });

  it('follows what is measured where the count of work is far off', () => {
    const { told } = play(from, 6);
    for (const { said, left, passed } of told)
      if (passed > 0.6) expect(Math.abs(said! - left)).toBeLessThan(0.35 * left + 1.5);
  });
});

it('counts no warm start where there is none', () => {
  const work = new WorkLeft(trainConfigSchema.parse({ warmStart: { tasks: 0 }, training: { iterations: 0 } }), null, 0);
  work.note({ phase: 'evaluation', done: 0 }, 0);
  work.note({ phase: 'evaluation', done: 0.5 }, 5000);
  expect(work.seconds).toBeCloseTo(15);
});

it('tells of the iteration under way what its phases still take, and of an evaluation alone', () => {
  const work = new WorkLeft(config, 0, 0);
  expect(work.stage).toEqual({ share: 0, seconds: null });
  let now = 0;
  const pass = (phase: Progress['phase'], ms: number) => {
    work.note({ phase, done: 0 }, now);
    work.note({ phase, done: 0.5 }, (now += ms / 2));
    const { share, seconds } = work.stage;
    work.note({ phase, done: 1 }, (now += ms / 2));
    work.endPhase(now);
    return { share, seconds };
  };
  for (const [phase, ms] of [
    ['rollout', 600],
    ['advantages', 20],
    ['update', 1400],
  ] as const)
    pass(phase, ms);
  const playing = pass('rollout', 600);
  expect(playing.seconds).toBeCloseTo(0.3 + 0.02 + 1.4, 1);
  expect(playing.share).toBeCloseTo(0.3 / 2.02, 1);
  const updating = pass('update', 1400);
  expect(updating.seconds).toBeCloseTo(0.7, 1);
  expect(updating.share).toBeCloseTo(1.32 / 2.02, 1);
  expect(pass('evaluation', 2000)).toEqual({ share: expect.closeTo(0.5), seconds: expect.closeTo(1) });
});
