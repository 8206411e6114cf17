/** Matrix products of the same shape in float32, of halves, and of halves on matrix units: the fastest of each kind. */
import { findMatmul, matmulNt } from '../../../kernels/matmul.ts';
import type { MatmulParams } from '../../../kernels/matmulVariants.ts';
import { ableVariants, type RunnableKernel, type Variant } from '../../../kernels/spec.ts';
import { resultsAgree } from '../../gpu/agreement.ts';
import { KernelBench, throughput } from '../../gpu/benchmark.ts';
import type { GpuContext } from '../../gpu/context.ts';
import { raceVariants } from '../../gpu/tunerRace.ts';

export interface Product {
  readonly kind: 'f32' | 'f16' | 'f16 on matrix units';
  readonly variant: string;
  readonly ms: number;
  readonly gflops: number;
  /** Whether its result is that of the plainest variant. */
  readonly isRight: boolean;
}

function shape(m: number, n: number, k: number): MatmulParams {
  return { m, n, k, batch: 1, splits: 1 };
}

/** Squares, a layer of a transformer over a batch of tokens, and a decoding step of eight rows. */
export const productShapes = {
  cpu: [shape(256, 256, 256), shape(512, 512, 512), shape(1024, 512, 128), shape(8, 512, 512)],
  gpu: [
    shape(1024, 1024, 1024),
    shape(2048, 2048, 2048),
    shape(4096, 4096, 4096),
    shape(8192, 2048, 768),
    shape(8, 4096, 4096),
  ],
} as const satisfies Record<'cpu' | 'gpu', readonly MatmulParams[]>;

/** @throws {ProxmoError} `gpu-error`, `shape` if the device is too small for it */
export async function productsOf(
  gpu: GpuContext,
  params: MatmulParams,
): Promise<{ readonly products: Product[]; readonly broken: string[] }> {
  const half = findMatmul({ layout: 'nt', a: 'f16', b: 'f16' });
  const broken: string[] = [];
  const products: Product[] = [];
  for (const spec of [matmulNt, ...(half ? [half] : [])] as unknown as RunnableKernel[]) {
    const able = ableVariants(spec, gpu.profile, params);
    const onUnits = able.filter(({ constants }) => constants.MATRIX === true);
    for (const variants of [able.filter((variant) => !onUnits.includes(variant)), onUnits]) {
      const [first, ...others] = variants;
      if (!first) continue;
      const precision = spec === (half as unknown) ? 'f16' : 'f32';
      const kind = variants === onUnits ? 'f16 on matrix units' : precision;
      const raced = await raceVariants(
        gpu,
        spec,
        [first, ...others],
        { params },
        { onBroken: (text) => broken.push(text) },
      );
      const isRight = await agree(gpu, spec, params, raced.winner, able.at(-1)!);
      if (!isRight) broken.push(`${raced.winner.label} gives another result than ${able.at(-1)!.label}.`);
      const { gflops = 0 } = throughput(spec, params, raced.ms);
      products.push({ kind, variant: raced.winner.label, ms: raced.ms, gflops, isRight });
    }
  }
  return { products, broken };
}

async function agree(
  gpu: GpuContext,
  spec: RunnableKernel,
  params: MatmulParams,
  one: Variant,
  other: Variant,
): Promise<boolean> {
  const bench = await KernelBench.create(gpu, spec, one, { params });
  try {
    return resultsAgree(spec, await bench.run(), await (await bench.withVariant(other)).run());
  } finally {
    bench.destroy();
  }
}
