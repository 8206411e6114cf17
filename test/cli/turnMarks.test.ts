/** Marks of actions: malformed and not on offer are two things, of which a turn may have either, both or none. */
import { expect, it } from 'vitest';
import { marked, meaningOfMarks } from '../../src/cli/turnMarks.ts';

const actions = ['go bed', 'go desk'];

it.each([
  ['go bed', true, actions, ''],
  ['GO  bed', true, actions, '  [not on offer]'],
  ['Go Bed ', true, actions, ''],
  ['go bed', false, actions, '  [malformed]'],
  ['fly', true, actions, '  [not on offer]'],
  ['fly', false, actions, '  [malformed, not on offer]'],
  ['fly', true, null, ''],
  ['', false, null, '  [malformed]'],
])('%j, well formed %j, with %j on offer', (action, valid, offered, expected) => {
  expect(marked({ action, valid, actions: offered })).toBe(expected);
});

it('are explained once each, and only where they stand', () => {
  const well = { action: 'go bed', valid: true, actions };
  const malformed = { ...well, valid: false };
  expect(meaningOfMarks([well])).toEqual([]);
  expect(meaningOfMarks([malformed, well, { ...malformed, action: 'fly' }])).toEqual([
    '[malformed]: the reply lacks the form that prompt.format asks for, which costs advantages.invalidPenalty in training',
    '[not on offer]: the environment did not list this action, and decides what comes of it',
  ]);
});
