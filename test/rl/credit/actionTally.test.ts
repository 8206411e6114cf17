/** What a policy did, counted by kinds of action. */
import { expect, it } from 'vitest';
import { kindOf, tallyActions } from '../../../src/rl/credit/actionTally.ts';
import type { RecordedRow } from '../../../src/rl/credit/record.ts';

const row = (action: string, actions: readonly string[] | null, advantage: number, valid = true) =>
  ({ action, actions, advantage, valid }) as unknown as RecordedRow;

it('takes the first word of an action as its kind', () => {
  expect(
    ['take mug 1 from shelf 2', 'click[buy now]', 'search[red shoes]', 'open', ' go (north)', ''].map(kindOf),
  ).toEqual(['take', 'click', 'search', 'open', 'go', '']);
});

it('counts a kind once in a turn that offers it twice, and averages the advantages of the turns that took it', () => {
  const rooms = ['go left', 'go right'];
  const tallies = tallyActions([
    row('go left', rooms, 1),
    row('take cup', [...rooms, 'take cup'], -0.5),
    row('go right', [...rooms, 'take cup'], 0.5),
    row('go left', ['open door'], 2),
    row('open door', ['open door'], -4, false),
  ]);
  expect([...tallies]).toEqual([
    ['go', { taken: 2, offered: 3, advantage: 0.75 }],
    ['[not on offer]', { taken: 1, offered: 5, advantage: 2 }],
    ['[malformed]', { taken: 1, offered: 5, advantage: -4 }],
    ['take', { taken: 1, offered: 2, advantage: -0.5 }],
    ['open', { taken: 0, offered: 2, advantage: null }],
  ]);
});

it('counts all turns where nobody says what is on offer', () => {
  expect([...tallyActions([row('look', null, 1), row('wait', null, 0), row('look', null, 0)])]).toEqual([
    ['look', { taken: 2, offered: 3, advantage: 0.5 }],
    ['wait', { taken: 1, offered: 3, advantage: 0 }],
  ]);
});
