/** What was recorded of an iteration or an evaluation, fetched as it is asked for. */
import { computed, type ReadonlySignal } from '@preact/signals';
import type { PlayedBatch, RolloutSplit } from '../../../base/playedBatch.ts';
import type { RunInfo } from '../../protocol.ts';
import { type AnyIndex, type AnyRow, loadGroup, loadIndex } from '../store.ts';
import { type Resource, resource } from '../ui/resource.ts';

/** The index of what was played together, while it is shown. */
export function indexOf(
  run: ReadonlySignal<RunInfo | null>,
  batch: ReadonlySignal<PlayedBatch | null>,
  isShown: ReadonlySignal<boolean>,
): ReadonlySignal<Resource<AnyIndex>> {
  const wanted = computed(() =>
    run.value && batch.value && isShown.value ? `${run.value.id} ${batch.value.split} ${batch.value.iteration}` : null,
  );
  return resource(wanted, (key) => {
    const [id, split, iteration] = key.split(' ');
    return loadIndex(id!, { split: split as RolloutSplit, iteration: Number(iteration) });
  });
}

/**
 * The rows of a group of an index, while they are shown.
 * @param place of the group; -1 for none
 */
export function rowsOf(
  run: ReadonlySignal<RunInfo | null>,
  index: ReadonlySignal<Resource<AnyIndex>>,
  place: ReadonlySignal<number>,
  isShown: ReadonlySignal<boolean>,
): ReadonlySignal<Resource<readonly AnyRow[]>> {
  const wanted = computed(() => {
    const found = index.value.value;
    if (!run.value || !found || place.value < 0 || !isShown.value) return null;
    return `${run.value.id} ${splitOf(found)} ${found.iteration} ${place.value} ${found.time}`;
  });
  return resource(wanted, (key) => {
    const [id, split, iteration, group] = key.split(' ');
    const batch = { split: split as RolloutSplit, iteration: Number(iteration) };
    return loadGroup(id!, batch, index.peek().value!.groups[Number(group)]?.rows);
  });
}

/** What an index is of. */
export function splitOf(index: AnyIndex): RolloutSplit {
  return 'levels' in index ? 'training' : 'held-out';
}
