/** What keys do. A view says which it takes; the page shows them all under `?`. */
import { useLayoutEffect } from 'preact/hooks';

export interface KeyBinding {
  readonly keys: readonly string[];
  readonly what: string;
  readonly run: () => void;
}

const bound = new Set<readonly KeyBinding[]>();

/** Everything that has a key now. */
export function bindings(): readonly KeyBinding[] {
  return [...bound].flat();
}

/** Binds keys while a component is on the page. */
export function useKeys(keys: readonly KeyBinding[]): void {
  // As soon as a view is there: a key that is pressed before it has been painted counts.
  useLayoutEffect(() => {
    bound.add(keys);
    return () => {
      bound.delete(keys);
    };
  });
}

/** What is a step on from a place in a list, which ends at its ends; from -1 its first. Undefined where it is empty. */
export function stepFrom<T>(list: readonly T[], at: number, step: number): T | undefined {
  return list[Math.max(0, Math.min(list.length - 1, at + step))];
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target as HTMLElement;
  const isWriting = target.matches('input:not([type=range]):not([type=checkbox]), textarea, select');
  if (isWriting) {
    if (event.key === 'Escape') target.blur();
    return;
  }
  const isRange = target.matches('input[type=range]');
  if (isRange && event.key.startsWith('Arrow')) return;
  // The view that came last is the one on top.
  const found = bindings().findLast(({ keys }) => keys.includes(event.key));
  if (!found) return;
  event.preventDefault();
  found.run();
});
