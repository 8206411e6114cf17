/** Keeps the best of many scored documents: a binary heap whose root is the worst that is kept. */

export interface Hit {
  /** Position in the list of documents. */
  readonly document: number;
  /** A float32. */
  readonly score: number;
}

/**
 * The best `count` of the documents offered. They must come in ascending order: of equal scores, the earlier one is
 * better.
 */
export class TopHits {
  readonly #hits: Hit[] = [];
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  /** A score that a document must exceed to be kept. */
  get threshold(): number {
    return this.#hits.length < this.#count
      ? Number.NEGATIVE_INFINITY
      : (this.#hits[0]?.score ?? Number.POSITIVE_INFINITY);
  }

  offer(document: number, score: number): void {
    if (this.#hits.length < this.#count) this.#rise({ document, score });
    else if (score > this.threshold) this.#sink({ document, score });
  }

  /** Best first. */
  ranked(): Hit[] {
    return [...this.#hits].sort((a, b) => b.score - a.score || a.document - b.document);
  }

  /** Puts a hit at the end of the heap and lets it rise to its place. */
  #rise(hit: Hit): void {
    const hits = this.#hits;
    let at = hits.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isWorse(hit, hits[parent]!)) break;
      hits[at] = hits[parent]!;
      at = parent;
    }
    hits[at] = hit;
  }

  /** Puts a hit in the place of the worst one and lets it sink to its own. */
  #sink(hit: Hit): void {
    const hits = this.#hits;
    let at = 0;
    for (let child = 1; child < hits.length; child = 2 * at + 1) {
      if (child + 1 < hits.length && isWorse(hits[child + 1]!, hits[child]!)) child++;
      if (!isWorse(hits[child]!, hit)) break;
      hits[at] = hits[child]!;
      at = child;
    }
    hits[at] = hit;
  }
}

function isWorse(a: Hit, b: Hit): boolean {
  return a.score < b.score || (a.score === b.score && a.document > b.document);
}
