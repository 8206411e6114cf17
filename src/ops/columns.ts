/** Columns of matrices: matrices side by side, and some columns of one. */
import * as kernels from '../../kernels/addColumns.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable, filled } from '../tensor/autograd.ts';
import { launch, scratch, type Tensor } from '../tensor/tensor.ts';

/**
 * Matrices side by side; one alone is returned as it is.
 * @param parts `[rows, columns]`, with columns of their own
 * @returns `[rows, sum of columns]`
 * @throws {ProxmoError} `shape` if their rows differ
 */
export function sideBySide(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  const rows = first?.dim(0) ?? 0;
  if (!first || parts.some(({ shape }) => shape.length !== 2 || shape[0] !== rows)) {
    const given = parts.map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
    throw new ProxmoError(
      'shape',
      `sideBySide needs matrices with the same number of rows; it was given ${given || 'none'}.`,
    );
  }
  if (parts.length === 1) return first;
  const starts = startsOf(parts, 1);
  const width = starts.at(-1)! + parts.at(-1)!.dim(1);
  const y = parts.reduce(
    (total, part, index) => {
      const params = { count: part.size, columns: part.dim(1), width, start: starts[index]!, factor: 1 };
      return launch(kernels.setColumns, params, { part, total }, { total: [rows, width] }).total;
    },
    scratch([rows, width]),
  );
  return differentiable('sideBySide', parts, y, (dy) =>
    parts.map((part, index) => (part.requiresGrad ? taken(dy, starts[index]!, part.dim(1)) : null)),
  );
}

/**
 * Some columns of a matrix.
 * @param x `[rows, width]`
 * @returns `[rows, columns]`
 * @throws {ProxmoError} `shape` if they are not within it
 */
export function columnsOf(x: Tensor, start: number, columns: number): Tensor {
  const [rows, width] = [x.dim(0), x.dim(-1)];
  if (x.shape.length !== 2 || start < 0 || start + columns > width)
    throw new ProxmoError(
      'shape',
      `columns ${start} to ${start + columns} are not within a matrix of shape [${x.shape.join(', ')}].`,
    );
  return differentiable('columnsOf', [x], taken(x, start, columns), (dy) => {
    const zeros = filled([rows, width], 0);
    const params = { count: dy.size, columns, width, start, factor: 1 };
    return [launch(kernels.setColumns, params, { part: dy, total: zeros }, { total: [rows, width] }).total];
  });
}

function taken(total: Tensor, start: number, columns: number): Tensor {
  const [rows, width] = [total.dim(0), total.dim(1)];
  const params = { count: rows * columns, columns, width, start, factor: 1 };
  return launch(kernels.takeColumns, params, { total }, { part: [rows, columns] }).part;
}

/** Where each of some tensors starts when they are joined along an axis. */
export function startsOf(parts: readonly Pick<Tensor, 'shape'>[], axis: number): number[] {
  let end = 0;
  return parts.map((part) => {
    const start = end;
    end += part.shape.at(axis)!;
    return start;
  });
}
