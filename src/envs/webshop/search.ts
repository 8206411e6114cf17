/**
 * Full-text search ranked by BM25 (Robertson and Zaragoza, 2009), with the numbers that Lucene 8.7 and 9.5 give, to the
 * last bit: float32 arithmetic in the same order, and document lengths rounded to one byte.
 *
 *   score(d) = Σ over query terms t  n(t) · idf(t) · (1 − 1 / (1 + tf(t, d) / (k1 · (1 − b + b · length(d) / mean length))))
 *   idf(t) = ln(1 + (N − df(t) + ½) / (df(t) + ½)),  n(t) = how often the query holds t
 *
 * Documents that cannot be among the best are left out as by MaxScore (Turtle and Flood, 1995). Once enough were found,
 * the commonest terms, which together add little, bring up no documents of their own. They are only looked up in those
 * that the other terms lift high enough. Documents are gone through in windows with a dense array of sums. What is
 * found is what a full search finds: no bound is estimated, and of equal scores the document that comes first stays.
 */
import { analyze } from './analyzer.ts';
import { type Document, indexDocuments, type Postings } from './postings.ts';
import { type Hit, TopHits } from './topHits.ts';

/** Documents of a window: its sums fit the fastest cache, and the first one costs little next to a large catalogue. */
const WINDOW = 2048;

/**
 * Share of the worst score kept that the terms which are only looked up may add together. More of them save reading
 * their postings, but leave more documents to look them up in.
 */
const LOOKED_UP_SHARE = 0.3;

/** The postings of a query's term, as far as they have not been read. */
interface Cursor {
  at: number;
  readonly end: number;
  readonly weight: number;
  /** The most that the term adds to a score. */
  readonly bound: number;
  /** The most that this term and those before it add together. */
  boundSoFar: number;
}

export class SearchIndex {
  readonly #postings: Postings;
  /**
   * Sums of the window under way; all zero between windows. Shares are float32 and are added in float64, which is exact
   * as long as the largest is less than 2²⁸ times the smallest; so their order does not matter.
   */
  readonly #sums = new Float64Array(WINDOW);

  constructor(documents: readonly Document[]) {
    this.#postings = indexDocuments(documents);
  }

  /** How many documents there are. */
  get size(): number {
    return this.#postings.positions.length;
  }

  /** The best `count` documents that hold a term of the query, best first, ties by id. */
  search(query: string, count: number): Hit[] {
    const cursors = this.#open(query);
    const top = new TopHits(count);
    const bound = cursors.at(-1)?.boundSoFar ?? Number.NEGATIVE_INFINITY;
    for (let from = 0; from < this.size && bound > top.threshold; from += WINDOW) {
      const first = cursors.findIndex(({ boundSoFar }) => boundSoFar > LOOKED_UP_SHARE * top.threshold);
      for (let i = first; i < cursors.length; i++) this.#addWindow(cursors[i]!, from);
      this.#emptyWindow(from, cursors, first, top);
    }
    return top.ranked().map(({ document, score }) => ({ document: this.#postings.positions[document]!, score }));
  }

  /** The terms of a query that documents hold, those that add least first. */
  #open(query: string): Cursor[] {
    const { termIds, starts, peaks } = this.#postings;
    const counts = new Map<number, number>();
    for (const term of analyze(query)) {
      const id = termIds.get(term);
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    const cursors = [...counts].map(([id, repeats]): Cursor => {
      const [at, end] = [starts[id]!, starts[id + 1]!];
      const weight = Math.fround(repeats * inverseDocumentFrequency(this.size, end - at));
      return { at, end, weight, bound: shareOf(weight, peaks[id]!), boundSoFar: 0 };
    });
    cursors.sort((a, b) => a.bound - b.bound);
    let sum = 0;
    for (const cursor of cursors) cursor.boundSoFar = sum += cursor.bound;
    return cursors;
  }

  /** Adds a term's shares to the sums of the documents of a window. */
  #addWindow(cursor: Cursor, from: number): void {
    const { documents, saturations } = this.#postings;
    const sums = this.#sums;
    const { end, weight } = cursor;
    let at = cursor.at;
    for (; at < end; at++) {
      const slot = documents[at]! - from;
      if (slot >= WINDOW) break;
      sums[slot]! += shareOf(weight, saturations[at]!);
    }
    cursor.at = at;
  }

  /** Completes the sums of a window by the terms before `first`, in the order of the documents, and clears it. */
  #emptyWindow(from: number, cursors: readonly Cursor[], first: number, top: TopHits): void {
    const sums = this.#sums;
    const missing = first > 0 ? cursors[first - 1]!.boundSoFar : 0;
    let floor = Math.max(0, top.threshold - missing);
    for (let slot = 0; slot < WINDOW; slot++) {
      if (sums[slot]! <= floor) continue;
      this.#complete(from + slot, sums[slot]!, cursors, first, top);
      floor = Math.max(0, top.threshold - missing);
    }
    sums.fill(0);
  }

  #complete(document: number, sum: number, cursors: readonly Cursor[], first: number, top: TopHits): void {
    let score = sum;
    for (let i = first - 1; i >= 0; i--) {
      const cursor = cursors[i]!;
      if (Math.fround(score + cursor.boundSoFar) <= top.threshold) return;
      if (this.#reaches(cursor, document)) score += shareOf(cursor.weight, this.#postings.saturations[cursor.at]!);
    }
    top.offer(document, Math.fround(score));
  }

  /** Moves a cursor on to a document, or to the first one after it, by steps that double and then a binary search. */
  #reaches(cursor: Cursor, document: number): boolean {
    const { documents } = this.#postings;
    const { end } = cursor;
    let low = cursor.at;
    let step = 1;
    while (low + step < end && documents[low + step]! < document) {
      low += step;
      step *= 2;
    }
    let high = Math.min(end, low + step);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (documents[middle]! < document) low = middle + 1;
      else high = middle;
    }
    cursor.at = low;
    return low < end && documents[low] === document;
  }
}

/** What a term adds to the score of a document. */
function shareOf(weight: number, saturation: number): number {
  return Math.fround(weight - Math.fround(weight / saturation));
}

function inverseDocumentFrequency(documents: number, holding: number): number {
  return Math.fround(Math.log(1 + (documents - holding + 0.5) / (holding + 0.5)));
}
