/** What was recorded of an iteration, fetched as it is asked for. */
import { computed, type ReadonlySignal } from '@preact/signals';
import type { RecordedRow, RolloutIndex } from '../../../rl/credit/record.ts';
import type { RunInfo } from '../../protocol.ts';
import { loadGroup, loadIndex } from '../store.ts';
import { type Resource, resource } from '../ui/resource.ts';

/** The index of an iteration, while it is shown. */
export function indexOf(
  run: ReadonlySignal<RunInfo | null>,
  iteration: ReadonlySignal<number | null>,
  isShown: ReadonlySignal<boolean>,
): ReadonlySignal<Resource<RolloutIndex>> {
  const wanted = computed(() =>
    run.value && iteration.value !== null && isShown.value ? `${run.value.id} ${iteration.value}` : null,
  );
  return resource(wanted, (key) => {
    const [id, number] = key.split(' ');
    return loadIndex(id!, Number(number));
  });
}

/**
 * The rows of a group of an index, while they are shown.
 * @param place of the group; -1 for none
 */
export function rowsOf(
  run: ReadonlySignal<RunInfo | null>,
  index: ReadonlySignal<Resource<RolloutIndex>>,
  place: ReadonlySignal<number>,
  isShown: ReadonlySignal<boolean>,
): ReadonlySignal<Resource<readonly RecordedRow[]>> {
  const wanted = computed(() => {
    const found = index.value.value;
    return run.value && found && place.value >= 0 && isShown.value
      ? `${run.value.id} ${found.iteration} ${place.value} ${found.time}`
      : null;
  });
  return resource(wanted, (key) => {
    const [id, , group] = key.split(' ');
    return loadGroup(id!, index.peek().value!, Number(group));
  });
}
