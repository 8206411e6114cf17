/** Measures kernels: a row for each bench case, of the variant that programs use or of all that the adapter can run, each checked against the kernel's reference. */
import { defaultVariant, type InputArray, type KernelCase, type KernelSpec, type Variant } from '../../../kernels/spec.ts';
import { KernelBench, type Timing, type TimingOptions } from '../../gpu/benchmark.ts';
import type { GpuContext } from '../../gpu/context.ts';
import { type BenchRow, type Ceilings, rates } from './rows.ts';

type Results = Readonly<Record<string, ArrayLike<number>>>;

/** More operations than this take JavaScript some seconds. */
const mostReferenceFlops = 5e8;
/** Bench cases are larger than those that a kernel's tolerance was chosen for. */
const toleranceFactor = 10;

export interface KernelRowOptions extends TimingOptions {
  /** Every variant that the adapter can run; by default the one that programs use. */
  readonly allVariants?: boolean;
}

/** @throws {ProxmoError} `gpu-error` if a kernel does not compile or run */
export async function* kernelRows(
  gpu: GpuContext,
  spec: KernelSpec,
  ceilings: Ceilings,
  { allVariants = false, ...timing }: KernelRowOptions,
): AsyncGenerator<BenchRow> {
  for (const kernelCase of spec.benchCases ?? spec.cases.slice(-1)) {
    const { params } = kernelCase;
    let expected: { readonly results: Results; readonly from: 'reference' | 'variant' } | undefined;
    const able = spec.variants.filter(({ requires }) => requires?.(gpu.profile, params) ?? true);
    for (const variant of allVariants ? able : [defaultVariant(spec, gpu.profile, params)]) {
      const bench = await KernelBench.create(gpu, spec, variant, kernelCase);
      const results = await bench.run();
      expected ??= await expectedResults(gpu, spec, kernelCase, bench.inputs);
      const ms = await bench.time(timing);
      bench.destroy();
      yield rowOf(gpu, spec, variant, kernelCase, ms, ceilings, agree(spec, results, expected.results) ? expected.from : 'wrong');
    }
  }
}

function rowOf(
  gpu: GpuContext,
  spec: KernelSpec,
  variant: Variant,
  { params }: KernelCase,
  ms: Timing,
  ceilings: Ceilings,
  check: BenchRow['check'],
): BenchRow {
  return {
    name: spec.name,
    shape: Object.entries(params)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
    variant: variant.label,
    adapter: gpu.adapter.name,
    ms,
    ...rates(spec.cost(params), ms, ceilings),
    check,
  };
}

/** The float64 reference's results; where it would take too long, those of the plainest variant, which is the last. */
async function expectedResults(gpu: GpuContext, spec: KernelSpec, kernelCase: KernelCase, inputs: Readonly<Record<string, InputArray>>) {
  const { params } = kernelCase;
  if (spec.cost(params).flops <= mostReferenceFlops)
    return { results: referenceResults(spec, kernelCase, inputs), from: 'reference' } as const;
  const plainest = spec.variants.findLast(({ requires }) => requires?.(gpu.profile, params) ?? true);
  const bench = await KernelBench.create(gpu, spec, plainest ?? defaultVariant(spec, gpu.profile, params), kernelCase);
  const results = await bench.run();
  bench.destroy();
  return { results, from: 'variant' } as const;
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
