import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  matchAction,
  parsePlainAction,
  parseReply,
  parseThinkAction,
  parseVerlAction,
} from '../../src/text/actionFormat.ts';

describe('plain reply', () => {
  test('is valid if it is on the list', () => {
    expect(parsePlainAction(' look\n', ['look', 'go to desk 1'])).toEqual({ action: 'look', valid: true });
    expect(parsePlainAction('fly\n', ['look'])).toEqual({ action: 'fly', valid: false });
    expect(parsePlainAction('', [])).toEqual({ action: '', valid: false });
  });

  test('is valid if it says anything where there is no list', () => {
    expect(parsePlainAction('search[red mug]', null)).toEqual({ action: 'search[red mug]', valid: true });
    expect(parsePlainAction('  ', null)).toEqual({ action: '', valid: false });
  });
});

/** Actions as environments offer them, each of which a reply must be able to take. */
const offers = ['Open Red', 'open red door', 'click[B09ABC]', 'Öffne die Tür', '打开 红门', ' wait ', 'STRASSE', 'x'];

describe('an action on offer', () => {
  test.each(offers)('%j is taken as it is offered', (offer) => {
    for (const written of [offer, offer.trim(), `\n${offer}\t`, offer.toUpperCase(), offer.toLowerCase()]) {
      expect(parseReply('plain', written, offers)).toEqual({ action: offer, valid: true });
      const tagged = `<think>我想。</think>\n<action>${written}</action>`;
      expect(parseReply('think-action', tagged, offers)).toEqual({ action: offer, valid: true });
    }
  });

  test('is the one that is written most alike', () => {
    const alike = ['Go', ' go ', 'go', 'GO'];
    for (const offer of alike) expect(matchAction(offer, alike)).toBe(offer);
    expect(matchAction(' GO ', alike)).toBe('GO');
    expect(matchAction('gO', alike)).toBe('Go');
    expect(matchAction('go up', alike)).toBeNull();
    expect(matchAction('go', null)).toBeNull();
  });
});

describe('think-action reply', () => {
  test.each([
    ['the first of two actions', '<think></think><action>Look</action> <action>help</action>', 'Look', true],
    ['an action over two lines', '<think></think><action>look\nup</action>', 'look\nup', true],
    ['an action outside the list', '<think></think><action> Fly Away </action>', 'Fly Away', true],
    ['an empty action', '<think></think><action>  </action>', '', false],
    ['tags in upper case', '<THINK></THINK><ACTION>look</ACTION>', 'look', true],
    ['an end tag before the start tag', '<think></think></action><action>look</action>', 'look', true],
    ['no thought', '<action>look</action>', 'look', false],
    ['half a thought', '<think><action>look</action>', 'look', false],
    [
      'no action',
      '<think>hm</think> I would Go To the desk now, and then look',
      'To the desk now, and then look',
      false,
    ],
    ['nothing', '', '', false],
  ])('%s', (_, reply, action, valid) => {
    expect(parseThinkAction(reply, null)).toEqual({ action, valid });
    expect(parseThinkAction(reply, ['fly'])).toEqual({ action, valid });
  });
});

describe("think-action reply by verl-agent's rule", () => {
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
    expect(parseVerlAction(reply, 30)).toEqual({ action, valid });
  });

  test('without tags takes the last characters, counted as code points', () => {
    expect(parseVerlAction('x'.repeat(40) + '🙂'.repeat(19), 30).action).toBe(`${'x'.repeat(11)}${'🙂'.repeat(19)}`);
    expect(parseVerlAction('🙂'.repeat(40), 20).action).toBe('🙂'.repeat(20));
    const reply = fc.array(fc.constantFrom('x', 'É', '🙂', '\ud83d', '\ude42')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(reply, fc.nat(40), (text, count) => {
        const characters = Array.from(text.toLowerCase());
        expect(parseVerlAction(text, count).action).toBe(
          characters.slice(Math.max(0, characters.length - count)).join(''),
        );
      }),
    );
  });
});

test('parseReply reads either format', () => {
  expect(parseReply('plain', 'look', ['look'])).toEqual({ action: 'look', valid: true });
  expect(parseReply('think-action', 'look around you', ['look'], 3)).toEqual({ action: 'you', valid: false });
  const loud = '<think></think><action>LOOK</action>';
  expect(parseReply('think-action', loud, ['LOOK'], 3)).toEqual({ action: 'look', valid: true });
  expect(parseReply('think-action', loud, ['LOOK'])).toEqual({ action: 'LOOK', valid: true });
});
