import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Relation } from '../../../src/envs/textgame/relation.ts';

const OBJECTS = 5;

/** Facts whose arguments at the bound positions agree with those of `like`, the slow way. */
function scan(relation: Relation, facts: ReadonlySet<number>, mask: number, like: number): number[] {
  const agrees = (fact: number): boolean => {
    return Array.from({ length: relation.arity }, (_, i) => i).every((i) => {
      return !(mask & (1 << i)) || relation.argument(fact, i) === relation.argument(like, i);
    });
  };
  return [...facts].filter(agrees).sort((a, b) => a - b);
}

function boundPart(relation: Relation, fact: number, mask: number): number {
  return Array.from({ length: relation.arity }, (_, i) => i).reduce(
    (sum, i) => (mask & (1 << i) ? sum + relation.argument(fact, i) * relation.strides[i]! : sum),
    0,
  );
}

describe('Relation', () => {
  it('finds the same facts as a scan, whatever was added and removed before', () => {
    const change = fc.record({
      fact: fc.nat(OBJECTS ** 2 - 1),
      value: fc.boolean(),
      mask: fc.nat(3),
      like: fc.nat(OBJECTS ** 2 - 1),
    });
    fc.assert(
      fc.property(fc.array(fc.nat(OBJECTS ** 2 - 1)), fc.array(change), (initial, changes) => {
        const relation = new Relation(2, OBJECTS);
        const facts = new Set(initial);
        for (const fact of initial) relation.initialise(fact);
        for (const { fact, value, mask, like } of changes) {
          relation.set(fact, value);
          if (value) facts.add(fact);
          else facts.delete(fact);
          expect(relation.matching(mask, boundPart(relation, like, mask))).toEqual(scan(relation, facts, mask, like));
        }
        expect(relation.size).toBe(facts.size);
      }),
    );
  });

  it('goes back to any state it was in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(24)),
        fc.array(fc.tuple(fc.nat(24), fc.boolean())),
        fc.nat(),
        (initial, changes, stop) => {
          const relation = new Relation(2, OBJECTS);
          for (const fact of initial) relation.initialise(fact);
          const saveAt = changes.length === 0 ? 0 : stop % changes.length;
          let saved = relation.difference();
          let expected = [...relation.matching(0, 0)];
          changes.forEach(([fact, value], i) => {
            relation.set(fact, value);
            if (i !== saveAt) return;
            saved = relation.difference();
            expected = [...relation.matching(0, 0)];
          });
          relation.restore(saved);
          expect(relation.matching(0, 0)).toEqual(expected);
          relation.restore([]);
          expect(relation.matching(0, 0)).toEqual([...new Set(initial)].sort((a, b) => a - b));
        },
      ),
    );
  });

  it('refuses facts that do not fit a number', () => {
    expect(() => new Relation(8, 1000)).toThrow('too large');
  });
});
