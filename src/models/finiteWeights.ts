/** Weights that are no numbers: a model with one of them computes NaN everywhere, and learns nothing. */
import { ProxmoError } from '../base/errors.ts';
import { firstNonFinite } from '../base/finite.ts';

/** What is wrong with a tensor's values. */
export interface NonFinite {
  readonly nan: number;
  readonly infinite: number;
  /** Index of the first one, in row-major order. */
  readonly first: number;
}

/** Counts NaN and infinities; null where there are none. */
export function findNonFinite(values: Float32Array): NonFinite | null {
  const first = firstNonFinite(values);
  if (first < 0) return null;
  let [nan, infinite] = [0, 0];
  for (const value of values.subarray(first)) {
    if (Number.isNaN(value)) nan++;
    else if (!Number.isFinite(value)) infinite++;
  }
  return { nan, infinite, first };
}

/** For example `3 values that are NaN and 1 that is infinite, the first at index 7`. */
export function describeNonFinite({ nan, infinite, first }: NonFinite): string {
  const parts = [
    ...(nan > 0 ? [`${nan === 1 ? 'a value that is' : `${nan} values that are`} NaN`] : []),
    ...(infinite > 0 ? [`${infinite === 1 ? 'a value that is' : `${infinite} values that are`} infinite`] : []),
  ];
  return `${parts.join(' and ')}, ${nan + infinite === 1 ? '' : 'the first '}at index ${first}`;
}

/**
 * @param name of the tensor
 * @param where names its file or folder
 * @throws {ProxmoError} `data` if a value is NaN or infinite
 */
export function checkFinite(values: Float32Array, name: string, where: string): void {
  const found = findNonFinite(values);
  if (!found) return;
  throw new ProxmoError(
    'data',
    `${where}: the tensor ${name} has ${describeNonFinite(found)}, so nothing that the model computes is a number; ` +
      'fetch the weights again, or look at them with `proxmo model inspect --allow-nonfinite`.',
  );
}
