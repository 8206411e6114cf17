/**
 * Shapes that vary are rounded up to buckets, so that a few compiled programs serve them all. Padding costs compute, programs cost time to compile: eighths of a power of
 * two waste at most an eighth.
 */

/** The smallest bucket that holds `count`: a multiple of an eighth of the next power of two, at least `minimum`. */
export function bucketSize(count: number, minimum: number): number {
  if (count <= minimum) return minimum;
  const step = Math.max(minimum, 2 ** Math.ceil(Math.log2(count)) / 8);
  return Math.ceil(count / step) * step;
}

/** Values that are made once for each key. */
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
