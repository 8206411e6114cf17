/** Mini-batches: how the turns of a pass over the data are shared out among optimiser steps. */

/**
 * Splits items, in their order, into `count` parts of about the same size, so that no step follows a gradient that is
 * much noisier than the others'; fewer parts where there are fewer items. Where every item has size 1, the parts differ
 * by one at most.
 */
export function evenParts<T>(items: readonly T[], count: number, sizeOf: (item: T) => number = () => 1): T[][] {
  const parts = Math.min(count, items.length);
  const total = items.reduce((sum, item) => sum + sizeOf(item), 0);
  let [start, taken] = [0, 0];
  return Array.from({ length: parts }, (_, part) => {
    const goal = (total * (part + 1)) / parts;
    // An item is left for each part to come.
    const last = items.length - (parts - 1 - part);
    let end = start;
    // An item goes where the larger half of it belongs.
    while (end < last && (end === start || part === parts - 1 || taken + sizeOf(items[end]!) / 2 <= goal))
      taken += sizeOf(items[end++]!);
    const own = items.slice(start, end);
    start = end;
    return own;
  });
}
