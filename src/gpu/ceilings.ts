/**
 * What an adapter reaches in the kernels that bound all others: matrix products for arithmetic, in float32 and of
 * halves, and copies for memory.
 */
import { copy } from '../../kernels/copy.ts';
import { findMatmul, matmulNn, matmulNt, matmulTn } from '../../kernels/matmul.ts';
import { defaultVariant, isSupported, type Params, type RunnableKernel } from '../../kernels/spec.ts';
import { type Timing, type TimingOptions, throughput, timeKernel } from './benchmark.ts';
import type { GpuContext } from './context.ts';
import type { Ceilings } from './rates.ts';

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

export interface MeasuredCeilings {
  readonly matmul: Ceiling;
  /** Products of operands that are stored in f16; null where the adapter stores none. */
  readonly halfMatmul: Ceiling | null;
  readonly copy: Ceiling;
}

/** Sides of square matrices, and elements of a copy that no cache holds. */
const sizes = { cpu: { sides: [512], copied: 2 ** 22 }, gpu: { sides: [2048, 4096], copied: 2 ** 26 } } as const;

/**
 * Products of square matrices and of those in a small transformer's layers, and copies that no cache holds. Takes about
 * a second on a CPU, some seconds on a GPU.
 * @throws {ProxmoError} `gpu-error`
 */
export async function measureCeilings(gpu: GpuContext, options: TimingOptions = {}): Promise<MeasuredCeilings> {
  const { sides, copied } = sizes[gpu.profile.kind];
  const squares = sides.map((side) => ({ m: side, n: side, k: side, batch: 1, splits: 1 }));
  const layer = { m: 2048, n: 512, k: 128, batch: 1, splits: 1 };
  const weight = { m: 512, n: 128, k: 2048, batch: 1, splits: 8 };
  const half = findMatmul({ layout: 'nt', a: 'f16', b: 'f16' });
  const products: Ceiling[] = [];
  for (const square of squares) {
    products.push(
      await measureKernel(gpu, matmulNn, square, options),
      await measureKernel(gpu, matmulNt, square, options),
    );
  }
  products.push(
    await measureKernel(gpu, matmulNt, layer, options),
    await measureKernel(gpu, matmulTn, weight, options),
  );
  const halves: Ceiling[] = [];
  if (half && isSupported(half, gpu.profile))
    for (const square of squares) halves.push(await measureKernel(gpu, half, square, options));
  return {
    matmul: fastest(products)!,
    halfMatmul: fastest(halves),
    copy: await measureKernel(gpu, copy, { count: copied }, options),
  };
}

/** What rates are held against. */
export function ceilingsOf({ matmul, halfMatmul, copy }: MeasuredCeilings): Ceilings {
  return {
    gflops: matmul.gflops ?? 0,
    ...(halfMatmul?.gflops === undefined ? {} : { halfGflops: halfMatmul.gflops }),
    gbps: copy.gbps,
  };
}

function fastest(products: readonly Ceiling[]): Ceiling | null {
  return products.reduce<Ceiling | null>(
    (best, next) => (best && (best.gflops ?? 0) >= (next.gflops ?? 0) ? best : next),
    null,
  );
}

/** Times the default variant of a kernel. @throws {ProxmoError} `gpu-error` */
async function measureKernel<P extends Params>(
  gpu: GpuContext,
  spec: RunnableKernel<P>,
  shape: P,
  options: TimingOptions = {},
): Promise<Ceiling> {
  const variant = defaultVariant(spec, gpu.profile, shape);
  const ms = await timeKernel(gpu, spec, variant, { params: shape }, options);
  return { label: `${spec.name}.${variant.label}`, shape, ms, ...throughput(spec, shape, ms.median) };
}
