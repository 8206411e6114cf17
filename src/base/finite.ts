/** Looks for numbers that are none: NaN, and infinities, which is what overflows leave. */

/** Index of the first value that is NaN or infinite; -1 if all are finite. */
export function firstNonFinite(values: ArrayLike<number>): number {
  for (let index = 0; index < values.length; index++) if (!Number.isFinite(values[index])) return index;
  return -1;
}
