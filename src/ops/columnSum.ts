/** Sums over rows, for gradients of biases and for products that were summed in parts. */
import { columnSum as kernel, columnSumPair as pairKernel } from '../../kernels/columnSum.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

/**
 * Sum over the rows of a matrix, in a fixed order. No gradient flows through it.
 * @param x [rows, columns]
 * @returns [columns]
 */
export function columnSum(x: Tensor): Tensor {
  const [rows, columns] = [x.dim(0), x.dim(1)];
  const run = runOf(rows);
  const runs = Math.max(1, Math.ceil(rows / run));
  const { y } = launch(kernel, { rows, columns, run }, { x }, { y: runs === 1 ? [columns] : [runs, columns] });
  return runs === 1 ? y : columnSum(y);
}

/**
 * `columnSum` of two matrices of one shape, in as many launches as of one.
 * @param x [rows, columns]
 * @param x2 [rows, columns]
 * @returns both [columns]
 */
export function columnSumPair(x: Tensor, x2: Tensor): readonly [Tensor, Tensor] {
  const [rows, columns] = [x.dim(0), x.dim(1)];
  const run = runOf(rows);
  const runs = Math.max(1, Math.ceil(rows / run));
  const shape = runs === 1 ? [columns] : [runs, columns];
  const { y, y2 } = launch(pairKernel, { rows, columns, run }, { x, x2 }, { y: shape, y2: shape });
  return runs === 1 ? [y, y2] : columnSumPair(y, y2);
}

/**
 * √rows runs of √rows rows: as many steps in sequence in either stage. A few hundred rows, as partial sums have them,
 * are worth no second launch.
 */
function runOf(rows: number): number {
  return rows > 256 ? Math.ceil(Math.sqrt(rows)) : Math.max(rows, 1);
}
