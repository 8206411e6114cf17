/** Python's random numbers and texts. Expected values come from CPython 3.11. */
import { describe, expect, it } from 'vitest';
import { PythonRandom } from '../../../src/envs/webshop/pythonRandom.ts';
import { formatFloat, formatPair, splitWords, strip } from '../../../src/envs/webshop/pythonText.ts';

const count = (length: number): number[] => Array.from({ length }, (_, i) => i);

describe('PythonRandom', () => {
  it('gives the floats that Python gives for a seed, also beyond 32 bits, and ignores the sign', () => {
    expect(new PythonRandom(0).random()).toBe(0.8444218515250481);
    expect(new PythonRandom(2 ** 40 + 5).random()).toBe(0.5043802970418443);
    expect(new PythonRandom(-7).random()).toBe(new PythonRandom(7).random());
  });

  it('samples from a pool and by position, each as Python does', () => {
    expect(new PythonRandom(7).sample([1, 2, 3, 4], 2)).toEqual([3, 1]);
    expect(new PythonRandom(7).sample(count(1000), 5)).toEqual([331, 970, 154, 404, 666]);
    expect(new PythonRandom(3).sample(count(30), 8)).toEqual([7, 18, 17, 4, 11, 19, 15, 20]);
  });

  it('chooses and shuffles as Python does', () => {
    const items = count(10);
    new PythonRandom(233).shuffle(items);
    expect(items).toEqual([5, 9, 0, 1, 4, 7, 6, 3, 8, 2]);
    expect(new PythonRandom(233).choice(count(1000))).toBe(698);
    expect(new PythonRandom(1).choices(['a', 'b', 'c'], 5).join('')).toBe('accab');
    expect(new PythonRandom(0).uniform(20, 10)).toBe(20 - 10 * 0.8444218515250481);
  });

  it('goes on after its 624 words are used up', () => {
    const random = new PythonRandom(42);
    for (let i = 0; i < 999; i++) random.random();
    expect(random.random()).toBe(THOUSANDTH);
  });
});

/** `random.seed(42); [random.random() for _ in range(1000)][-1]`. */
const THOUSANDTH = 0.8554501933059546;

describe('Python texts', () => {
  it.each([
    [38, '38.0'],
    [10.04, '10.04'],
    [0, '0.0'],
    [1e16, '1e+16'],
    [0.00001, '1e-05'],
    [123456789.5, '123456789.5'],
  ])('writes the float %d as %s', (value, text) => {
    expect(formatFloat(value)).toBe(text);
  });

  it.each([
    ['color', 'red', "('color', 'red')"],
    ['fit', "men's", `('fit', "men's")`],
    ['size', `6'2" tall`, `('size', '6\\'2" tall')`],
    ['a\nb', 'c\\d', String.raw`('a\nb', 'c\\d')`],
    ['é', '\u00a0\u200b\u{e0001}', String.raw`('é', '\xa0\u200b\U000e0001')`],
  ])('writes the pair of %j and %j as Python does', (first, second, text) => {
    expect(formatPair(first, second)).toBe(text);
  });

  it('strips and splits at the white space that Python knows', () => {
    expect(strip('\u00a0\x1c text\ufeff \u3000')).toBe('text\ufeff');
    expect(splitWords(' a\u2003b\x1fc ')).toEqual(['a', 'b', 'c']);
  });
});
