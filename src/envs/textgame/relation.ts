/**
 * The facts of one predicate in a running world. A fact is one number: its arguments, which are object numbers below
 * `objects`, read as digits in that base. As objects are numbered in the order of their ids, numeric order of facts is
 * the order of their argument ids. Facts are indexed by whichever arguments a search has bound; indexes are made on
 * first use and kept up to date afterwards.
 */
import { ProxmoError } from '../../base/errors.ts';

const NO_FACTS: readonly number[] = [];
const MAX_ARITY = 16;

export class Relation {
  /** Place value of each argument position. */
  readonly strides: readonly number[];
  private readonly facts = new Set<number>();
  /** By mask of bound positions (bit i for position i): bound part of a fact → facts in ascending order. */
  private readonly indexes: (Map<number, number[]> | undefined)[] = [];
  /** Facts whose truth differs from the initial state. */
  private readonly changed = new Set<number>();

  /**
   * @throws {ProxmoError} `parse` if the facts of so many arguments over so many objects do not fit a number exactly.
   */
  constructor(
    readonly arity: number,
    readonly objects: number,
  ) {
    if (arity > MAX_ARITY || Math.max(objects, 1) ** arity > Number.MAX_SAFE_INTEGER) {
      throw new ProxmoError(
        'parse',
        `PDDL: a predicate of ${arity} arguments over ${objects} objects is too large; use fewer arguments.`,
      );
    }
    this.strides = Array.from({ length: arity }, (_, i) => objects ** (arity - 1 - i));
  }

  /** Number of facts. */
  get size(): number {
    return this.facts.size;
  }

  has(fact: number): boolean {
    return this.facts.has(fact);
  }

  /** The object at an argument position of a fact. */
  argument(fact: number, position: number): number {
    return Math.floor(fact / this.strides[position]!) % this.objects;
  }

  /** Adds a fact of the initial state. Call before the first search. */
  initialise(fact: number): void {
    this.facts.add(fact);
  }

  /** Makes a fact true or false. */
  set(fact: number, value: boolean): void {
    if (this.facts.has(fact) !== value) this.flip(fact);
  }

  /**
   * Facts whose arguments at the positions of `mask` are those of `bound`, ascending. The array is live: read it before
   * the next `set`.
   *
   * @param bound sum of object × stride over the positions in `mask`.
   */
  matching(mask: number, bound: number): readonly number[] {
    let index = this.indexes[mask];
    if (index === undefined) this.indexes[mask] = index = this.buildIndex(mask);
    return index.get(bound) ?? NO_FACTS;
  }

  /** Facts that differ from the initial state. */
  difference(): readonly number[] {
    return this.changed.size === 0 ? NO_FACTS : [...this.changed];
  }

  /** Goes to the state that `difference` described. */
  restore(difference: readonly number[]): void {
    if (this.changed.size === 0 && difference.length === 0) return;
    const target = new Set(difference);
    for (const fact of [...this.changed]) if (!target.has(fact)) this.flip(fact);
    for (const fact of target) if (!this.changed.has(fact)) this.flip(fact);
  }

  private flip(fact: number): void {
    const add = !this.facts.delete(fact);
    if (add) this.facts.add(fact);
    if (!this.changed.delete(fact)) this.changed.add(fact);
    for (let mask = 0; mask < this.indexes.length; mask++) {
      const index = this.indexes[mask];
      if (index === undefined) continue;
      const bound = this.boundPart(fact, mask);
      let bucket = index.get(bound);
      if (bucket === undefined) index.set(bound, (bucket = []));
      const at = lowerBound(bucket, fact);
      if (add) bucket.splice(at, 0, fact);
      else bucket.splice(at, 1);
    }
  }

  private buildIndex(mask: number): Map<number, number[]> {
    const index = new Map<number, number[]>();
    for (const fact of Float64Array.from(this.facts).sort()) {
      const bound = this.boundPart(fact, mask);
      const bucket = index.get(bound);
      if (bucket === undefined) index.set(bound, [fact]);
      else bucket.push(fact);
    }
    return index;
  }

  private boundPart(fact: number, mask: number): number {
    let bound = 0;
    for (let i = 0; i < this.arity; i++) if (mask & (1 << i)) bound += this.argument(fact, i) * this.strides[i]!;
    return bound;
  }
}

/** First index whose value is not below `value`. */
function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
