/**
 * How much work goes into one submit. Systems reset a GPU that works on one for too long (Windows after 2 s) and show
 * nothing meanwhile, so programs are submitted in parts of about equal time, by the cost that their kernels state.
 */
import { copy } from '../../kernels/copy.ts';
import { matmulNn } from '../../kernels/matmul.ts';
import { type Dispatch, defaultVariant, type KernelSpec, type Params } from '../../kernels/spec.ts';
import type { GpuContext } from './context.ts';
import { type GridPart, partsOfGrid } from './gridParts.ts';

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
/** Kernels reach a part of what the best of them reach: they are counted on for 1 in this many. */
const reserve = 4;

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

  /** The parts in which a dispatch is submitted; one that is all of it, mostly. */
  partsOf<P extends Params>(spec: KernelSpec<P>, params: P, grid: Dispatch): readonly GridPart[] {
    const count = Math.ceil(this.msOf(spec.cost(params)) / this.submitMs);
    return partsOfGrid(grid, grid.every((extent) => extent > 0) ? Math.max(1, count) : 1);
  }

  private async measure(): Promise<void> {
    const side = 1024;
    const product = { m: side, n: side, k: side, batch: 1, splits: 1 };
    const { gflops = assumedRate.gflops } = await this.time(matmulNn, product);
    const { gbps } = await this.time(copy, { count: 2 ** 22 });
    this.rate = { gflops: gflops / reserve, gbps: gbps / reserve };
  }

  private async time<P extends Params>(spec: KernelSpec<P>, params: P): Promise<Partial<Rate> & { gbps: number }> {
    const { context } = this;
    // Few programs come so far: what measures is loaded when one does.
    const { throughput, timeKernel } = await import('./benchmark.ts');
    const variant = defaultVariant(spec, context.profile, params);
    const { median } = await timeKernel(context, spec, variant, { params }, { batchMs: 10, repeats: 3 });
    return throughput(spec, params, median);
  }
}
