/** What is played together and kept together: the episodes of an iteration, or of an evaluation. */

export const rolloutSplits = ['training', 'held-out'] as const;
export type RolloutSplit = (typeof rolloutSplits)[number];

export interface PlayedBatch {
  readonly split: RolloutSplit;
  /** Iterations that were done with it; of held-out episodes 0 before training. */
  readonly iteration: number;
}

/** Where the rows of a group are in their file. */
export interface RowPlace {
  /** Number of the first among all rows of the file, counted from 0. */
  readonly first: number;
  readonly count: number;
  /** Of the gzip member, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}
