/**
 * Where the parameters of a slab lie, and how a slab that is larger than a buffer may be is cut into pieces. Parameters
 * lie one after another; a matrix that no piece can hold is cut into parts of whole rows. Where something lies in the
 * slab does not depend on the cuts, so that checkpoints fit devices of all sizes.
 */
import { ProxmoError } from '../base/errors.ts';
import { type Shape, sizeOf } from './tensor.ts';

/** A run of elements that one GPU buffer holds. */
export interface Piece {
  readonly start: number;
  readonly size: number;
}

/** Rows of a parameter that lie in one piece; a parameter that is small enough is one part. */
export interface LaidPart {
  /** First element within the slab; a multiple of `partAlignment`. */
  readonly offset: number;
  readonly shape: Shape;
}

/**
 * Parts start at multiples of this many elements: of 256 bytes also in f16, the alignment every device accepts for a
 * binding.
 */
export const partAlignment = 128;

/** Elements from the start of a part to the next. */
export function paddedSize(shape: Shape): number {
  return Math.ceil(sizeOf(shape) / partAlignment) * partAlignment;
}

/**
 * The parts of a parameter: as few as can be, of about equal size, each of a number of rows that fills whole multiples
 * of `partAlignment`.
 * @param largest elements of a piece at most
 * @throws {ProxmoError} `shape` if it cannot be cut that small
 */
export function partsOf(name: string, shape: Shape, offset: number, largest: number): LaidPart[] {
  if (paddedSize(shape) <= largest) return [{ offset, shape }];
  const [rows = 0, ...rest] = shape;
  const width = sizeOf(rest);
  const step = partAlignment / greatestDivisor(width, partAlignment);
  const most = Math.floor(largest / (width * step)) * step;
  if (rest.length === 0 || most === 0) {
    const least = rest.length === 0 ? sizeOf(shape) : width * step;
    throw new ProxmoError(
      'shape',
      `the parameter ${name} of shape [${shape.join(', ')}] needs a buffer of ${least} elements at least, but ${largest} are allowed; use a smaller model or another adapter.`,
    );
  }
  const count = Math.ceil(rows / most);
  const height = Math.min(most, Math.ceil(rows / count / step) * step);
  return Array.from({ length: Math.ceil(rows / height) }, (_, index) => {
    const first = index * height;
    return { offset: offset + first * width, shape: [Math.min(height, rows - first), ...rest] };
  });
}

/**
 * Packs parts, in their order and without gaps, into as few pieces as hold `largest` elements at most. An empty slab is
 * one empty piece.
 */
export function packPieces(parts: readonly LaidPart[], largest: number): Piece[] {
  const pieces: Piece[] = [];
  for (const { offset, shape } of parts) {
    const size = paddedSize(shape);
    const last = pieces.at(-1);
    if (last && last.size + size <= largest) pieces[pieces.length - 1] = { start: last.start, size: last.size + size };
    else pieces.push({ start: offset, size });
  }
  return pieces.length > 0 ? pieces : [{ start: 0, size: 0 }];
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
