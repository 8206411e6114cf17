/** What the device programs of ProxMO's step level share: the anchors' TF-IDF weights, and which rows are left out. */
import { tfidf } from '../../../kernels/tfidf.ts';
import { input, launch, type Tensor } from '../../tensor/tensor.ts';
import type { TermCounts } from '../../text/tfidf.ts';
import type { RolloutBatch, RolloutGroup } from '../rows.ts';
import type { ProximityOptions } from './proximity.ts';

/** Sizes of a count matrix that a program is compiled for; real sizes are at most these. */
export interface TermCapacity {
  readonly documents: number;
  readonly entries: number;
  /** Terms of the vocabulary. */
  readonly features: number;
}

export function termCapacity({ offsets, columns, vocabulary }: TermCounts): TermCapacity {
  return {
    documents: bucket(offsets.length - 1),
    entries: bucket(columns.length),
    features: bucket(vocabulary.length),
  };
}

/** The graph that weighs counts: sparse rows of length 1 in the layout of `kernels/proximity.ts`, `[entries]` each. */
export function weighedTerms(capacity: TermCapacity): { readonly columns: Tensor; readonly weights: Tensor } {
  const { documents, entries, features } = capacity;
  const columns = input('columns', [entries], 'u32');
  const { weights } = launch(
    tfidf,
    { documents, entries, features },
    {
      offsets: input('offsets', [documents + 1], 'u32'),
      columns,
      counts: input('counts', [entries], 'u32'),
      idf: input('idf', [features]),
    },
    { weights: [entries] },
  );
  return { columns, weights };
}

/** The inputs of that graph. */
export function termInputs(terms: TermCounts, { documents, entries, features }: TermCapacity) {
  return {
    offsets: padded(Uint32Array, terms.offsets, documents + 1, terms.columns.length),
    columns: padded(Uint32Array, terms.columns, entries),
    counts: padded(Uint32Array, terms.counts, entries),
    idf: padded(Float32Array, terms.idf, features),
  };
}

/** Rows with the same owner are left out of each other's baselines; 0 where none is. */
export function ownerOf(batch: RolloutBatch, row: number, options: ProximityOptions): number {
  if (options.leaveTrajectoryOut) return 1 + batch.trajectoryOf[row]!;
  return options.leaveSelfOut ? 1 + row : 0;
}

/** Sets the advantages of rows to 0 that have nothing to be compared with. */
export function clearLoneRows(batch: RolloutBatch, options: ProximityOptions, advantage: Float64Array): void {
  for (const group of batch.groups) {
    if (hasNoOthers(group, options)) for (const row of group.rows) advantage[row] = 0;
  }
}

function hasNoOthers({ rows, trajectories }: RolloutGroup, options: ProximityOptions): boolean {
  return (options.leaveTrajectoryOut && trajectories.length === 1) || (options.leaveSelfOut && rows.length === 1);
}

/** The next power of two, and at least 64, so that batches of about one size share a program. */
export function bucket(size: number): number {
  return 2 ** Math.max(6, Math.ceil(Math.log2(size)));
}

/** A copy of some values at the start of a longer array. */
export function padded<T extends Float32Array | Uint32Array>(
  type: new (length: number) => T,
  values: ArrayLike<number>,
  length: number,
  filling = 0,
): T {
  const array = new type(length);
  array.fill(filling, values.length);
  array.set(values);
  return array;
}
