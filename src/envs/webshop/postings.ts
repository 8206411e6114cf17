/**
 * The inverted index of a search: for each term, the documents that hold it, in ascending order, and how far each is
 * saturated with it. All terms share two typed arrays. Documents are numbered by their ids' order, so that of two
 * numbers the smaller is the better where scores are equal.
 */
import { analyze } from './analyzer.ts';

const K1 = Math.fround(0.9);
const B = Math.fround(0.4);

/** A document's id decides ties. */
export interface Document {
  readonly id: string;
  readonly text: string;
}

export interface Postings {
  /** Position in the list of documents, by number. */
  readonly positions: Uint32Array;
  readonly termIds: ReadonlyMap<string, number>;
  /** Where the entries of a term begin; one more than there are terms. */
  readonly starts: Uint32Array;
  /** Numbers of documents. */
  readonly documents: Uint32Array;
  /** 1 + tf / (k1 · (1 − b + b · length / mean length)), for each of `documents`. */
  readonly saturations: Float32Array;
  /** The highest saturation of a term. */
  readonly peaks: Float32Array;
}

/** Terms of documents as they are counted: one entry for each term of each document. */
interface Tally {
  readonly termIds: Map<string, number>;
  /** Documents that hold a term. */
  readonly counts: number[];
  readonly terms: number[];
  readonly documents: number[];
  readonly frequencies: number[];
}

export function indexDocuments(documents: readonly Document[]): Postings {
  const tally: Tally = { termIds: new Map(), counts: [], terms: [], documents: [], frequencies: [] };
  const positions = orderById(documents);
  const lengths = new Uint32Array(documents.length);
  positions.forEach((position, number) => {
    lengths[number] = addDocument(tally, documents[position]!.text, number);
  });
  return { positions, termIds: tally.termIds, ...sortByTerm(tally, inverseNorms(lengths)) };
}

function orderById(documents: readonly Document[]): Uint32Array {
  const ids = documents.map(({ id }) => id);
  return Uint32Array.from(ids.keys()).sort((a, b) => (ids[a]! < ids[b]! ? -1 : ids[a]! > ids[b]! ? 1 : a - b));
}

/** Gives the document's length in terms. */
function addDocument(tally: Tally, text: string, number: number): number {
  const terms = analyze(text);
  const frequencies = new Map<string, number>();
  for (const term of terms) frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
  for (const [term, frequency] of frequencies) {
    let id = tally.termIds.get(term);
    if (id === undefined) {
      id = tally.counts.length;
      tally.termIds.set(term, id);
      tally.counts.push(0);
    }
    tally.counts[id]!++;
    tally.terms.push(id);
    tally.documents.push(number);
    tally.frequencies.push(frequency);
  }
  return terms.length;
}

/** 1 / (k1 · (1 − b + b · length / mean length)) of each document, its length as one byte keeps it. */
function inverseNorms(lengths: Uint32Array): Float32Array {
  const mean = Math.fround(lengths.reduce((sum, length) => sum + length, 0) / lengths.length);
  return Float32Array.from(lengths, (length) => {
    const share = Math.fround(Math.fround(B * decodeLength(encodeLength(length))) / mean);
    return 1 / Math.fround(K1 * Math.fround(Math.fround(1 - B) + share));
  });
}

/** Brings the entries of each term together (counting sort). */
function sortByTerm(
  tally: Tally,
  norms: Float32Array,
): Pick<Postings, 'starts' | 'documents' | 'saturations' | 'peaks'> {
  const starts = new Uint32Array(tally.counts.length + 1);
  tally.counts.forEach((count, id) => {
    starts[id + 1] = starts[id]! + count;
  });
  const next = starts.slice();
  const documents = new Uint32Array(tally.terms.length);
  const saturations = new Float32Array(tally.terms.length);
  const peaks = new Float32Array(tally.counts.length);
  tally.terms.forEach((id, i) => {
    const at = next[id]!++;
    const document = tally.documents[i]!;
    documents[at] = document;
    saturations[at] = 1 + Math.fround(tally.frequencies[i]! * norms[document]!);
    if (saturations[at]! > peaks[id]!) peaks[id] = saturations[at]!;
  });
  return { starts, documents, saturations, peaks };
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
