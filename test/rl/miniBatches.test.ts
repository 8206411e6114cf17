/** Mini-batches of about one size. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { evenParts } from '../../src/rl/miniBatches.ts';

it.each([
  [9, 4, [2, 3, 2, 2]],
  [5, 4, [1, 2, 1, 1]],
  [8, 4, [2, 2, 2, 2]],
  [3, 4, [1, 1, 1]],
  [0, 4, []],
])('shares %d items among %d parts', (items, count, sizes) => {
  expect(evenParts([...new Array(items).keys()], count).map(({ length }) => length)).toEqual(sizes);
});

it('keeps every item, in order, in parts whose sizes differ by at most one', () => {
  fc.assert(
    fc.property(fc.nat(2000), fc.integer({ min: 1, max: 100 }), (length, count) => {
      const items = [...new Array(length).keys()];
      const parts = evenParts(items, count);
      const sizes = parts.map((part) => part.length);
      expect(parts.flat()).toEqual(items);
      expect(parts).toHaveLength(Math.min(count, length));
      if (length > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});

it('shares items of different sizes so that each part is no further off than half of the largest at either end', () => {
  const arrays = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(arrays, fc.integer({ min: 1, max: 12 }), (sizes, count) => {
      const parts = evenParts(sizes, count, (size) => size);
      expect(parts.flat()).toEqual(sizes);
      expect(parts).toHaveLength(Math.min(count, sizes.length));
      for (const part of parts) expect(part.length).toBeGreaterThan(0);
      if (sizes.length < 12 * count) return;
      const total = (part: readonly number[]) => part.reduce((sum, size) => sum + size, 0);
      for (const part of parts) expect(Math.abs(total(part) - total(sizes) / count)).toBeLessThanOrEqual(12);
    }),
  );
});
