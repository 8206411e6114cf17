/**
 * TF-IDF over a batch of short texts that repeat a lot, as the observations of a rollout do: word counts as a sparse
 * matrix with one row for each *distinct* text, the vocabulary, and the inverse document frequencies. Repeats count in
 * full in every statistic.
 *
 * `countTerms` does the text processing. Weighting and normalising its counts is one pass over the matrix: a kernel
 * does it in float32 (`kernels/tfidf.ts`), and `weighTerms` here in float64.
 */
import { compareByCodePoint, splitWords } from './tfidfTokens.ts';

export interface TfidfOptions {
  /**
   * Size limit of the vocabulary: the terms with the highest count in the batch stay, the alphabetically first ones
   * among equals.
   */
  readonly maxFeatures: number;
  /** Shortest word that counts, in characters. With 2, "drawer 1" and "drawer 2" are the same text. */
  readonly minWordLength: number;
}

/** Counts of the vocabulary's terms in compressed sparse rows (CSR). */
export interface TermCounts {
  /** Terms in order of code points; a term's index is its matrix column. */
  readonly vocabulary: readonly string[];
  /** ln((1 + n) / (1 + df)) + 1 of each term, where df of all n texts contain it, `[features]`. */
  readonly idf: Float64Array;
  /** The matrix row of each text, `[texts]`. */
  readonly documentOf: Int32Array;
  /**
   * Row d holds the entries `offsets[d]` to `offsets[d + 1] − 1`, `[documents + 1]`. A text without a known term has an
   * empty row.
   */
  readonly offsets: Uint32Array<ArrayBuffer>;
  /** Column of each entry, increasing within a row, `[entries]`. */
  readonly columns: Uint32Array<ArrayBuffer>;
  /** How often the term occurs in the text, `[entries]`. */
  readonly counts: Uint32Array<ArrayBuffer>;
}

/** A term as met while reading, before the vocabulary is chosen. */
interface Term {
  readonly text: string;
  /** Occurrences in all texts. */
  total: number;
  /** Texts that contain it. */
  documents: number;
}

/** A distinct text: pairs of term number and count, flattened. */
type DocumentTerms = readonly number[];

/** More than any count of a term in one text. */
const packing = 2 ** 32;

/** Counts the terms of each text and chooses the vocabulary. */
export function countTerms(texts: readonly string[], options: TfidfOptions): TermCounts {
  const { documentOf, documents, repeats } = distinct(texts);
  const { terms, documentTerms } = readDocuments(documents, repeats, options.minWordLength);
  const chosen = chooseVocabulary(terms, options.maxFeatures);
  const idf = Float64Array.from(chosen, (term) => Math.log((1 + texts.length) / (1 + terms[term]!.documents)) + 1);
  const columnOf = new Int32Array(terms.length).fill(-1);
  for (const [column, term] of chosen.entries()) columnOf[term] = column;
  return {
    vocabulary: chosen.map((term) => terms[term]!.text),
    idf,
    documentOf,
    ...compressRows(documentTerms, columnOf),
  };
}

function distinct(texts: readonly string[]): {
  documentOf: Int32Array;
  documents: readonly string[];
  repeats: readonly number[];
} {
  const numbers = new Map<string, number>();
  const repeats: number[] = [];
  const documentOf = Int32Array.from(texts, (text) => {
    let document = numbers.get(text);
    if (document === undefined) {
      document = numbers.size;
      numbers.set(text, document);
      repeats.push(0);
    }
    repeats[document]!++;
    return document;
  });
  return { documentOf, documents: [...numbers.keys()], repeats };
}

function readDocuments(
  documents: readonly string[],
  repeats: readonly number[],
  minWordLength: number,
): { terms: readonly Term[]; documentTerms: readonly DocumentTerms[] } {
  const numbers = new Map<string, number>();
  const terms: Term[] = [];
  // For each term, where its count stands in the pairs of the document being read, or −1.
  const slots: number[] = [];
  const documentTerms = documents.map((document, d) => {
    const pairs: number[] = [];
    for (const word of splitWords(document, minWordLength)) {
      let term = numbers.get(word);
      if (term === undefined) {
        term = terms.length;
        numbers.set(word, term);
        terms.push({ text: word, total: 0, documents: 0 });
        slots.push(-1);
      }
      if (slots[term] === -1) {
        slots[term] = pairs.length + 1;
        pairs.push(term, 0);
      }
      pairs[slots[term]!]!++;
    }
    for (let i = 0; i < pairs.length; i += 2) {
      const term = pairs[i]!;
      terms[term]!.total += repeats[d]! * pairs[i + 1]!;
      terms[term]!.documents += repeats[d]!;
      slots[term] = -1;
    }
    return pairs;
  });
  return { terms, documentTerms };
}

/** Numbers of the terms to keep, in alphabetical order. */
function chooseVocabulary(terms: readonly Term[], maxFeatures: number): readonly number[] {
  const alphabetical = terms
    .map((_, number) => number)
    .sort((a, b) => compareByCodePoint(terms[a]!.text, terms[b]!.text));
  if (terms.length <= maxFeatures) return alphabetical;
  const rank = new Int32Array(terms.length);
  for (const [position, term] of alphabetical.entries()) rank[term] = position;
  return alphabetical
    .sort((a, b) => terms[b]!.total - terms[a]!.total || rank[a]! - rank[b]!)
    .slice(0, maxFeatures)
    .sort((a, b) => rank[a]! - rank[b]!);
}

function compressRows(
  documentTerms: readonly DocumentTerms[],
  columnOf: Int32Array,
): Pick<TermCounts, 'offsets' | 'columns' | 'counts'> {
  const offsets = new Uint32Array(documentTerms.length + 1);
  // Column and count of an entry in one number, so that a row can be sorted as it lies.
  const packed = new Float64Array(documentTerms.reduce((sum, pairs) => sum + pairs.length / 2, 0));
  let end = 0;
  for (const [document, pairs] of documentTerms.entries()) {
    for (let i = 0; i < pairs.length; i += 2) {
      const column = columnOf[pairs[i]!]!;
      if (column >= 0) packed[end++] = column * packing + pairs[i + 1]!;
    }
    packed.subarray(offsets[document]!, end).sort();
    offsets[document + 1] = end;
  }
  const columns = new Uint32Array(end);
  const counts = new Uint32Array(end);
  for (let entry = 0; entry < end; entry++) {
    columns[entry] = Math.floor(packed[entry]! / packing);
    counts[entry] = packed[entry]! % packing;
  }
  return { offsets, columns, counts };
}

/**
 * Term frequency times inverse document frequency with every row scaled to length 1, `[entries]` in the order of
 * `columns`; in float64.
 */
export function weighTerms({ idf, offsets, columns, counts }: TermCounts): Float64Array {
  const weights = Float64Array.from(counts, (count, entry) => count * idf[columns[entry]!]!);
  for (let document = 0; document + 1 < offsets.length; document++) {
    const row = weights.subarray(offsets[document]!, offsets[document + 1]!);
    const norm = Math.sqrt(row.reduce((sum, weight) => sum + weight * weight, 0));
    for (let i = 0; i < row.length; i++) row[i]! /= norm;
  }
  return weights;
}
