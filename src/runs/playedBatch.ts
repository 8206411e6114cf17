/** What is played together and kept together: the episodes of an iteration, or of an evaluation. */

export const rolloutSplits = ['training', 'held-out'] as const;
export type RolloutSplit = (typeof rolloutSplits)[number];

export interface PlayedBatch {
  readonly split: RolloutSplit;
  /** Iterations that were done with it; of held-out episodes 0 before training. */
  readonly iteration: number;
}
