/** Dimensions as callers name them. */
import { ProxmoError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * A dimension's number from 0 on.
 * @param axis negative numbers count from the last
 * @throws {ProxmoError} `shape` if there is none
 */
export function axisOf(op: string, { shape }: Tensor, axis: number): number {
  const found = axis < 0 ? axis + shape.length : axis;
  if (Number.isInteger(found) && found >= 0 && found < shape.length) return found;
  throw new ProxmoError('shape', `${op}: [${shape.join(', ')}] has no dimension ${axis}.`);
}

/**
 * Some dimensions' numbers, ascending.
 * @throws {ProxmoError} `shape` if there is one that x does not have, or one twice
 */
export function axesOf(op: string, x: Tensor, axes: number | readonly number[]): readonly number[] {
  const found = [axes].flat().map((axis) => axisOf(op, x, axis));
  if (new Set(found).size !== found.length)
    throw new ProxmoError('shape', `${op}: [${[axes].flat().join(', ')}] names a dimension twice.`);
  return found.sort((a, b) => a - b);
}
