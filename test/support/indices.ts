/** Indices that only the device knows: no check on the host sees them. */
import { copyU32 } from '../../kernels/copy.ts';
import { constant, launch, type Tensor } from '../../src/tensor/tensor.ts';

export function indicesOnDevice(values: readonly number[]): Tensor {
  const count = values.length;
  return launch(copyU32, { count }, { x: constant(values, [count], 'u32') }, { y: [count] }).y;
}
