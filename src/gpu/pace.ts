/**
 * How much work goes into one submit. Systems reset a GPU that works on one for too long (Windows after 2 s) and show
 * nothing meanwhile, so programs are submitted in parts of about equal time, by the cost that their kernels state.
 */
import type { GpuContext } from './context.ts';

/** What an adapter is counted on to do: 10⁹ operations and 10⁹ bytes a second. */
export interface Rate {
  readonly gflops: number;
  readonly gbps: number;
}

/** Arithmetic operations, and bytes moved. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** Of a weak GPU, until it is measured; a CPU is not limited but in tests. */
const assumedRate: Rate = { gflops: 50, gbps: 10 };
/** Most milliseconds of a submit. */
const submitMs = { gpu: 75, cpu: Number.POSITIVE_INFINITY } as const;

export class Pace {
  /** Most milliseconds of a submit, as estimated: to be changed to try what a slow adapter does. */
  submitMs: number;
  /** To be set where it is known; it is measured when it first matters. */
  rate: Rate | null = null;
  private measuring: Promise<void> | null = null;

  constructor(private readonly context: GpuContext) {
    this.submitMs = submitMs[context.profile.kind];
  }

  /** Measures the adapter, where that decides how so much work is submitted. @throws {ProxmoError} `gpu-error` */
  async prepareFor(costs: readonly Cost[]): Promise<void> {
    if (this.rate || costs.reduce((sum, cost) => sum + this.msOf(cost), 0) <= this.submitMs) return;
    this.measuring ??= this.measure();
    await this.measuring;
  }

  /** Milliseconds that work should not exceed. */
  msOf({ flops, bytes }: Cost): number {
    const { gflops, gbps } = this.rate ?? assumedRate;
    return Math.max(flops / gflops, bytes / gbps) / 1e6;
  }

  /** In how many parts a dispatch is submitted, if it can be divided; mostly in one. */
  partsOf(cost: Cost): number {
    return Math.max(1, Math.ceil(this.msOf(cost) / this.submitMs));
  }

  private async measure(): Promise<void> {
    // Few programs come so far: what measures is loaded when one does.
    const { measuredRate } = await import('./measuredRate.ts');
    this.rate = await measuredRate(this.context);
  }
}
