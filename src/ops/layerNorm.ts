/** Layer normalisation (Ba et al., arXiv 1607.06450). */
import type { Tensor } from '../tensor/tensor.ts';
import { norm } from './norm.ts';

/**
 * (x − mean) / √(variance + epsilon) · weight + bias, mean and variance over each row.
 * @param x [rows, width]
 * @param weight [width]
 * @param bias [width]
 * @returns [rows, width]
 * @throws {ProxmoError} `shape`
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  return norm('layerNorm', { x, weight, bias, epsilon }).normed;
}

/**
 * A residual addition and the norm after it, in one pass: sum = x + residual, normed = layerNorm(sum).
 * @param x [rows, width]
 * @param residual [rows, width]
 * @param weight [width]
 * @param bias [width]
 * @returns both [rows, width]
 * @throws {ProxmoError} `shape`
 */
export function addLayerNorm(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, epsilon = 1e-5) {
  return norm('addLayerNorm', { x, residual, weight, bias, epsilon });
}
