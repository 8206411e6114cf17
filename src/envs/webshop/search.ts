/**
 * Full-text search ranked by BM25 (Robertson and Zaragoza, 2009), with the numbers that Lucene 8.7 and 9.5 give, to the last bit: float32 arithmetic in the
 * same order, and document lengths rounded to one byte.
 *
 *   score(d) = Σ over query terms t  n(t) · idf(t) · (1 − 1 / (1 + tf(t, d) / (k1 · (1 − b + b · length(d) / mean length))))
 *   idf(t) = ln(1 + (N − df(t) + ½) / (df(t) + ½)),  n(t) = how often the query holds t
 *
 * The index is inverted: for each term, the documents that hold it and how often, in two typed arrays that all terms share.
 */
import { analyze } from './analyzer.ts';

const K1 = Math.fround(0.9);
const B = Math.fround(0.4);

export interface Hit {
  /** Position in the list of documents. */
  readonly document: number;
  /** A float32. */
  readonly score: number;
}

/** A document's id decides ties. */
export interface Document {
  readonly id: string;
  readonly text: string;
}

export class SearchIndex {
  readonly #termIds = new Map<string, number>();
  /** Where the postings of a term begin; one entry more than there are terms. */
  readonly #starts: Uint32Array;
  readonly #documents: Uint32Array;
  readonly #frequencies: Uint16Array;
  /** 1 / (k1 · (1 − b + b · length / mean length)) by the length's byte. */
  readonly #inverseNorms = new Float32Array(256);
  readonly #lengthBytes: Uint8Array;
  /** Rank of each document by id. */
  readonly #idRanks: Uint32Array;
  /** Sums of the search under way; all zero between searches. */
  readonly #sums: Float64Array;

