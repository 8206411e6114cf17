import { describe, expect, it } from 'vitest';
import { hashText, RandomStream } from '../../src/envs/random.ts';

describe('RandomStream', () => {
  it('repeats itself for the same keys and differs for others', () => {
    const draw = (...keys: number[]): number[] => {
      const random = new RandomStream(...keys);
      return Array.from({ length: 8 }, () => random.below(1000));
    };
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 2)).not.toEqual(draw(2, 1));
    expect(draw(1, 23)).not.toEqual(draw(12, 3));
  });

  it('draws each value about equally often', () => {
    const random = new RandomStream(7);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[random.below(10)]!++;
    // Standard deviation 30 per cell: five of them are 150.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('shuffles into every order, losing nothing', () => {
    const random = new RandomStream(3);
    const orders = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const shuffled = random.shuffle(['a', 'b', 'c']);
      expect([...shuffled].sort()).toEqual(['a', 'b', 'c']);
      orders.add(shuffled.join(''));
    }
    expect(orders.size).toBe(6);
  });
});

describe('hashText', () => {
  it('keeps its values, on which splits depend', () => {
    expect([hashText(''), hashText('a'), hashText('kitchen: bin(mug)')]).toMatchInlineSnapshot(`
      [
        2872998923,
        444641715,
        1411743161,
      ]
    `);
  });
});
