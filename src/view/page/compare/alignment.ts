/** Two lists of actions under each other, so that what is the same stands at the same place. */
import { diffArrays } from 'diff';

/** A place in both lists; null where one has nothing at it. */
export interface AlignedPlace {
  readonly first: number | null;
  readonly second: number | null;
  readonly isSame: boolean;
}

/** Places in the order of both lists. What one did in place of the other stands under it. */
export function align(first: readonly string[], second: readonly string[]): AlignedPlace[] {
  const places: AlignedPlace[] = [];
  const at = [0, 0] as [number, number];
  const open: [number[], number[]] = [[], []];
  const close = () => {
    const [a, b] = open;
    for (let index = 0; index < Math.max(a.length, b.length); index++)
      places.push({ first: a[index] ?? null, second: b[index] ?? null, isSame: false });
    open[0] = [];
    open[1] = [];
  };
  for (const { value, added, removed } of diffArrays([...first], [...second])) {
    if (!added && !removed) close();
    for (const _ of value) {
      if (removed) open[0].push(at[0]++);
      else if (added) open[1].push(at[1]++);
      else places.push({ first: at[0]++, second: at[1]++, isSame: true });
    }
  }
  close();
  return places;
}
