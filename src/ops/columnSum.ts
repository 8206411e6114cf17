/** Sums over rows, for gradients of biases and for products that were summed in parts. */
import { columnSum as kernel } from '../../kernels/columnSum.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

/**
 * Sum over the rows of a matrix, in a fixed order. No gradient flows through it.
 * @param x [rows, columns]
 * @returns [columns]
 */
export function columnSum(x: Tensor): Tensor {
  const [rows, columns] = [x.dim(0), x.dim(1)];
  // √rows runs of √rows rows: as many steps in sequence in either stage.
  const run = rows > 64 ? Math.ceil(Math.sqrt(rows)) : Math.max(rows, 1);
  const runs = Math.max(1, Math.ceil(rows / run));
  const partial = launch(kernel, { rows, columns, run }, { x }, { y: [runs, columns] }).y;
  if (runs === 1) return partial.reshape([columns]);
  return launch(kernel, { rows: runs, columns, run: runs }, { x: partial }, { y: [columns] }).y;
}
