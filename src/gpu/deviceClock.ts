/**
 * Times command buffers by the device's own clock: from the start of their first pass to the end of their last. What
 * the host takes to submit and to wait is not in it.
 */
import { readBuffer } from './commands.ts';
import type { GpuContext } from './context.ts';

/** A pass's own timestamps: it may begin the time, end it, or both. */
export type PassStamps = (isFirst: boolean, isLast: boolean) => GPUComputePassTimestampWrites | undefined;

export class DeviceClock {
  private readonly querySet: GPUQuerySet;
  private readonly resolved: GPUBuffer;

  /** For devices with `timestamp-query`. */
  constructor(private readonly gpu: GpuContext) {
    this.querySet = gpu.device.createQuerySet({ type: 'timestamp', count: 2 });
    this.resolved = gpu.createBuffer(16, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC, 'timestamps');
  }

  /** Whether a device has such a clock. */
  static isOn({ profile }: GpuContext): boolean {
    return profile.features.has('timestamp-query');
  }

  readonly stamps: PassStamps = (isFirst, isLast) =>
    isFirst || isLast
      ? {
          querySet: this.querySet,
          ...(isFirst ? { beginningOfPassWriteIndex: 0 } : {}),
          ...(isLast ? { endOfPassWriteIndex: 1 } : {}),
        }
      : undefined;

  /** Milliseconds between the stamps, once the passes that have them are submitted. */
  async read(): Promise<number> {
    this.gpu.issue(() => {
      const encoder = this.gpu.device.createCommandEncoder({ label: 'timestamps' });
      encoder.resolveQuerySet(this.querySet, 0, 2, this.resolved, 0);
      this.gpu.device.queue.submit([encoder.finish()]);
    });
    const [from = 0n, to = 0n] = new BigUint64Array(
      await readBuffer(this.gpu, { buffer: this.resolved, offset: 0, size: 16 }),
    );
    return Number(to - from) / 1e6;
  }

  destroy(): void {
    this.querySet.destroy();
    this.resolved.destroy();
  }
}
