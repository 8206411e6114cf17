/** Rows of a table by index: token embeddings, and the selection of rows that need logits. */
import { gatherPackedKernels } from '../../kernels/gatherPacked.ts';
import * as kernels from '../../kernels/gatherRows.ts';
import { scatterRows as scatterKernels } from '../../kernels/scatterRows.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { type Matrix, PackedMatrix } from '../tensor/packedMatrix.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { storageOf } from './storage.ts';

/**
 * The embedding of each token.
 * @param table [vocab, dModel], f32, f16 or packed
 * @param ids u32 [rows]; an id of `vocab` or more gives zeros and has no gradient. Where the host writes them, only
 * `paddingIndex` may be beyond
 * @param vocab where the table is the first rows of a larger one: the rows of all of it
 * @returns [rows, dModel], f32; so is the table's gradient
 * @throws {ProxmoError} `shape`
 */
export function embedding(table: Matrix, ids: Tensor, vocab = table.shape[0] ?? 0): Tensor {
  return rowsOf('embedding', table, ids, vocab);
}

/**
 * Some rows of a matrix, in any order; a row may be taken several times.
 * @param x [rows, width]
 * @param indices u32 [count]; an index of `rows` or more gives zeros and has no gradient. Where the host
 * writes them, only `paddingIndex` may be beyond
 * @returns [count, width]
 * @throws {ProxmoError} `shape`
 */
export function gatherRows(x: Tensor, indices: Tensor): Tensor {
  return rowsOf('gatherRows', x, indices, x.dim(0));
}

/**
 * Puts rows into a matrix, in place; no gradient flows through it.
 * @param table [tableRows, width]
 * @param x [count, width], f32 or f16
 * @param indices u32 [count]; a row whose index is `tableRows` or more goes nowhere. No two rows may go to the same
 * place
 * @returns the matrix after the update, which later steps of the program must use
 * @throws {ProxmoError} `shape`
 */
export function scatterRows(table: Tensor, x: Tensor, indices: Tensor): Tensor {
  const params = { count: indices.size, tableRows: table.dim(0), width: table.dim(1) };
  const kernel = scatterKernels[storageOf('scatterRows', [x])];
  return launch(kernel, params, { table, x, indices }, { table: table.shape }).table;
}

function rowsOf(op: string, table: Matrix, indices: Tensor, below: number): Tensor {
  if (table.shape.length !== 2 || indices.shape.length !== 1 || indices.dtype !== 'u32') {
    const stored = table instanceof PackedMatrix ? table.type : table.dtype;
    const given = `${stored} [${table.shape.join(', ')}] and ${indices.dtype} [${indices.shape.join(', ')}]`;
    throw new ProxmoError(
      'shape',
      `${op} needs an f32 or f16 matrix [rows, width] and u32 indices [count]; it was given ${given}.`,
    );
  }
  const [tableRows, width] = table.shape as [number, number];
  const params = { count: indices.size, tableRows, width };
  if (table instanceof PackedMatrix) {
    const inputs = { table: table.words, indices };
    return launch(
      gatherPackedKernels[table.type],
      params,
      inputs,
      { y: [params.count, width] },
      { below: { indices: below } },
    ).y;
  }
  const { y } = launch(
    table.dtype === 'f16' ? kernels.gatherRowsHalf : kernels.gatherRows,
    params,
    { table, indices },
    { y: [params.count, width] },
    { below: { indices: below } },
  );
  return differentiable(op, [table], y, (dy) => {
    const { count } = params;
    const { head, next } = launch(
      kernels.gatherRowsLists,
      { count, tableRows },
      { indices },
      { head: [tableRows], next: [count] },
    );
    return [launch(kernels.gatherRowsBackward, params, { dy, head, next }, { dTable: table.shape }).dTable];
  });
}
