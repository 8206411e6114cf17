import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePlainAction, parseReply, parseThinkAction } from '../../src/text/actionFormat.ts';

describe('plain reply', () => {
  test('is valid if it is on the list', () => {
    expect(parsePlainAction(' look\n', ['look', 'go to desk 1'])).toEqual({ action: 'look', valid: true });
    expect(parsePlainAction('Look', ['look'])).toEqual({ action: 'Look', valid: false });
    expect(parsePlainAction('', [])).toEqual({ action: '', valid: false });
  });

  test('is valid if it says anything where there is no list', () => {
    expect(parsePlainAction('search[red mug]', null)).toEqual({ action: 'search[red mug]', valid: true });
    expect(parsePlainAction('  ', null)).toEqual({ action: '', valid: false });
  });
});

describe('think-action reply', () => {
  test.each([
    ['a full reply', '<think>The mug…</think><action>Take Mug 1 from Desk 1</action>', 'take mug 1 from desk 1', true],
    ['the first of two actions', '<think></think><action>look</action> <action>help</action>', 'look', true],
    ['an action outside the list', '<think></think><action>fly away</action>', 'fly away', true],
    ['an empty action', '<think></think><action>  </action>', '', true],
    ['tags in upper case: action tags are found', '<think></think><ACTION>look</ACTION>', 'look', true],
    ['tags in upper case: think tags are not', '<THINK></THINK><action>look</action>', 'look', false],
    ['an end tag before the start tag', '<think></think></action>go<action>look', '', true],
    ['outer white space as Python strips it', '<think></think><action>\x1c\u3000\tlook\x85</action>', 'look', true],
    ['a byte order mark, which Python keeps', '<think></think><action>\ufefflook</action>', '\ufefflook', true],
    ['no thought', '<action>look</action>', 'look', false],
    ['half a thought', '<think><action>look</action>', 'look', false],
    ['the first Chinese character of the range', '<think>\u4e00</think><action>look</action>', 'look', false],
    ['the last Chinese character of the range', '<think>\u9fff</think><action>look</action>', 'look', false],
    ['characters next to the range', '<think>\u4dff\ua000</think><action>look</action>', 'look', true],
    [
      'no action',
      '<think>hm</think> I would Go To the desk now, and then look',
      'to the desk now, and then look',
      false,
    ],
    ['half an action', '<think></think><action>look', '<think></think><action>look'.slice(-30), false],
    ['nothing', '', '', false],
  ])('%s', (_, reply, action, valid) => {
    expect(parseThinkAction(reply)).toEqual({ action, valid });
  });

  test('without tags takes the last characters, counted as code points', () => {
    expect(parseThinkAction('x'.repeat(40) + '🙂'.repeat(19)).action).toBe(`${'x'.repeat(11)}${'🙂'.repeat(19)}`);
    expect(parseThinkAction('🙂'.repeat(40), 20).action).toBe('🙂'.repeat(20));
    const reply = fc.array(fc.constantFrom('x', 'É', '🙂', '\ud83d', '\ude42')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(reply, fc.nat(40), (text, count) => {
        const characters = Array.from(text.toLowerCase());
        expect(parseThinkAction(text, count).action).toBe(
          characters.slice(Math.max(0, characters.length - count)).join(''),
        );
      }),
    );
  });
});

test('parseReply reads either format', () => {
  expect(parseReply('plain', 'look', ['look'])).toEqual({ action: 'look', valid: true });
  expect(parseReply('think-action', 'look around you', ['look'], 3)).toEqual({ action: 'you', valid: false });
});
