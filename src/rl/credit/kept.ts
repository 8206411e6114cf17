/** Which rows of a run are kept: its size on disk is bounded by it. */
import { Random } from '../../tensor/random.ts';

export const keptRollouts = ['all', 'sample', 'none'] as const;

/** The settings that say so. */
export interface KeptSettings {
  readonly seed: number;
  readonly rollouts: {
    readonly keep: (typeof keptRollouts)[number];
    readonly sampleGroups: number;
    readonly every: number;
  };
}

/**
 * The groups of an iteration whose rows are kept, rising; null where nothing of the iteration is. What a sample has
 * follows from the seed, and not from what was played.
 * @param iteration counted from 1
 * @param groups how many there are
 */
export function keptGroups({ seed, rollouts }: KeptSettings, iteration: number, groups: number): number[] | null {
  const { keep, sampleGroups, every } = rollouts;
  if (keep === 'none' || (iteration > 1 && iteration % every !== 0)) return null;
  const all = Array.from({ length: groups }, (_, group) => group);
  if (keep === 'all') return all;
  const drawn = new Random(seed, `kept rollouts ${iteration}`).shuffle(all).slice(0, sampleGroups);
  return drawn.sort((a, b) => a - b);
}
