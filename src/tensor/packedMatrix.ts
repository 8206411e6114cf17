/**
 * A matrix whose values stay packed in a variable (kernels/packed.ts): products and embeddings read it, nothing else.
 */
import { type PackedType, packedRowWords } from '../../kernels/packed.ts';
import type { Shape, Tensor } from './tensor.ts';

export class PackedMatrix {
  /** `[rows, columns]`, in values. */
  readonly shape: Shape;

  /**
   * @param words u32 `[rows, words of a row]`
   * @param columns whole blocks of the type
   */
  constructor(
    readonly words: Tensor,
    readonly type: PackedType,
    columns: number,
  ) {
    this.shape = [words.dim(0), columns];
  }

  /** Rows from `first` on, in the same storage. @throws {ProxmoError} `shape` if kernels cannot bind them */
  rowsFrom(first: number, count: number): PackedMatrix {
    const [rows = 0, columns = 0] = this.shape;
    if (first === 0 && count === rows) return this;
    const pitch = packedRowWords(this.type, columns);
    return new PackedMatrix(this.words.part(first * pitch, [count, pitch]), this.type, columns);
  }
}

/** What products take as weights. */
export type Matrix = Tensor | PackedMatrix;

/** The tensor that holds a matrix: itself, or the words of a packed one, which no gradient is for. */
export function storageOfMatrix(matrix: Matrix): Tensor {
  return matrix instanceof PackedMatrix ? matrix.words : matrix;
}

/** Rows of a matrix from `first` on. @throws {ProxmoError} `shape` if kernels cannot bind them */
export function rowsOfMatrix(matrix: Matrix, first: number, count: number): Matrix {
  if (matrix instanceof PackedMatrix) return matrix.rowsFrom(first, count);
  const columns = matrix.dim(1);
  return matrix.part(first * columns, [count, columns]);
}
