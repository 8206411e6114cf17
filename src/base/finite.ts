/** Looks for numbers that are none: NaN, and infinities, which is what overflows leave. */

/** Index of the first value that is NaN or infinite; -1 if all are finite. */
export function firstNonFinite(values: ArrayLike<number>): number {
  // A plain loop: every weight of every model passes here. A finite number less itself is 0, and no other is.
  for (let index = 0; index < values.length; index++) if (values[index]! - values[index]! !== 0) return index;
  return -1;
}

/**
 * Hands the pieces of a tensor on, in order.
 * @param error makes what is thrown where a value is not finite, from that value and its index in the tensor
 */
export async function* finitePieces<P extends ArrayLike<number>>(
  pieces: AsyncIterable<P> | Iterable<P>,
  error: (value: number, index: number) => Error,
): AsyncGenerator<P> {
  let start = 0;
  for await (const piece of pieces) {
    const index = firstNonFinite(piece);
    if (index >= 0) throw error(piece[index]!, start + index);
    yield piece;
    start += piece.length;
  }
}
