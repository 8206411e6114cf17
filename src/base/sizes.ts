/** Sizes in words. */

/** Bytes as MiB, with one digit after the point. */
export function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
