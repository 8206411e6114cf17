import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenSetRatio } from '../../../src/envs/webshop/fuzzy.ts';
import { GOLDEN, needsRecordings, readJson } from './recorded.ts';

describe('tokenSetRatio', () => {
  it.each([
    ['machine wash', 'wash machine', 100],
    ['wood frame', 'solid wood frame', 100],
    ['hdmi cable', 'walking shoes', 26],
    ["('size', 'x-large')", 'x-large', 100],
    ["('size', 'large')", 'x-large', 83],
    ['', '', 0],
    ['...', 'a', 0],
    ['caf\u00e9', 'caf', 100],
  ])('of %j and %j is %d', (a, b, ratio) => {
    expect(tokenSetRatio(a, b)).toBe(ratio);
  });

  it('is symmetric, between 0 and 100, and 100 for a text with itself and more', () => {
    const words = fc
      .array(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 5 })
      .map((list) => list.join(' '));
    fc.assert(
      fc.property(words, words, (a, b) => {
        const ratio = tokenSetRatio(a, b);
        expect(tokenSetRatio(b, a)).toBe(ratio);
        expect(ratio).toBeGreaterThanOrEqual(0);
        expect(ratio).toBeLessThanOrEqual(100);
        expect(tokenSetRatio(a, `${b} ${a}`)).toBe(100);
      }),
    );
  });

  it('equals the recorded ratios', needsRecordings, () => {
    const pairs = readJson<{ a: string; b: string; token_set_ratio: number }[]>(`${GOLDEN}token_set_ratio.json.gz`);
    expect(pairs.length).toBe(760);
    for (const { a, b, token_set_ratio: ratio } of pairs) expect(tokenSetRatio(a, b), `${a} / ${b}`).toBe(ratio);
  });
});
