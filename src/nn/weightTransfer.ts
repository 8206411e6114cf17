/**
 * Weights and what goes with them between a device and the host, piece by piece: the driver keeps a copy of whatever is
 * under way.
 */
import type { Engine } from '../tensor/engine.ts';

/** Elements that go to or from the device at once. */
export const pieceSize = 2 ** 22;

/** `size` elements in pieces, as ranges. */
export function* piecesOf(size: number, step = pieceSize): Generator<readonly [start: number, end: number]> {
  for (let start = 0; start < size; start += step) yield [start, Math.min(size, start + step)];
}

/** Keeps a host that writes from running ahead of the device. */
export class Pace {
  private pending = 0;

  constructor(private readonly engine: Engine) {}

  /** Counts elements that were written, and waits for the device where much is under way. */
  async wrote(count: number): Promise<void> {
    this.pending += count;
    if (this.pending < pieceSize) return;
    this.pending = 0;
    await this.engine.gpu.idle();
  }
}
