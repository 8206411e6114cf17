/** Which rows of a run are kept: its size on disk is bounded by it. */
import type { PlayedBatch } from '../../base/playedBatch.ts';
import { Random } from '../../tensor/random.ts';

export const keptRollouts = ['all', 'sample', 'none'] as const;

/** The settings that say so. */
export interface KeptSettings {
  readonly seed: number;
  readonly training: { readonly iterations: number };
  readonly evaluation: { readonly seed: number };
  readonly rollouts: {
    readonly keep: (typeof keptRollouts)[number];
    readonly sampleGroups: number;
    readonly every: number;
  };
}

/**
 * The groups whose rows are kept, rising; null where nothing of an iteration or evaluation is. What a sample has
 * follows from seeds, and not from what was played. Of held-out tasks it always has the same, whatever the seed of the
 * run, so that evaluations and runs are compared by them.
 * @param groups how many there are
 */
export function keptGroups(settings: KeptSettings, batch: PlayedBatch, groups: number): number[] | null {
  const { keep, sampleGroups } = settings.rollouts;
  if (keep === 'none' || !isKept(settings, batch)) return null;
  const all = Array.from({ length: groups }, (_, group) => group);
  if (keep === 'all') return all;
  const random =
    batch.split === 'training'
      ? new Random(settings.seed, `kept rollouts ${batch.iteration}`)
      : new Random(settings.evaluation.seed, 'kept held-out tasks');
  const drawn = random.shuffle(all).slice(0, sampleGroups);
  return drawn.sort((a, b) => a - b);
}

/** What a run begins with is kept in any case, and its last evaluation. */
function isKept({ training, rollouts }: KeptSettings, { split, iteration }: PlayedBatch): boolean {
  if (iteration % rollouts.every === 0) return true;
  return split === 'training' ? iteration === 1 : iteration === training.iterations;
}
