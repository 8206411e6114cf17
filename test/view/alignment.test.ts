/** Two episodes under each other: what is the same at the same place, in the order of both. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { align } from '../../src/view/page/compare/alignment.ts';

const told = (first: string, second: string) =>
  align([...first], [...second]).map(
    ({ first: a, second: b, isSame }) =>
      `${a === null ? '-' : first[a]}${b === null ? '-' : second[b]}${isSame ? '' : '!'}`,
  );

it('puts what one did in place of the other under it, and leaves gaps for the rest', () => {
  expect(told('abcd', 'abxd')).toEqual(['aa', 'bb', 'cx!', 'dd']);
  expect(told('ad', 'abcd')).toEqual(['aa', '-b!', '-c!', 'dd']);
  expect(told('abcd', 'xd')).toEqual(['ax!', 'b-!', 'c-!', 'dd']);
  expect(told('', 'ab')).toEqual(['-a!', '-b!']);
});

it('has every place of both once, in order, and calls the same what is the same', () => {
  const actions = fc.array(fc.constantFrom('go', 'take', 'look'), { maxLength: 12 });
  fc.assert(
    fc.property(actions, actions, (first, second) => {
      const places = align(first, second);
      expect(places.flatMap(({ first: at }) => at ?? [])).toEqual([...first.keys()]);
      expect(places.flatMap(({ second: at }) => at ?? [])).toEqual([...second.keys()]);
      for (const { first: a, second: b, isSame } of places) if (isSame) expect(first[a!]).toBe(second[b!]);
    }),
  );
});
