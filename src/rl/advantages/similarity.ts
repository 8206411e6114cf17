/**
 * The similarity of two texts by Ratcliff and Obershelp ("Pattern Matching: The Gestalt Approach", Dr. Dobb's Journal,
 * July 1988), to the digit as Python's `difflib.SequenceMatcher(None, a, b).ratio()` gives it: 2·M / (|a| + |b|), where
 * M counts the characters in matching blocks. The longest common block is taken first, then, recursively, those to its
 * left and to its right.
 *
 * Python's automatic junk heuristic is part of the definition: where b has 200 characters or more, one that makes up
 * more than 1 % of it (plus one occurrence) does not start a block; blocks only extend over it. This makes the ratio
 * depend on the order of the two texts.
 */

/** Length from which Python's heuristic looks for popular characters. */
const junkLength = 200;

/** Turns texts into sequences of small character numbers, shared by all texts of one alphabet. */
export class Alphabet {
  private readonly numbers = new Map<string, number>();

  encode(text: string): EncodedText {
    // A string iterates by code points, which are Python's characters.
    const characters = Int32Array.from(text, (character) => {
      let number = this.numbers.get(character);
      if (number === undefined) {
        number = this.numbers.size;
        this.numbers.set(character, number);
      }
      return number;
    });
    const histogram = new Int32Array(this.numbers.size);
    for (const character of characters) histogram[character]!++;
    return { characters, histogram };
  }
}

/** A text in the numbers of an alphabet. */
export interface EncodedText {
  readonly characters: Int32Array;
  /** Occurrences of each character; those beyond its end are 0. */
  readonly histogram: Int32Array;
}

/**
 * The second text of comparisons, with an index of where its characters stand. Build it once and compare many texts
 * with it.
 */
export class SimilarityTarget {
  /**
   * Positions of character c: `positions[starts[c]]` to `positions[starts[c + 1] − 1]`, increasing. Popular characters
   * have none.
   */
  private readonly starts: Int32Array;
  private readonly positions: Int32Array;
  /**
   * For each position of b, one off: the length of the common run that ends there, and the tick of the row of a that
   * wrote it.
   */
  private readonly runLengths: Int32Array;
  private readonly runTicks: Float64Array;
  private tick = 0;

  constructor(private readonly b: EncodedText) {
    const { characters, histogram } = b;
    const popular =
      characters.length >= junkLength ? Math.floor(characters.length / 100) + 1 : Number.POSITIVE_INFINITY;
    this.starts = new Int32Array(histogram.length + 1);
    for (const [character, count] of histogram.entries())
      this.starts[character + 1] = this.starts[character]! + (count > popular ? 0 : count);
    this.positions = new Int32Array(this.starts[histogram.length]!);
    const next = this.starts.slice();
    for (const [position, character] of characters.entries()) {
      if (histogram[character]! <= popular) this.positions[next[character]!++] = position;
    }
    this.runLengths = new Int32Array(characters.length + 1);
    this.runTicks = new Float64Array(characters.length + 1);
  }

  /** The ratio of a to this text, from 0 (nothing in common) to 1 (equal). Two empty texts are equal. */
  ratio(a: EncodedText): number {
    return toRatio(this.matches(a, 0), a, this.b);
  }

  /** Whether the ratio of a to this text reaches a threshold; far cheaper than the ratio where it does not. */
  reaches(a: EncodedText, threshold: number): boolean {
    if (toRatio(Math.min(a.characters.length, this.b.characters.length), a, this.b) < threshold) return false;
    if (toRatio(commonCharacters(a.histogram, this.b.histogram), a, this.b) < threshold) return false;
    return toRatio(this.matches(a, threshold), a, this.b) >= threshold;
  }

  /** M, or, as soon as the ratio cannot reach the threshold any more, a bound of M that does not reach it either. */
  private matches(a: EncodedText, threshold: number): number {
    const pending: number[] = [0, a.characters.length, 0, this.b.characters.length];
    let matched = 0;
    let possible = Math.min(a.characters.length, this.b.characters.length);
    while (pending.length > 0) {
      const bHigh = pending.pop()!;
      const bLow = pending.pop()!;
      const aHigh = pending.pop()!;
      const aLow = pending.pop()!;
      const block = this.longestBlock(a.characters, aLow, aHigh, bLow, bHigh);
      possible -= Math.min(aHigh - aLow, bHigh - bLow);
      if (block.size === 0) continue;
      matched += block.size;
      possible += block.size;
      const aEnd = block.a + block.size;
      const bEnd = block.b + block.size;
      if (block.a > aLow && block.b > bLow) {
        pending.push(aLow, block.a, bLow, block.b);
        possible += Math.min(block.a - aLow, block.b - bLow);
      }
      if (aEnd < aHigh && bEnd < bHigh) {
        pending.push(aEnd, aHigh, bEnd, bHigh);
        possible += Math.min(aHigh - aEnd, bHigh - bEnd);
      }
      if (toRatio(possible, a, this.b) < threshold) return possible;
    }
    return matched;
  }

  /**
   * The longest block that a[aLow..aHigh) and b[bLow..bHigh) share; of several, the one that starts first in a, then
   * first in b. It is found among the characters that are not popular and then extended over all.
   */
  private longestBlock(
    a: Int32Array,
    aLow: number,
    aHigh: number,
    bLow: number,
    bHigh: number,
  ): { a: number; b: number; size: number } {
    const b = this.b.characters;
    let bestA = aLow;
    let bestB = bLow;
    let size = 0;
    this.tick++;
    for (let i = aLow; i < aHigh; i++) {
      const previous = this.tick++;
      const character = a[i]!;
      if (character + 1 >= this.starts.length) continue;
      // From the right, so that a run's predecessor is still that of the previous row when it is read.
      for (let p = this.starts[character + 1]! - 1; p >= this.starts[character]!; p--) {
        const j = this.positions[p]!;
        if (j < bLow) break;
        if (j >= bHigh) continue;
        const run = this.runTicks[j] === previous ? this.runLengths[j]! + 1 : 1;
        this.runLengths[j + 1] = run;
        this.runTicks[j + 1] = this.tick;
        const start = i - run + 1;
        if (run > size || (run === size && start === bestA)) {
          bestA = start;
          bestB = j - run + 1;
          size = run;
        }
      }
    }
    while (bestA > aLow && bestB > bLow && a[bestA - 1] === b[bestB - 1]) {
      bestA--;
      bestB--;
      size++;
    }
    while (bestA + size < aHigh && bestB + size < bHigh && a[bestA + size] === b[bestB + size]) size++;
    return { a: bestA, b: bestB, size };
  }
}

function toRatio(matches: number, a: EncodedText, b: EncodedText): number {
  const length = a.characters.length + b.characters.length;
  return length === 0 ? 1 : (2 * matches) / length;
}

function commonCharacters(a: Int32Array, b: Int32Array): number {
  let common = 0;
  for (let i = Math.min(a.length, b.length) - 1; i >= 0; i--) common += Math.min(a[i]!, b[i]!);
  return common;
}
