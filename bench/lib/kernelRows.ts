/** Measures kernels: one row for each bench case and variant that the adapter can run, each checked against the kernel's reference. */
import { defaultVariant, type InputArray, type KernelCase, type KernelSpec, kernelLabel, type Variant } from '../../kernels/spec.ts';
import { KernelBench, type Timing, throughput } from '../../src/gpu/benchmark.ts';
import type { GpuContext } from '../../src/gpu/context.ts';

export interface KernelRow {
  /** The kernel's name, and the whole label of the variant. */
  readonly name: string;
  readonly variant: string;
  /** Whether programs use this variant on this adapter for this shape. */
  readonly default: boolean;
  /** The case's parameters, as `m=64 n=64`. */
  readonly shape: string;
  readonly adapter: string;
  readonly ms: Timing;
  readonly gflops?: number;
  readonly gbps?: number;
  /** `reference` if the result is that of the float64 reference, `variant` if that of the case's first variant (for cases too large for the reference), else `wrong`. */
  readonly check: 'reference' | 'variant' | 'wrong';
}

type Results = Readonly<Record<string, ArrayLike<number>>>;

/** More operations than this take JavaScript some seconds. */
const mostReferenceFlops = 5e8;
/** Bench cases are larger than those that a kernel's tolerance was chosen for. */
const toleranceFactor = 10;

/** @param defaults only the variant that programs use */
export async function* measureKernel(gpu: GpuContext, spec: KernelSpec, defaults: boolean): AsyncGenerator<KernelRow> {
  for (const kernelCase of spec.benchCases ?? spec.cases.slice(-1)) {
    const { params } = kernelCase;
    let expected: { readonly results: Results; readonly from: 'reference' | 'variant' } | undefined;
    const able = spec.variants.filter(({ requires }) => requires?.(gpu.profile, params) ?? true);
    for (const variant of defaults ? [defaultVariant(spec, gpu.profile, params)] : able) {
      const bench = await KernelBench.create(gpu, spec, variant, kernelCase);
      const results = await bench.run();
      expected ??=
        spec.cost(params).flops <= mostReferenceFlops
          ? { results: referenceResults(spec, kernelCase, bench.inputs), from: 'reference' }
          : { results, from: 'variant' };
      const ms = await bench.time();
      bench.destroy();
      yield rowOf(gpu, spec, variant, kernelCase, ms, agree(spec, results, expected.results) ? expected.from : 'wrong');
    }
  }
}

function rowOf(
  gpu: GpuContext,
  spec: KernelSpec,
  variant: Variant,
  { params }: KernelCase,
  ms: Timing,
  check: KernelRow['check'],
): KernelRow {
  return {
    name: spec.name,
    variant: kernelLabel(spec, variant),
    default: defaultVariant(spec, gpu.profile, params) === variant,
    shape: Object.entries(params)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
    adapter: gpu.adapter.name,
    ms,
    ...throughput(spec, params, ms.median),
    check,
  };
}

function referenceResults(spec: KernelSpec, { params }: KernelCase, inputs: Readonly<Record<string, InputArray>>): Results {
  return spec.reference(Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, Float64Array.from(values)])), params);
}

function agree(spec: KernelSpec, results: Results, expected: Results): boolean {
  const { absolute, relative } = spec.tolerance;
  return Object.entries(results).every(([name, got]) => {
    const want = expected[name];
    if (want?.length !== got.length) return false;
    for (let i = 0; i < got.length; i++) {
      const [a, b] = [got[i]!, want[i]!];
      if (!(Math.abs(a - b) <= toleranceFactor * (absolute + relative * Math.abs(b))) && !(Number.isNaN(a) && Number.isNaN(b)))
        return false;
    }
    return true;
  });
}
