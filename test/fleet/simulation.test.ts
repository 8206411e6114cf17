import { describe, expect, it } from 'vitest';
import { bottleneckOf } from '../../bench/fleet/bottleneck.ts';
import { Events } from '../../bench/fleet/events.ts';
import {
  type SimulatedJob,
  type SimulatedNet,
  secondsAlone,
  simulate,
  speedsOf,
} from '../../bench/fleet/simulation.ts';
import { beyond, type Heard, type Said, tally } from '../../bench/fleet/tally.ts';

const near: SimulatedNet = { roundTrip: 0, bitsPerSecond: 1e15, servers: 1 };
const job: SimulatedJob = {
  ...{ pieces: 8, seconds: 10, spread: 0, pieceBytes: 0, answerBytes: 0, weightBytes: 0, judging: 0, after: 4 },
};
const work = (changes: Partial<SimulatedJob>) => ({ name: 'work', joining: 5, jobs: [{ ...job, ...changes }] });
const equal = (count: number) => ({ speeds: speedsOf(count, false), churn: 0 });

it('what is planned happens in the order of time, and of planning where that is the same', () => {
  const events = new Events();
  const seen: number[] = [];
  for (const [seconds, number] of [
    [3, 0],
    [1, 1],
    [2, 2],
    [1, 3],
    [0, 4],
  ] as const)
    events.after(seconds, () => seen.push(number));
  events.run(() => false);
  expect([seen, events.now]).toEqual([[4, 1, 3, 2, 0], 3]);
});

describe('a simulated fleet', () => {
  it('without costs shares its pieces out, and waits for the coordinator', () => {
    expect(secondsAlone(work({}))).toBe(84);
    expect(simulate(work({}), near, equal(1)).seconds).toBeCloseTo(84, 6);
    expect(simulate(work({}), near, equal(4)).seconds).toBeCloseTo(24, 6);
    expect(simulate(work({}), near, equal(64))).toMatchObject({ repeated: 0 });
    expect(simulate(work({}), near, equal(64)).seconds).toBeCloseTo(14, 6);
    expect(simulate(work({}), near, equal(4)).idle).toBeCloseTo(4 / 24, 6);
  });

  it('does jobs that are alike one after another', () => {
    const steps = { ...work({}), jobs: [job, job, job] };
    expect(simulate(steps, near, equal(4)).seconds).toBeCloseTo(72, 6);
  });

  it('plays one iteration ahead, and takes the longer of playing and learning', () => {
    const ahead = (changes: Partial<SimulatedJob>) => ({ ...work(changes), isAhead: true });
    // Eight pieces of 10 s on four workers are 20 s, beside 4 s or 50 s of learning.
    expect(simulate(ahead({}), near, equal(4)).seconds).toBeCloseTo(20, 6);
    expect(simulate(ahead({ after: 50 }), near, equal(4)).seconds).toBeCloseTo(50, 6);
  });

  it('waits for round trips, for bytes on shared links, and for its coordinator to read', () => {
    const far = { ...near, roundTrip: 0.2 };
    // One piece for each worker: it is given, fetched and answered.
    expect(simulate(work({}), far, equal(8)).seconds).toBeCloseTo(14 + 0.1 + 0.1 + 0.2, 6);
    const slow = { ...near, bitsPerSecond: 8e6 };
    // Weights of 1 MB go up once, and down to each of 8 workers.
    const heavy = work({ weightBytes: 1e6 });
    expect(simulate(heavy, slow, equal(8)).seconds).toBeCloseTo(14 + 1 + 8, 6);
    expect(simulate(heavy, { ...slow, servers: 4 }, equal(8)).seconds).toBeCloseTo(14 + 1 + 2, 6);
    expect(simulate(work({ judging: 1 }), near, equal(8)).seconds).toBeCloseTo(14 + 8, 6);
  });

  it('gives pieces of slow workers again, and of those that go', () => {
    const slow = simulate(work({}), near, { speeds: [...speedsOf(7, false), 0.05], churn: 0 }, 8);
    // It takes a piece for 200 s, which others have done long before.
    expect(slow.repeated).toBeGreaterThan(0);
    expect(slow.seconds).toBeLessThan(60);
    const churning = simulate(work({}), near, { speeds: speedsOf(4, false), churn: 0.5 }, 40);
    expect(churning.repeated).toBeGreaterThan(0);
    expect(churning.seconds).toBeGreaterThan(24);
  });

  it('says what holds it up', () => {
    expect(bottleneckOf(work({ after: 100 }), near, equal(4))).toBe('learning');
    expect(bottleneckOf(work({ judging: 5, after: 0 }), near, equal(8))).toBe('reading answers');
    expect(bottleneckOf(work({ after: 0 }), near, equal(64))).toBe('size of pieces');
    expect(bottleneckOf(work({ after: 0, weightBytes: 1e9 }), { ...near, bitsPerSecond: 1e9 }, equal(4))).toBe(
      'network',
    );
    expect(bottleneckOf(work({ after: 0 }), near, equal(4))).toBe('computing');
  });
});

describe('the tally of a measured fleet', () => {
  const iteration = (at: number, cpu: number, bytes: number): Said => ({
    ...{ kind: 'iteration', at, cpu, phases: { rollout: cpu / 2 }, inBytes: bytes, outBytes: bytes / 2 },
    seconds: { rollout: 2, advantage: 0, update: 1 },
  });
  const piece = (computing: number): Said => ({
    ...{ kind: 'piece', name: 'iteration 2', worker: 'a', computing, latency: 0.1, judging: 0.01 },
  });
  const heard = (list: readonly Said[]): Heard[] => list.map((said, index) => ({ said, server: index }));

  it('is of what came after the iterations that do not count', () => {
    const result = tally(
      heard([
        ...[piece(9), { kind: 'did', worker: 'a', cpu: 5, seconds: 9 } as const, iteration(10, 1, 100)],
        ...[piece(1), { kind: 'did', worker: 'a', cpu: 7, seconds: 1 } as const, iteration(13, 2, 300)],
      ]),
      1,
      1,
    );
    expect(result).toMatchObject({ iterations: 1, clock: 3, inBytes: 200, outBytes: 100, pieces: 1, computing: 1 });
    expect(result).toMatchObject({
      cpu: { coordinator: 1, a: 2, 'nats-server': 3 },
      idle: 0.5,
      phases: { rollout: 0.5 },
    });
    expect(() => tally(heard([iteration(1, 1, 1)]), 1, 1)).toThrow('only 1 iterations');
  });

  it('is held against one process', () => {
    const alone = tally(heard([iteration(0, 0, 0), iteration(2, 4, 0)]), 1, 0);
    const fleet = { ...alone, clock: 2.1, cpu: { coordinator: 1, worker: 3.4 } };
    expect(beyond(fleet, alone).clock).toBeCloseTo(0.05, 9);
    expect(beyond(fleet, alone).cpu).toBeCloseTo(0.1, 9);
  });
});
