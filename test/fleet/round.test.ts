import { describe, expect, it } from 'vitest';
import { PieceTimes, Round } from '../../src/fleet/round.ts';

const there = new Set(['a']);

function roundOf(count: number) {
  const clock = { seconds: 0 };
  const times = new PieceTimes();
  const pieces = Array.from({ length: count }, (_, index) => ({ name: 'iteration 1', index, attempt: 0 }));
  const round = new Round<(typeof pieces)[number], string>(pieces, times, () => clock.seconds);
  return { clock, times, round };
}

describe('a round of pieces', () => {
  it('gives results in the order of pieces, whenever they come', async () => {
    const { round } = roundOf(3);
    for (const index of [2, 0, 1]) expect(round.accept(index, 'a', `r${index}`, 1)).toBe(true);
    expect(await round.results).toEqual(['r0', 'r1', 'r2']);
  });

  it('takes the first answer to a piece', async () => {
    const { round } = roundOf(1);
    expect(round.accept(0, 'a', 'first', 1)).toBe(true);
    expect(round.accept(0, 'a', 'second', 1)).toBe(false);
    expect(await round.results).toEqual(['first']);
  });

  it('gives a piece again that takes three times as long as others, counted from when it was begun', () => {
    const { round, clock, times } = roundOf(2);
    for (const seconds of [3, 5, 4]) times.note(seconds);
    clock.seconds = 100;
    expect(round.overdue(there)).toEqual([]);
    round.taken(1, 0, 'a');
    clock.seconds = 112;
    expect(round.overdue(there)).toEqual([]);
    clock.seconds = 112.1;
    expect(round.overdue(there)).toEqual([{ name: 'iteration 1', index: 1, attempt: 1 }]);
    // It waits for somebody to begin with it.
    clock.seconds = 1000;
    expect(round.overdue(there)).toEqual([]);
    // The word of who had it before does not count for the new one.
    round.taken(1, 0, 'a');
    clock.seconds = 2000;
    expect(round.overdue(there)).toEqual([]);
  });

  it('gives a piece again whose worker is gone', () => {
    const { round, clock } = roundOf(2);
    round.taken(0, 0, 'a');
    round.taken(1, 0, 'b');
    clock.seconds = 8;
    expect(round.overdue(there)).toEqual([]);
    clock.seconds = 8.1;
    expect(round.overdue(there)).toEqual([{ name: 'iteration 1', index: 1, attempt: 1 }]);
  });

  it('is patient with the first pieces, which compile kernels, and never gives up within two seconds', () => {
    const { round, clock, times } = roundOf(1);
    round.taken(0, 0, 'a');
    clock.seconds = 89;
    expect(round.overdue(there)).toEqual([]);
    times.note(0.01);
    expect(times.patience).toBe(2);
    expect(round.overdue(there)).toHaveLength(1);
  });

  it('ends with an error that names the workers, when a piece fails three times', async () => {
    const { round } = roundOf(2);
    expect(round.refuse(0, 'a', 'no data')).toMatchObject({ attempt: 1 });
    expect(round.refuse(0, 'b', 'no data')).toMatchObject({ attempt: 2 });
    expect(round.refuse(0, 'b', 'the disk is full')).toBeNull();
    await expect(round.results).rejects.toMatchObject({
      code: 'fleet',
      message: 'Piece 1 of iteration 1 failed 3 times, on a, b; the last time: the disk is full',
    });
  });

  it('forgets all that a worker said which is shut out, and gives its pieces again', async () => {
    const { round } = roundOf(3);
    round.accept(0, 'liar', 'a lie', 1);
    round.accept(1, 'honest', 'r1', 1);
    round.refuse(2, 'liar', 'no data');
    const again = round.disown('liar', 2);
    expect(again.map(({ index }) => index).sort()).toEqual([0, 2]);
    expect(again.every(({ attempt }) => attempt > 0)).toBe(true);
    for (const index of [0, 2]) round.accept(index, 'honest', `r${index}`, 1);
    expect(await round.results).toEqual(['r0', 'r1', 'r2']);
  });

  it('gives a piece again whose answer does not count, unless it was given again already', () => {
    const { round } = roundOf(1);
    expect(round.undone(0, 0)).toMatchObject({ attempt: 1 });
    expect(round.undone(0, 0)).toBeNull();
    expect(round.undone(0, 1)).toMatchObject({ attempt: 2 });
  });

  it('asks nobody to do again what is done', () => {
    const { round } = roundOf(2);
    round.accept(0, 'a', 'r', 1);
    expect(round.refuse(0, 'a', 'late')).toBeNull();
    expect(round.left).toEqual([{ name: 'iteration 1', index: 1, attempt: 0 }]);
  });
});
