/** The gated activation of the MLP (Shazeer, arXiv 2002.05202). */
import * as kernels from '../../kernels/swiglu.ts';
import { ProxmoError } from '../errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';

/**
 * silu(gate) · up.
 * @param gateUp [rows, 2 · dFf]: the gate of a row, then its up projection
 * @returns [rows, dFf]
 * @throws {ProxmoError} `shape`
 */
export function swiglu(gateUp: Tensor): Tensor {
  if (gateUp.shape.length !== 2 || gateUp.dim(1) % 2 !== 0) {
    throw new ProxmoError('shape', `swiglu needs [rows, 2 · dFf]; it was given [${gateUp.shape.join(', ')}].`);
  }
  const params = { rows: gateUp.dim(0), width: gateUp.dim(1) / 2 };
  const { y } = launch(kernels.swiglu, params, { gateUp }, { y: [params.rows, params.width] });
  return differentiable('swiglu', [gateUp], y, (dy) => [
    launch(kernels.swigluBackward, params, { dy, gateUp }, { dGateUp: gateUp.shape }).dGateUp,
  ]);
}
