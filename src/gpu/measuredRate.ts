/** What an adapter is counted on to do, from what it reaches in a matrix product and a copy. */
import { copy } from '../../kernels/copy.ts';
import { matmulNn } from '../../kernels/matmul.ts';
import { defaultVariant, type Params, type RunnableKernel } from '../../kernels/spec.ts';
import { throughput, timeKernel } from './benchmark.ts';
import type { GpuContext } from './context.ts';
import type { Rate } from './pace.ts';

/** Kernels reach a part of what the best of them reach: they are counted on for 1 in this many. */
const reserve = 4;

/** @throws {ProxmoError} `gpu-error` */
export async function measuredRate(gpu: GpuContext): Promise<Rate> {
  const side = 1024;
  const { gflops } = await reachedBy(gpu, matmulNn, { m: side, n: side, k: side, batch: 1, splits: 1 });
  const { gbps } = await reachedBy(gpu, copy, { count: 2 ** 22 });
  return { gflops: gflops! / reserve, gbps: gbps / reserve };
}

async function reachedBy<P extends Params>(gpu: GpuContext, spec: RunnableKernel<P>, params: P) {
  const variant = defaultVariant(spec, gpu.profile, params);
  const { median } = await timeKernel(gpu, spec, variant, { params }, { batchMs: 10, repeats: 3 });
  return throughput(spec, params, median);
}
