/** The linear layer, with weights as [out, in]. */
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { type Matrix, storageOfMatrix } from '../tensor/packedMatrix.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { columnSum } from './columnSum.ts';
import { matmulKernelFor, product } from './matmul.ts';

/**
 * x · weightᵀ + bias. Where x or the weight is stored in f16, both are multiplied as f16 (kernels/matmul.ts), and so
 * are their gradients' products; y, its gradient and all sums are float32.
 * @param x [rows, in], f32 or f16
 * @param weight [out, in], f32 or f16; f32 with a bias only if x is f32 too; or packed where x is f32, and then no
 * gradient is for it
 * @param bias [out]
 * @returns [rows, out]
 * @throws {ProxmoError} `shape` if the shapes do not fit together, or if no kernel multiplies operands that are stored
 * so
 */
export function linear(x: Tensor, weight: Matrix, bias?: Tensor): Tensor {
  checkShapes(x, weight, bias);
  const [rows, inputs, outputs] = [x.dim(0), x.dim(1), weight.shape[0]!];
  const stored = storageOfMatrix(weight);
  const y = bias
    ? launch(
        matmulKernelFor({ layout: 'nt', bias: true }, x, weight),
        { m: rows, n: outputs, k: inputs, batch: 1, splits: 1 },
        { a: x, b: stored, bias },
        { c: [rows, outputs] },
      ).c
    : product('nt', x, weight);
  return differentiable('linear', bias ? [x, stored, bias] : [x, stored], y, (dy) => [
    x.requiresGrad ? product('nn', dy, weight) : null,
    stored.requiresGrad ? product('tn', dy, x) : null,
    ...(bias ? [bias.requiresGrad ? columnSum(dy) : null] : []),
  ]);
}

function checkShapes(x: Tensor, weight: Matrix, bias: Tensor | undefined): void {
  const fits =
    x.shape.length === 2 &&
    weight.shape.length === 2 &&
    x.dim(1) === weight.shape[1] &&
    (!bias || (bias.shape.length === 1 && bias.dim(0) === weight.shape[0]));
  if (fits) return;
  const given = [x, weight, ...(bias ? [bias] : [])].map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
  throw new ProxmoError('shape', `linear needs x [rows, in], weight [out, in] and bias [out]; it was given ${given}.`);
}
