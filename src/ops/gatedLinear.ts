/** The gated activations of the MLP (Shazeer, arXiv 2002.05202). */
import { geglu as gegluKernels, swiglu as swigluKernels } from '../../kernels/gatedLinear.ts';
import type { FloatStorage } from '../../kernels/storage.ts';
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
  return gated('swiglu', swigluKernels, gateUp, stored);
}

/** gelu(gate) · up, with GELU in its tanh form; parameters and errors as for `swiglu`. */
export function geglu(gateUp: Tensor, stored: FloatStorage = 'f32'): Tensor {
  return gated('geglu', gegluKernels, gateUp, stored);
}

function gated(op: string, kernels: typeof swigluKernels, gateUp: Tensor, stored: FloatStorage): Tensor {
  if (gateUp.shape.length !== 2 || gateUp.dim(1) % 2 !== 0) {
    throw new ProxmoError('shape', `${op} needs [rows, 2 · dFf]; it was given [${gateUp.shape.join(', ')}].`);
  }
  const params = { rows: gateUp.dim(0), width: gateUp.dim(1) / 2 };
  const shape = [params.rows, params.width];
  const gradient = (dy: Tensor, read: Tensor) => {
    const kernel = kernels.backward[storageOf(op, [read])];
    return launch(kernel, params, { dy, gateUp: read }, { dGateUp: read.shape }).dGateUp;
  };
  if (stored === 'f32' || !gateUp.requiresGrad) {
    const { y } = launch(kernels[stored], params, { gateUp }, { y: shape });
    return differentiable(op, [gateUp], y, (dy) => [gradient(dy, gateUp)]);
  }
  const { y, saved } = launch(kernels.saved, params, { gateUp }, { y: shape, saved: gateUp.shape });
  return differentiable(op, [gateUp], y, (dy) => [gradient(dy, saved)]);
}
