/**
 * Shapes that vary are rounded up to buckets, so that a few compiled programs serve them all. Padding costs compute,
 * programs cost time to compile: eighths of a power of two waste at most an eighth.
 */
import type { Program } from '../tensor/engine.ts';

/** The smallest bucket that holds `count`: a multiple of an eighth of the next power of two, at least `minimum`. */
export function bucketSize(count: number, minimum: number): number {
  if (count <= minimum) return minimum;
  const step = Math.max(minimum, 2 ** Math.ceil(Math.log2(count)) / 8);
  return Math.ceil(count / step) * step;
}

/**
 * Values that are made once for each key. One that could not be made stays so: whoever asks for it again gets the same
 * rejection.
 */
export class Cache<T> {
  private readonly values = new Map<string, Promise<T>>();

  get(key: string, make: () => Promise<T>): Promise<T> {
    const known = this.values.get(key);
    if (known) return known;
    const value = make();
    this.values.set(key, value);
    return value;
  }

  /** Forgets everything, and returns what there was. */
  drain(): Promise<T>[] {
    const values = [...this.values.values()];
    this.values.clear();
    return values;
  }
}

/**
 * Frees programs, also those that are still being compiled. One that did not compile has nothing to free, and its error
 * went to whoever was to run it.
 */
export function destroyPrograms(programs: readonly Promise<Program>[]): void {
  for (const program of programs)
    void program.then(
      (compiled) => compiled.destroy(),
      () => undefined,
    );
}
