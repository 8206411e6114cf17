/**
 * Knows the buffers of a device: what lives, who made it, how often one was made, and which the device had no memory
 * for. The steady state of training and sampling makes none.
 */
import type { ProxmoError } from '../base/errors.ts';

/** What lives on a device under one label. */
export interface Holder {
  /** As `arena 0`, a variable's name, `PROGRAM readback`. */
  readonly label: string;
  readonly buffers: number;
  readonly bytes: number;
}

export class Allocations {
  private readonly live = new Map<GPUBuffer, number>();
  private readonly failed = new WeakMap<GPUBuffer, ProxmoError>();
  private readonly open = new Set<Promise<void>>();
  private count = 0;
  private failureCount = 0;

  /** Buffers made so far. */
  get made(): number {
    return this.count;
  }

  /** Bytes of the buffers that were made and not destroyed. */
  get bytes(): number {
    let sum = 0;
    for (const size of this.live.values()) sum += size;
    return sum;
  }

  /** Who holds what, the most first. */
  get holders(): readonly Holder[] {
    const holders = new Map<string, Holder>();
    for (const [{ label }, size] of this.live) {
      const { buffers, bytes } = holders.get(label) ?? { buffers: 0, bytes: 0 };
      holders.set(label, { label, buffers: buffers + 1, bytes: bytes + size });
    }
    return [...holders.values()].sort((a, b) => b.bytes - a.bytes);
  }

  /** Whether a buffer was made here and not destroyed. */
  isLive(buffer: GPUBuffer): boolean {
    return this.live.has(buffer);
  }

  /** Whether the device has not yet said of some buffers that it has memory for them. */
  get areOpen(): boolean {
    return this.open.size > 0;
  }

  /** Buffers that there was no memory for, so far. */
  get failures(): number {
    return this.failureCount;
  }

  /** Why there is no memory for a buffer, if that is known. */
  failureOf(buffer: GPUBuffer): ProxmoError | undefined {
    return this.failed.get(buffer);
  }

  /** Waits until it is known of all buffers whether there is memory for them. */
  async settled(): Promise<void> {
    while (this.open.size > 0) await Promise.all(this.open);
  }

  /**
   * Counts a new buffer until it is destroyed.
   * @param failure says in the end why there is no memory for it; it is destroyed then
   */
  track(buffer: GPUBuffer, failure: Promise<ProxmoError | null>): GPUBuffer {
    this.count++;
    this.live.set(buffer, buffer.size);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      this.live.delete(buffer);
      return destroy();
    };
    const known = failure.then((error) => {
      this.open.delete(known);
      if (!error) return;
      this.failureCount++;
      this.failed.set(buffer, error);
      buffer.destroy();
    });
    this.open.add(known);
    return buffer;
  }

  /** Destroys all buffers that live. */
  destroy(): void {
    for (const buffer of [...this.live.keys()]) buffer.destroy();
  }
}
