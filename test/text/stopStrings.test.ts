import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StopStrings } from '../../src/text/stopStrings.ts';

/** What a reader sees of pieces: the text, and the stop string that ended it. */
function read(stops: readonly string[], pieces: readonly string[]) {
  const watch = new StopStrings(stops);
  let text = '';
  for (const piece of pieces) {
    const result = watch.push(piece);
    text += result.text;
    if (result.stop !== null) return { text, stop: result.stop };
  }
  return { text: text + watch.flush(), stop: null };
}

test('finds a stop string across pieces and gives what comes before it', () => {
  const watch = new StopStrings(['</action>', '\n\n']);
  expect(watch.push('go to desk 1</a')).toEqual({ text: 'go to desk 1', stop: null });
  expect(watch.push('ct')).toEqual({ text: '', stop: null });
  expect(watch.push('ion> and more')).toEqual({ text: '', stop: '</action>' });
  expect(watch.push('still more')).toEqual({ text: '', stop: '</action>' });
});

test('gives back what only looked like a beginning', () => {
  const watch = new StopStrings(['</action>']);
  expect(watch.push('a </')).toEqual({ text: 'a ', stop: null });
  expect(watch.push('b')).toEqual({ text: '</b', stop: null });
  expect(watch.push('<')).toEqual({ text: '', stop: null });
  expect(watch.flush()).toBe('<');
});

test('the stop string that ends first counts, and of those that end together the longest', () => {
  expect(read(['abcd', 'bc'], ['xabcd'])).toEqual({ text: 'xa', stop: 'bc' });
  expect(read(['bc', 'abc'], ['xabc'])).toEqual({ text: 'x', stop: 'abc' });
  expect(read(['aab'], ['a', 'a', 'a', 'b'])).toEqual({ text: 'a', stop: 'aab' });
});

test('an empty stop string is refused', () => {
  expect(() => new StopStrings(['a', ''])).toThrow('one is empty');
  expect(read([], ['a', 'b'])).toEqual({ text: 'ab', stop: null });
});

test('what is found does not depend on where the pieces are cut', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(fc.array(letters.filter(Boolean), { maxLength: 3 }), fc.array(letters), (stops, pieces) => {
      const whole = pieces.join('');
      const ends = stops.flatMap((stop) => (whole.includes(stop) ? [{ stop, start: whole.indexOf(stop) }] : []));
      ends.sort((a, b) => a.start + a.stop.length - b.start - b.stop.length || a.start - b.start);
      const expected = ends[0]
        ? { text: whole.slice(0, ends[0].start), stop: ends[0].stop }
        : { text: whole, stop: null };
      expect(read(stops, pieces)).toEqual(expected);
      expect(read(stops, [...whole])).toEqual(expected);
    }),
  );
});
