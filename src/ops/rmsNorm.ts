/** Root-mean-square normalisation (Zhang and Sennrich, arXiv 1910.07467). */
import type { Tensor } from '../tensor/tensor.ts';
import { norm } from './norm.ts';

/**
 * x / √(mean(x²) + epsilon) · weight, the mean over each row.
 * @param x [rows, width]
 * @param weight [width]
 * @returns [rows, width]
 * @throws {ProxmoError} `shape`
 */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon = 1e-6): Tensor {
  return norm('rmsNorm', { x, weight, epsilon }).normed;
}

/**
 * A residual addition and the norm after it, in one pass: sum = x + residual, normed = rmsNorm(sum).
 * @param x [rows, width]
 * @param residual [rows, width]
 * @param weight [width]
 * @returns both [rows, width]
 * @throws {ProxmoError} `shape`
 */
export function addRmsNorm(x: Tensor, residual: Tensor, weight: Tensor, epsilon = 1e-6) {
  return norm('addRmsNorm', { x, residual, weight, epsilon });
}
