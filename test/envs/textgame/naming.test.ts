import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareCodePoints, nameByClass, nameById } from '../../../src/envs/textgame/index.ts';

describe('nameByClass', () => {
  it('hands out numbers downwards along the sorted ids', () => {
    const ids = ['cabinet_bar__minus_01', 'cabinet_bar__minus_02', 'cabinet_bar__plus_01', 'desk_bar_1'];
    expect(nameByClass(ids)).toEqual(['cabinet 3', 'cabinet 2', 'cabinet 1', 'desk 1']);
  });

  it('tells basins from what they belong to', () => {
    expect(nameByClass(['sink_bar_1', 'sink_bar_1_bar_sinkbasin'])).toEqual(['sink 1', 'sinkbasin 1']);
  });

  it('leaves ids without a class as they are, with a blank', () => {
    expect(nameByClass(['agent1', 'a_dot_b'])).toEqual(['agent1 ', 'a.b ']);
  });
});

it('nameById calls objects by their ids', () => {
  expect(nameById(['a', 'b'])).toEqual(['a', 'b']);
});

describe('compareCodePoints', () => {
  it('orders as code points do, beyond the basic plane too', () => {
    const byCodePoints = (a: string, b: string): number => {
      const [x, y] = [[...a].map((c) => c.codePointAt(0)!), [...b].map((c) => c.codePointAt(0)!)];
      const at = x.findIndex((value, i) => value !== y[i]);
      return at < 0 ? x.length - y.length : at >= y.length ? 1 : x[at]! - y[at]!;
    };
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '1', '\uffee', '\u{1f600}', '\u{10000}') });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareCodePoints(a, b))).toBe(Math.sign(byCodePoints(a, b)));
      }),
    );
    expect(['desk 2', 'desk 10'].sort(compareCodePoints)).toEqual(['desk 10', 'desk 2']);
  });
});
