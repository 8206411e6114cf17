/** Largest errors of what was measured against what was expected, each kind with its tolerance. */

import type { Precision } from '../../nn/precision.ts';

/** One kind of figure. */
export interface Check {
  readonly name: string;
  /** Largest error; for tokens and texts, how many differ. */
  readonly error: number;
  readonly tolerance: number;
  readonly passed: boolean;
  /** Where the largest error is, or what differs. */
  readonly where: string;
}

/** Largest errors that pass, by kind. */
export interface Tolerances {
  readonly logits: number;
  readonly loss: number;
  readonly gradients: number;
  readonly trainingLosses: number;
}

const float32: Tolerances = { logits: 1e-4, loss: 1e-4, gradients: 1e-3, trainingLosses: 1e-3 };

/**
 * Logits relative to the largest of their row. In f32 sums are in another order, over some layers and a few steps. In
 * f16 what a product reads is off by up to 2^-11 = 4.9e-4 of itself, by chance up or down, and so is what it makes.
 */
export const tolerances: Readonly<Record<Precision, Tolerances>> = {
  f32: float32,
  f16: { logits: 1e-2, loss: 1e-3, gradients: 2e-2, trainingLosses: 2e-3 },
  // The numbers of f32: what is packed is widened as a reader of the file widens it.
  packed: float32,
};

/** An error with its place. */
export interface Difference {
  readonly error: number;
  readonly where: string;
}

/** The check of a kind of which some differences were found. NaN counts as the largest error. */
export function checkOf(name: string, differences: Iterable<Difference>, tolerance: number): Check {
  let worst: Difference = { error: 0, where: 'equal' };
  for (const difference of differences) {
    if (difference.error > worst.error || Number.isNaN(difference.error)) worst = difference;
    if (Number.isNaN(worst.error)) break;
  }
  return { name, ...worst, tolerance, passed: worst.error <= tolerance };
}

/** |got − want| / max(1, |want|): absolute for small numbers, relative for large ones. */
export function mixedError(got: number, want: number): number {
  return Math.abs(got - want) / Math.max(1, Math.abs(want));
}

/**
 * |got − want| / size; where the size is 0, the difference itself.
 * @param size of the numbers that were computed together: what rounding takes from one follows from the largest
 */
export function relativeError(got: number, want: number, size: number): number {
  return Math.abs(got - want) / (size || 1);
}

/** A list that must be equal, as tokens. */
export function equalTokens(name: string, got: readonly number[], want: readonly number[]): Check {
  const at = want.findIndex((token, index) => token !== got[index]);
  const first = at < 0 ? want.length : at;
  const differ = want.filter((token, index) => token !== got[index]).length + Math.max(0, got.length - want.length);
  const where = differ === 0 ? `${want.length} tokens equal` : `token ${first} is ${got[first]}, not ${want[first]}`;
  return { name, error: differ, tolerance: 0, passed: differ === 0, where };
}
