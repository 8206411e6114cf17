/**
 * Ops on a matrix whose rows lie in several buffers, because it is larger than a kernel can bind (`Parameter.parts`),
 * or because they are packed in several ways. Each part is an operand of its own; mostly there is one, and nothing is
 * added to the graph.
 */
import { shiftIndices } from '../../kernels/shiftIndices.ts';
import type { Matrix } from '../tensor/packedMatrix.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { columnsOf, sideBySide, startsOf } from './columns.ts';
import { add } from './elementwise.ts';
import { embedding } from './embedding.ts';
import { linear } from './linear.ts';

/** First row of each part. */
export function firstRows(parts: readonly Matrix[]): number[] {
  return startsOf(parts, 0);
}

/**
 * The embedding of each token: the sum over the parts, in all but one of which an id has no row and gives zeros.
 * @param parts `[rows of the part, dModel]` each, of the table `[vocab, dModel]`
 * @param ids u32 `[rows]`; an id of `vocab` or more gives zeros and has no gradient
 * @returns `[rows, dModel]`
 * @throws {ProxmoError} `shape`
 */
export function embeddingOfParts(parts: readonly Matrix[], ids: Tensor): Tensor {
  const starts = firstRows(parts);
  const vocab = parts.reduce((sum, part) => sum + part.shape[0]!, 0);
  return parts
    .map((part, index) => embedding(part, starts[index] === 0 ? ids : shifted(ids, starts[index]!), vocab))
    .reduce((sum, share) => add(sum, share));
}

/**
 * x · weightᵀ + bias.
 * @param x `[rows, in]`
 * @param parts `[rows of the part, in]` each, of the weight `[out, in]`
 * @param bias `[out]`
 * @returns `[rows, out]`
 * @throws {ProxmoError} `shape`
 */
export function linearOfParts(x: Tensor, parts: readonly Matrix[], bias?: Tensor): Tensor {
  const starts = firstRows(parts);
  const biasOf = (part: Matrix, start: number) => {
    if (!bias || parts.length === 1) return bias;
    return columnsOf(bias.reshape([1, bias.size]), start, part.shape[0]!).reshape([part.shape[0]!]);
  };
  return sideBySide(parts.map((part, index) => linear(x, part, biasOf(part, starts[index]!))));
}

/** Indices counted from a later row; those before it lie beyond the end. */
function shifted(ids: Tensor, start: number): Tensor {
  return launch(shiftIndices, { count: ids.size, start }, { x: ids }, { y: ids.shape }).y;
}
