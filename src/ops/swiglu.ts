/** The gated activation of the MLP (Shazeer, arXiv 2002.05202). */
import type { FloatStorage } from '../../kernels/storage.ts';
import * as kernels from '../../kernels/swiglu.ts';
import { ProxmoError } from '../base/errors.ts';
import { differentiable } from '../tensor/autograd.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { storageOf } from './storage.ts';

/**
 * silu(gate) · up.
 * @param gateUp [rows, 2 · dFf]: the gate of a row, then its up projection
 * @param stored how the result is stored; in f16, so is the copy of gateUp that the backward pass reads
 * @returns [rows, dFf]
 * @throws {ProxmoError} `shape`
 */
export function swiglu(gateUp: Tensor, stored: FloatStorage = 'f32'): Tensor {
  if (gateUp.shape.length !== 2 || gateUp.dim(1) % 2 !== 0) {
    throw new ProxmoError('shape', `swiglu needs [rows, 2 · dFf]; it was given [${gateUp.shape.join(', ')}].`);
  }
  const params = { rows: gateUp.dim(0), width: gateUp.dim(1) / 2 };
  const shape = [params.rows, params.width];
  if (stored === 'f32' || !gateUp.requiresGrad) {
    const { y } = launch(kernels.swiglu[stored], params, { gateUp }, { y: shape });
    return differentiable('swiglu', [gateUp], y, (dy) => [gradient(params, dy, gateUp)]);
  }
  const { y, saved } = launch(kernels.swiglu.saved, params, { gateUp }, { y: shape, saved: gateUp.shape });
  return differentiable('swiglu', [gateUp], y, (dy) => [gradient(params, dy, saved)]);
}

function gradient(params: { readonly rows: number; readonly width: number }, dy: Tensor, gateUp: Tensor): Tensor {
  const kernel = kernels.swigluBackward[storageOf('swiglu', [gateUp])];
  return launch(kernel, params, { dy, gateUp }, { dGateUp: gateUp.shape }).dGateUp;
}
