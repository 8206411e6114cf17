/**
 * A matrix whose values stay packed in a variable (kernels/packed.ts): products and embeddings read it, nothing else.
 */
import { findPackedMatmul } from '../../kernels/matmulPacked.ts';
import type { MatmulForm, MatmulParams } from '../../kernels/matmulVariants.ts';
import { type PackedType, packedRowWords } from '../../kernels/packed.ts';
import type { RunnableKernel } from '../../kernels/spec.ts';
import { part } from './part.ts';
import { type Shape, Tensor } from './tensor.ts';

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

  /**
   * The kernel that multiplies a matrix in float32 with this one, if there is one. The matrix brings it along, so that
   * products do without it where nothing is packed.
   */
  kernelOfProduct({
    layout,
    bias = false,
  }: Pick<MatmulForm, 'layout' | 'bias'>): RunnableKernel<MatmulParams> | undefined {
    return layout === 'tn' ? undefined : findPackedMatmul({ layout, bias, b: this.type });
  }

  /** Rows from `first` on, in the same storage. @throws {ProxmoError} `shape` if kernels cannot bind them */
  rowsFrom(first: number, count: number): PackedMatrix {
    const [rows = 0, columns = 0] = this.shape;
    if (first === 0 && count === rows) return this;
    const pitch = packedRowWords(this.type, columns);
    return new PackedMatrix(part(this.words, first * pitch, [count, pitch]), this.type, columns);
  }
}

/** What products take as weights. */
export type Matrix = Tensor | PackedMatrix;

/** The tensor that holds a matrix: itself, or the words of a packed one, which no gradient is for. */
export function storageOfMatrix(matrix: Matrix): Tensor {
  return matrix instanceof Tensor ? matrix : matrix.words;
}

/** Rows of a matrix from `first` on. @throws {ProxmoError} `shape` if kernels cannot bind them */
export function rowsOfMatrix(matrix: Matrix, first: number, count: number): Matrix {
  if (!(matrix instanceof Tensor)) return matrix.rowsFrom(first, count);
  const columns = matrix.dim(1);
  return part(matrix, first * columns, [count, columns]);
}
