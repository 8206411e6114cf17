/** Packing of sequences onto one axis, and the host tables that go with it. */
import type { InputArray } from '../../kernels/spec.ts';
import type { Segments } from '../ops/attention.ts';
import { input, paddingIndex, type Tensor } from '../tensor/tensor.ts';

export { paddingIndex };

/** Symbolic inputs of a packed batch of `rows` tokens. */
export interface PackedInputs {
  readonly tokens: Tensor;
  readonly positions: Tensor;
  readonly segments: Segments;
}

/**
 * The inputs of a program that reads packed sequences.
 * @param rows tokens of all sequences, padding included
 */
export function packedInputs(rows: number): PackedInputs {
  return {
    tokens: input('tokens', [rows], 'u32'),
    positions: input('positions', [rows], 'u32'),
    segments: { segmentStart: input('segmentStart', [rows], 'u32'), segmentEnd: input('segmentEnd', [rows], 'u32') },
  };
}

export interface PackedArrays extends Readonly<Record<string, InputArray>> {
  readonly tokens: Uint32Array<ArrayBuffer>;
  readonly positions: Uint32Array<ArrayBuffer>;
  readonly segmentStart: Uint32Array<ArrayBuffer>;
  readonly segmentEnd: Uint32Array<ArrayBuffer>;
}

/**
 * Lays sequences one after another on an axis of `rows` tokens. Rows that are left over are sequences of one token
 * without an embedding.
 * @param pasts tokens of each sequence that are elsewhere: positions count on from there; 0 by default
 * @returns the input arrays, and the first row of each sequence
 */
export function packSequences(
  sequences: readonly ArrayLike<number>[],
  rows: number,
  pasts: readonly number[] = [],
): { arrays: PackedArrays; starts: number[] } {
  const arrays = {
    tokens: new Uint32Array(rows).fill(paddingIndex),
    positions: new Uint32Array(rows),
    segmentStart: Uint32Array.from({ length: rows }, (_, row) => row),
    segmentEnd: Uint32Array.from({ length: rows }, (_, row) => row + 1),
  };
  const starts: number[] = [];
  let row = 0;
  for (const [number, sequence] of sequences.entries()) {
    const past = pasts[number] ?? 0;
    const end = row + sequence.length;
    if (end > rows) throw new Error(`sequences of ${end} tokens or more do not fit ${rows} rows`);
    starts.push(row);
    arrays.tokens.set(sequence, row);
    arrays.segmentStart.fill(row, row, end);
    arrays.segmentEnd.fill(end, row, end);
    for (let index = 0; index < sequence.length; index++) arrays.positions[row + index] = past + index;
    row = end;
  }
  return { arrays, starts };
}

/**
 * Splits items, in their order, into batches whose sizes sum to at most `limit`; an item beyond the limit gets a batch
 * of its own.
 */
export function splitBySize<T>(items: readonly T[], sizeOfItem: (item: T) => number, limit: number): T[][] {
  const batches: T[][] = [];
  let room = 0;
  for (const item of items) {
    const size = sizeOfItem(item);
    if (batches.length === 0 || size > room) {
      batches.push([]);
      room = limit;
    }
    batches.at(-1)?.push(item);
    room -= size;
  }
  return batches;
}
