/**
 * How ops store what they make. One that reads float32 stores its result in float32, or in f16 where its argument
 * `stored` says so; one that reads f16 keeps to f16. What a product makes is float32, and so is every gradient.
 */
import type { FloatStorage } from '../../kernels/storage.ts';
import { ProxmoError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** How some tensors are stored. @throws {ProxmoError} `shape` unless all are stored in f32 or all in f16 */
export function storageOf(op: string, tensors: readonly Tensor[]): FloatStorage {
  const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))];
  if (dtypes.length === 1 && (dtypes[0] === 'f32' || dtypes[0] === 'f16')) return dtypes[0];
  throw new ProxmoError(
    'shape',
    `${op} needs tensors that are all in f32 or all in f16; it was given ${dtypes.join(' and ')}.`,
  );
}
