/**
 * Byte-pair merges: of all neighbouring tokens of a word, the two whose merge has the lowest rank become one, leftmost
 * first, until none is left (Sennrich et al., arXiv 1508.07909). A heap holds the merges that are open, and a linked
 * list the tokens, so a word of n characters takes O(n log n), however long it is.
 */

/** Two tokens that become one; its place in the list of merges is its rank. */
export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly merged: number;
}

/** Ids are below this. A pair of ids is one number, and so are a rank and a place. */
const pairBase = 2 ** 24;
/** Places in a word are below this: no string of JavaScript is longer. */
const placeBase = 2 ** 29;
/** In place of an id: merged into the token before. */
const gone = -2;

export class Merger {
  readonly #merges: readonly Merge[];
  /** Ranks by pair, `left · pairBase + right`. Of a pair that is listed twice, the last counts, as in the reference. */
  readonly #ranks: ReadonlyMap<number, number>;

  /** @param merges in order of rank; ids below 2^24 */
  constructor(merges: readonly Merge[]) {
    this.#merges = merges;
    this.#ranks = new Map(merges.map(({ left, right }, rank) => [left * pairBase + right, rank]));
  }

  /**
   * Merges the tokens of a word in place.
   * @param ids a token a character; one that is negative merges with nothing
   * @returns the places, ascending, at which a token is left; `ids` has it there
   */
  merge(ids: Int32Array): number[] {
    const { length } = ids;
    const next = Int32Array.from(ids, (_, place) => place + 1);
    const previous = Int32Array.from(ids, (_, place) => place - 1);
    const open = new Heap();
    const consider = (place: number) => {
      const rank = place < 0 ? undefined : this.#rankAt(ids, place, next[place]!);
      if (rank !== undefined) open.push(rank * placeBase + place);
    };
    for (let place = 0; place < length - 1; place++) consider(place);
    for (let first = open.pop(); first !== undefined; first = open.pop()) {
      const place = first % placeBase;
      const rank = (first - place) / placeBase;
      const right = next[place]!;
      // Either token may have become part of another one since.
      if (this.#rankAt(ids, place, right) !== rank) continue;
      ids[place] = this.#merges[rank]!.merged;
      ids[right] = gone;
      next[place] = next[right]!;
      if (next[place]! < length) previous[next[place]!] = place;
      consider(previous[place]!);
      consider(place);
    }
    const left: number[] = [];
    for (let place = 0; place < length; place = next[place]!) left.push(place);
    return left;
  }

  /** Rank of the merge of the tokens at two places, the second of which may be behind the end. */
  #rankAt(ids: Int32Array, left: number, right: number): number | undefined {
    if (right >= ids.length || ids[left]! < 0 || ids[right]! < 0) return undefined;
    return this.#ranks.get(ids[left]! * pairBase + ids[right]!);
  }
}

/** A binary heap of numbers, the least first. */
class Heap {
  readonly #items: number[] = [];

  push(item: number): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]! <= item) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const items = this.#items;
    const least = items[0];
    const item = items.pop();
    if (item === undefined || items.length === 0) return least;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < items.length && items[child + 1]! < items[child]!) child++;
      if (child >= items.length || items[child]! >= item) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = item;
    return least;
  }
}
