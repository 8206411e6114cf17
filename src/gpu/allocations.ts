/**
 * Counts the buffers of a device: what lives, and how often one was made. The steady state of training and sampling
 * makes none.
 */
export class Allocations {
  private readonly live = new Map<GPUBuffer, number>();
  private count = 0;

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

  /** Whether a buffer was made here and not destroyed. */
  isLive(buffer: GPUBuffer): boolean {
    return this.live.has(buffer);
  }

  /** Counts a new buffer until it is destroyed. */
  track(buffer: GPUBuffer): GPUBuffer {
    this.count++;
    this.live.set(buffer, buffer.size);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      this.live.delete(buffer);
      return destroy();
    };
    return buffer;
  }
}