  constructor(documents: readonly Document[]) {
    const postings: Postings = { termIds: this.#termIds, counts: [], terms: [], documents: [], frequencies: [] };
    this.#lengthBytes = new Uint8Array(documents.length);
    let total = 0;
    documents.forEach(({ text }, index) => {
      const length = addDocument(postings, text, index);
      this.#lengthBytes[index] = encodeLength(length);
      total += length;
    });
    [this.#starts, this.#documents, this.#frequencies] = sortByTerm(postings);
    const mean = Math.fround(total / documents.length);
    for (let byte = 0; byte < 256; byte++) {
      const share = Math.fround(Math.fround(B * decodeLength(byte)) / mean);
      const norm = Math.fround(K1 * Math.fround(Math.fround(1 - B) + share));
      this.#inverseNorms[byte] = 1 / norm;
    }
    this.#idRanks = rankIds(documents);
    this.#sums = new Float64Array(documents.length);
  }

  /** How many documents there are. */
  get size(): number {
    return this.#sums.length;
  }

  /** The best `count` documents that hold a term of the query, best first, ties by id. */
  search(query: string, count: number): Hit[] {
    const counts = new Map<string, number>();
    for (const term of analyze(query)) counts.set(term, (counts.get(term) ?? 0) + 1);
    const touched: number[] = [];
    for (const [term, repeats] of counts) this.#addTerm(term, repeats, touched);
    const best = this.#best(touched, count);
    for (const document of touched) this.#sums[document] = 0;
    return best;
  }

  /** The first `count` of the documents by score and id, kept in order while all are looked at. */
  #best(documents: readonly number[], count: number): Hit[] {
    const best: Hit[] = [];
    const ranks = this.#idRanks;
    for (const document of documents) {
      const score = Math.fround(this.#sums[document]!);
      const comesBefore = (hit: Hit): boolean => score > hit.score || (score === hit.score && ranks[document]! < ranks[hit.document]!);
      if (best.length >= count && !(count > 0 && comesBefore(best[count - 1]!))) continue;
      let at = best.length;
      while (at > 0 && comesBefore(best[at - 1]!)) at--;
      best.splice(at, 0, { document, score });
      if (best.length > count) best.pop();
    }
    return best;
  }

  /** Adds a term's share to the sums of the documents that hold it. */
  #addTerm(term: string, repeats: number, touched: number[]): void {
    const id = this.#termIds.get(term);
    if (id === undefined) return;
    const start = this.#starts[id]!;
    const end = this.#starts[id + 1]!;
    const weight = Math.fround(repeats * inverseDocumentFrequency(this.size, end - start));
    for (let i = start; i < end; i++) {
      const document = this.#documents[i]!;
      const inverseNorm = this.#inverseNorms[this.#lengthBytes[document]!]!;
      const saturation = Math.fround(1 + Math.fround(this.#frequencies[i]! * inverseNorm));
      if (this.#sums[document] === 0) touched.push(document);
      this.#sums[document]! += Math.fround(weight - Math.fround(weight / saturation));
    }
  }
}

/** One entry for each term of each document, in the order of the documents. */
interface Postings {
  readonly termIds: Map<string, number>;
  /** Documents that hold a term. */
  readonly counts: number[];
  readonly terms: number[];
  readonly documents: number[];
  readonly frequencies: number[];
}

/** Gives the document's length in terms. */
function addDocument(postings: Postings, text: string, index: number): number {
  const terms = analyze(text);
  const frequencies = new Map<string, number>();
  for (const term of terms) frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
  for (const [term, frequency] of frequencies) {
    let id = postings.termIds.get(term);
    if (id === undefined) {
      id = postings.counts.length;
      postings.termIds.set(term, id);
      postings.counts.push(0);
    }
    postings.counts[id]!++;
    postings.terms.push(id);
    postings.documents.push(index);
    postings.frequencies.push(frequency);
  }
  return terms.length;
}

/** Brings the entries of each term together (counting sort). */
function sortByTerm(postings: Postings): [starts: Uint32Array, documents: Uint32Array, frequencies: Uint16Array] {
  const starts = new Uint32Array(postings.counts.length + 1);
  postings.counts.forEach((count, id) => {
    starts[id + 1] = starts[id]! + count;
  });
  const next = starts.slice();
  const documents = new Uint32Array(postings.terms.length);
  const frequencies = new Uint16Array(postings.terms.length);
  postings.terms.forEach((id, i) => {
    const at = next[id]!++;
    documents[at] = postings.documents[i]!;
    frequencies[at] = postings.frequencies[i]!;
  });
  return [starts, documents, frequencies];
}

function rankIds(documents: readonly Document[]): Uint32Array {
  const order = documents.map((_, index) => index).sort((a, b) => (documents[a]!.id < documents[b]!.id ? -1 : 1));
  const ranks = new Uint32Array(documents.length);
  order.forEach((document, rank) => {
    ranks[document] = rank;
  });
  return ranks;
}

function inverseDocumentFrequency(documents: number, holding: number): number {
  return Math.fround(Math.log(1 + (documents - holding + 0.5) / (holding + 0.5)));
}

/** Lengths up to this are kept exactly. */
const EXACT_LENGTHS = 24;

/** A length as one byte, rounded down to four significant bits beyond 24 (Lucene's `SmallFloat.intToByte4`). */
export function encodeLength(length: number): number {
  if (length < EXACT_LENGTHS) return length;
  const rest = length - EXACT_LENGTHS;
  const bits = 32 - Math.clz32(rest);
  if (bits < 4) return EXACT_LENGTHS + rest;
  const shift = bits - 4;
  return EXACT_LENGTHS + (((rest >>> shift) & 7) | ((shift + 1) << 3));
}

function decodeLength(byte: number): number {
  if (byte < EXACT_LENGTHS) return byte;
  const mantissa = (byte - EXACT_LENGTHS) & 7;
  const shift = ((byte - EXACT_LENGTHS) >>> 3) - 1;
  return EXACT_LENGTHS + (shift < 0 ? mantissa : (mantissa | 8) * 2 ** shift);
}
