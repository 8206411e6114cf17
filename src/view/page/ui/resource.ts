/** What has to be fetched, as a signal. While the next is on its way the last one stays, so that nothing jumps. */
import { effect, type ReadonlySignal, signal } from '@preact/signals';

export interface Resource<V> {
  readonly value: V | null;
  readonly isLoading: boolean;
  /** Why there is none, in a sentence. */
  readonly problem: string | null;
}

/** @param key what to fetch, as a text; null for nothing */
export function resource<V>(
  key: ReadonlySignal<string | null>,
  load: (key: string) => Promise<V | null>,
): ReadonlySignal<Resource<V>> {
  const result = signal<Resource<V>>({ value: null, isLoading: false, problem: null });
  effect(() => {
    const wanted = key.value;
    if (wanted === null) {
      result.value = { value: null, isLoading: false, problem: null };
      return;
    }
    let isWanted = true;
    result.value = { ...result.peek(), isLoading: true };
    load(wanted).then(
      (value) => {
        if (isWanted) result.value = { value, isLoading: false, problem: null };
      },
      (error: Error) => {
        if (isWanted) result.value = { value: null, isLoading: false, problem: error.message };
      },
    );
    return () => {
      isWanted = false;
    };
  });
  return result;
}
