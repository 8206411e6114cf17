/**
 * What one knows of homes before one has looked around: which places have doors, and where it is of little use to look
 * for what.
 */

/**
 * Kinds of places with doors: a room has one of each of the first, and many of the others, which are the last to look
 * into.
 */
const STEPS: Readonly<Record<string, number>> = { fridge: 2, microwave: 2, safe: 2, cabinet: 3, drawer: 3 };

const FOOD: ReadonlySet<string> = new Set(['apple', 'bread', 'egg', 'lettuce', 'potato', 'tomato']);
const WITHOUT_FOOD: ReadonlySet<string> = new Set([
  'cabinet',
  'drawer',
  'shelf',
  'stoveburner',
  'coffeemachine',
  'toaster',
]);

/** How late to look for a kind of thing in a kind of place. */
export function searchRank(thing: string, place: string): number {
  const unlikely = FOOD.has(thing) && WITHOUT_FOOD.has(place);
  return (STEPS[place] ?? 1) + (unlikely ? 10 : 0);
}
