/**
 * Measures kernels: a row for each bench case, of the variant that programs use or of all that the adapter can run,
 * each checked against the kernel's reference.
 */
import {
  ableVariants,
  defaultVariant,
  type InputArray,
  type KernelCase,
  type KernelSpec,
  type Params,
  type Variant,
} from '../../../kernels/spec.ts';
import type { FloatStorage } from '../../../kernels/storage.ts';
import { type KernelResults, resultsAgree } from '../../gpu/agreement.ts';
import { KernelBench, type TimingOptions } from '../../gpu/benchmark.ts';
import type { GpuContext } from '../../gpu/context.ts';
import { type Ceilings, rates, type Work } from '../../gpu/rates.ts';
import type { Tuner } from '../../gpu/tuner.ts';
import { type BenchCase, gpuCases, inFloat64, ownCases } from './gpuCases.ts';
import { noiseOf, type QuietTiming, quietTiming } from './noise.ts';
import type { BenchRow } from './rows.ts';

/** More operations than this take JavaScript some seconds. */
const mostReferenceFlops = 5e8;

export interface KernelRowOptions extends TimingOptions {
  /** Every variant that the adapter can run; by default the one that programs use. */
  readonly allVariants?: boolean;
  /** Chooses the variant in the place of the default. */
  readonly tuner?: Tuner;
  /** In the place of the kernel's bench cases. */
  readonly cases?: readonly KernelCase[];
}

/** @throws {ProxmoError} `gpu-error` if a kernel does not compile or run */
export async function* kernelRows(
  gpu: GpuContext,
  spec: KernelSpec,
  ceilings: Ceilings,
  { allVariants = false, tuner, cases, ...timing }: KernelRowOptions,
): AsyncGenerator<BenchRow> {
  for (const benchCase of cases?.map((kernelCase): BenchCase => ({ kernelCase })) ?? casesFor(gpu, spec)) {
    const { kernelCase } = benchCase;
    const { params } = kernelCase;
    let expected: { readonly results: KernelResults; readonly from: 'reference' | 'variant' } | undefined;
    const chosen = tuner ? await tuner.tune(spec, kernelCase) : defaultVariant(spec, gpu.profile, params);
    for (const variant of allVariants ? ableVariants(spec, gpu.profile, params) : [chosen]) {
      const bench = await KernelBench.create(gpu, spec, variant, kernelCase);
      const results = await bench.run();
      expected ??= await expectedResults(gpu, spec, benchCase, bench.inputs);
      const work = workOf(spec, benchCase);
      const timed = await quietTiming(
        () => bench.time({ clock: 'device', ...timing }),
        (ms) => noiseOf(ms, rates(work, ms, ceilings).ofCeiling),
      );
      bench.destroy();
      const check = resultsAgree(spec, firstOf(results, expected.results), expected.results) ? expected.from : 'wrong';
      const row = rowOf(gpu, spec, variant, params, timed, rates(work, timed.ms, ceilings), check);
      yield { ...row, ...(tuner && variant === chosen ? await speedupOf(tuner, spec, params) : {}) };
    }
  }
}

/** Matrix products with an operand in f16 are held against the adapter's products of halves. */
function precisionOf({ name, bindings }: KernelSpec): FloatStorage {
  return name.startsWith('matmul') && Object.values(bindings).some(({ dtype }) => dtype === 'f16') ? 'f16' : 'f32';
}

function casesFor({ profile, largestBinding }: GpuContext, spec: KernelSpec): readonly BenchCase[] {
  return profile.kind === 'gpu' ? gpuCases(spec, largestBinding) : ownCases(spec);
}

/** As many of the results as there are expected ones. */
function firstOf(results: Readonly<Record<string, InputArray>>, expected: KernelResults): KernelResults {
  return Object.fromEntries(
    Object.entries(results).map(([name, values]) => [name, values.subarray(0, expected[name]?.length)]),
  );
}

async function speedupOf(tuner: Tuner, spec: KernelSpec, params: Params): Promise<Pick<BenchRow, 'speedup'>> {
  const record = await tuner.recordOf(spec, params);
  return record && record.ms < record.defaultMs ? { speedup: record.defaultMs / record.ms } : {};
}

function workOf(spec: KernelSpec, { kernelCase: { params }, flops }: BenchCase): Work {
  return { ...spec.cost(params), ...(flops === undefined ? {} : { flops }), precision: precisionOf(spec) };
}

function rowOf(
  gpu: GpuContext,
  spec: KernelSpec,
  variant: Variant,
  params: Params,
  { ms, noise }: QuietTiming,
  reached: ReturnType<typeof rates>,
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
    ...reached,
    ...(noise === null ? {} : { noise }),
    check,
  };
}

/**
 * What the case knows, or the float64 reference's results; where that would take too long, those of the plainest
 * variant, which is the last.
 */
async function expectedResults(
  gpu: GpuContext,
  spec: KernelSpec,
  { kernelCase, expected }: BenchCase,
  inputs: Readonly<Record<string, InputArray>>,
) {
  const { params } = kernelCase;
  if (expected) return { results: expected(), from: 'reference' } as const;
  if (spec.cost(params).flops <= mostReferenceFlops)
    return { results: spec.reference(inFloat64(inputs), params), from: 'reference' } as const;
  const plainest = ableVariants(spec, gpu.profile, params).at(-1);
  const bench = await KernelBench.create(gpu, spec, plainest ?? defaultVariant(spec, gpu.profile, params), kernelCase);
  const results = await bench.run();
  bench.destroy();
  return { results, from: 'variant' } as const;
}
