/** What an adapter reaches in the two kernels that bound all others: matrix products for arithmetic, copies for memory. */
import { copy } from '../../kernels/copy.ts';
import { matmulNn, matmulNt, matmulTn } from '../../kernels/matmul.ts';
import { defaultVariant, type KernelSpec, type Params } from '../../kernels/spec.ts';
import { type Timing, type TimingOptions, throughput, timeKernel } from './benchmark.ts';
import type { GpuContext } from './context.ts';

/** The best of a few shapes, with the time that it took. */
export interface Ceiling {
  readonly label: string;
  readonly shape: Params;
  readonly ms: Timing;
  /** 10⁹ operations a second; absent for copies. */
  readonly gflops?: number;
  /** Bytes read plus bytes written, 10⁹ a second. */
  readonly gbps: number;
}

/**
 * Products of square matrices and of those in a small transformer's layers, and copies that no cache holds. Takes about a second.
 * @throws {ProxmoError} `gpu-error`
 */
export async function measureCeilings(
  gpu: GpuContext,
  options: TimingOptions = {},
): Promise<{ readonly matmul: Ceiling; readonly copy: Ceiling }> {
  const isCpu = gpu.profile.kind === 'cpu';
  const side = isCpu ? 512 : 2048;
  const square = { m: side, n: side, k: side, batch: 1, splits: 1 };
  const layer = { m: 2048, n: 512, k: 128, batch: 1, splits: 1 };
  const weight = { m: 512, n: 128, k: 2048, batch: 1, splits: 8 };
  const products = [
    await measureKernel(gpu, matmulNn, square, options),
    await measureKernel(gpu, matmulNt, square, options),
    await measureKernel(gpu, matmulNt, layer, options),
    await measureKernel(gpu, matmulTn, weight, options),
  ];
  return {
    matmul: products.reduce((best, next) => ((next.gflops ?? 0) > (best.gflops ?? 0) ? next : best)),
    copy: await measureKernel(gpu, copy, { count: isCpu ? 2 ** 22 : 2 ** 26 }, options),
  };
}

/** Times the default variant of a kernel. @throws {ProxmoError} `gpu-error` */
async function measureKernel<P extends Params>(
  gpu: GpuContext,
  spec: KernelSpec<P>,
  shape: P,
  options: TimingOptions = {},
): Promise<Ceiling> {
  const variant = defaultVariant(spec, gpu.profile, shape);
  const ms = await timeKernel(gpu, spec, variant, { params: shape }, options);
  return { label: `${spec.name}.${variant.label}`, shape, ms, ...throughput(spec, shape, ms.median) };
}
