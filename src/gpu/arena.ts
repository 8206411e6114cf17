/**
 * Storage buffers that programs share. A program holds its intermediate values only while it runs, and runs never
 * overlap, so every program may use the same buffers. The planner asks for its slots once, when a program is compiled;
 * nothing is allocated while programs run. They are freed when the last engine and the last program have ended.
 */
import type { GpuContext } from './context.ts';

export class BufferArena {
  private buffers: readonly GPUBuffer[] = [];
  private holders = 0;

  constructor(private readonly context: GpuContext) {}

  /** Bytes held by all buffers. */
  get bytes(): number {
    return this.buffers.reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /**
   * One buffer for each size, all different. A buffer may be larger than asked for; the largest sizes choose first, so
   * that none takes what another needs.
   */
  take(sizes: readonly number[]): GPUBuffer[] {
    // Some may have turned out to be without memory.
    this.buffers = this.buffers.filter((buffer) => this.context.allocations.isLive(buffer));
    const free = new Set(this.buffers);
    const order = sizes.map((_, index) => index).sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));
    const taken: GPUBuffer[] = [];
    for (const index of order) {
      const size = sizes[index] ?? 0;
      const buffer = smallestFit(free, size) ?? this.grow(size);
      free.delete(buffer);
      taken[index] = buffer;
    }
    return taken;
  }

  /** Keeps the buffers until the function that it returns is called. */
  hold(): () => void {
    this.holders++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (--this.holders === 0) this.clear();
    };
  }

  /** Frees all buffers. Programs that were compiled before must not run again. */
  clear(): void {
    for (const buffer of this.buffers) buffer.destroy();
    this.buffers = [];
  }

  private grow(size: number): GPUBuffer {
    const buffer = this.context.createStorage(size, `arena ${this.buffers.length}`);
    this.buffers = [...this.buffers, buffer];
    return buffer;
  }
}

function smallestFit(buffers: Iterable<GPUBuffer>, size: number): GPUBuffer | undefined {
  let best: GPUBuffer | undefined;
  for (const buffer of buffers) {
    if (buffer.size >= size && (!best || buffer.size < best.size)) best = buffer;
  }
  return best;
}
