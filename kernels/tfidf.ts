/**
 * TF-IDF weights of a sparse count matrix, rows scaled to length 1 (CSR; layout as `TermCounts` in src/text/tfidf.ts).
 *
 * `documents` rows, `entries` places for entries (those after the last row are padding and become 0), `features`
 * columns.
 */
import shader from '../shaders/tfidf.wgsl';
import { defineKernel, foldWorkgroups, type KernelCase } from './spec.ts';

type TfidfParams = { documents: number; entries: number; features: number };

/** Rows of `length` entries each, but every seventh row empty, and `padding` entries after the last. */
function caseOf(
  documents: number,
  features: number,
  length: number,
  padding: number,
  note?: string,
): KernelCase<TfidfParams> {
  const lengths = Array.from({ length: documents }, (_, row) => (row % 7 === 3 ? 0 : Math.min(length, features)));
  const offsets = [0];
  for (const rowLength of lengths) offsets.push(offsets.at(-1)! + rowLength);
  const entries = offsets.at(-1)! + padding;
  return {
    params: { documents, entries, features },
    ...(note === undefined ? {} : { note }),
    inputs: (random) => {
      const columns = lengths.flatMap((rowLength, row) =>
        Array.from({ length: rowLength }, (_, i) => (row + i) % features),
      );
      return {
        offsets,
        columns: [...columns, ...new Array<number>(padding).fill(0)],
        counts: Array.from({ length: entries }, () => 1 + Math.floor(Math.abs(random()) * 3)),
        idf: Array.from({ length: features }, () => 1 + Math.abs(random())),
      };
    },
  };
}

export const tfidf = defineKernel<TfidfParams>({
  name: 'tfidf',
  shader,
  bindings: {
    offsets: { dtype: 'u32', access: 'read' },
    columns: { dtype: 'u32', access: 'read' },
    counts: { dtype: 'u32', access: 'read' },
    idf: { dtype: 'f32', access: 'read' },
    weights: { dtype: 'f32', access: 'write' },
  },
  params: { documents: 'u32', entries: 'u32', features: 'u32' },
  variants: [{ label: 'row.f32', constants: { WORKGROUP: 64 } }],
  sizes: ({ documents, entries, features }) => ({
    offsets: documents + 1,
    columns: entries,
    counts: entries,
    idf: features,
    weights: entries,
  }),
  dispatch: ({ documents }, { WORKGROUP }) => foldWorkgroups(Math.ceil(documents / Number(WORKGROUP))),
  cost: ({ documents, entries, features }) => ({
    flops: 5 * entries,
    bytes: 4 * (documents + 1 + 3 * entries + features),
  }),
  reference: ({ offsets, columns, counts, idf }, { documents, entries }) => {
    const weights = new Float64Array(entries);
    for (let row = 0; row < documents; row++) {
      const [start, end] = [offsets![row]!, offsets![row + 1]!];
      let squares = 0;
      for (let entry = start; entry < end; entry++) {
        weights[entry] = counts![entry]! * idf![columns![entry]!]!;
        squares += weights[entry]! ** 2;
      }
      for (let entry = start; entry < end; entry++) weights[entry]! /= Math.sqrt(squares);
    }
    return { weights };
  },
  cases: [
    caseOf(1, 1, 1, 0),
    caseOf(1, 5, 3, 200, 'more padding than entries'),
    caseOf(4, 3, 0, 0, 'empty rows only'),
    caseOf(0, 3, 0, 0, 'no rows'),
    caseOf(67, 50, 17, 5),
    caseOf(1000, 1024, 31, 300),
  ],
  benchCases: [caseOf(16_384, 1024, 30, 0)],
  // A sum of at most a few hundred squares, one root, one division, in float32.
  tolerance: { absolute: 1e-6, relative: 1e-5 },
});
