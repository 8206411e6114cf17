/** The linear layer, with weights as [out, in], in f32 or f16. */
import { matmulNtBias, matmulNtBiasHalf } from '../../kernels/matmul.ts';
import { ProxmoError } from '../errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { columnSum } from './columnSum.ts';
import { product } from './matmul.ts';

/**
 * x · weightᵀ + bias.
 * @param x [rows, in]
 * @param weight [out, in]
 * @param bias [out]
 * @returns [rows, out]
 * @throws {ProxmoError} `shape` if the shapes do not fit together
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  checkShapes(x, weight, bias);
  const [rows, inputs, outputs] = [x.dim(0), x.dim(1), weight.dim(0)];
  const y = bias
    ? launch(
        weight.dtype === 'f16' ? matmulNtBiasHalf : matmulNtBias,
        { m: rows, n: outputs, k: inputs, batch: 1, splits: 1 },
        { a: x, b: weight, bias },
        { c: [rows, outputs] },
      ).c
    : product('nt', x, weight);
  return differentiable('linear', bias ? [x, weight, bias] : [x, weight], y, (dy) => [
    x.requiresGrad ? product('nn', dy, weight) : null,
    weight.requiresGrad ? product('tn', dy, x) : null,
    ...(bias ? [bias.requiresGrad ? columnSum(dy) : null] : []),
  ]);
}

function checkShapes(x: Tensor, weight: Tensor, bias: Tensor | undefined): void {
  const fits =
    x.shape.length === 2 &&
    weight.shape.length === 2 &&
    x.dim(1) === weight.dim(1) &&
    (!bias || (bias.shape.length === 1 && bias.dim(0) === weight.dim(0)));
  if (fits) return;
  const given = [x, weight, ...(bias ? [bias] : [])].map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
  throw new ProxmoError('shape', `linear needs x [rows, in], weight [out, in] and bias [out]; it was given ${given}.`);
}
