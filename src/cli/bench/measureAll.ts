/** Measures what a bench is to measure: the ceilings, workloads, kernels. */
import { isSupported, type KernelCase, type KernelSpec, type Params } from '../../../kernels/spec.ts';
import { ProxmoError } from '../../base/errors.ts';
import { type Ceiling, ceilingsOf, measureCeilings } from '../../gpu/ceilings.ts';
import type { GpuContext } from '../../gpu/context.ts';
import type { Ceilings } from '../../gpu/rates.ts';
import { Tuner } from '../../gpu/tuner.ts';
import { TuningCache } from '../../gpu/tuningCache.node.ts';
import { Engine } from '../../tensor/engine.ts';
import { ProgressLine } from '../progressLine.ts';
import { kernelRows } from './kernelRows.ts';
import type { BenchRow } from './rows.ts';
import { type NamedWork, withoutLarge } from './selection.ts';
import { casesOfShapes } from './shapes.ts';
import { type Workload, workloadRow } from './workload.ts';

export interface MeasureOptions {
  readonly variants?: boolean;
  readonly tune?: boolean;
  readonly full?: boolean;
  readonly repeats: number;
  /** In the place of the kernels' own cases. */
  readonly shapes: readonly Params[];
}

/** What all measurements of a bench share. */
interface Bench {
  readonly gpu: GpuContext;
  readonly ceilings: Ceilings;
  readonly line: ProgressLine;
  readonly tuner: Tuner | undefined;
}

/** The ceilings first: they are part of every bench. @throws {ProxmoError} `usage` if a shape does not fit a kernel */
export async function measureAll(
  gpu: GpuContext,
  { specs, workloads }: NamedWork,
  options: MeasureOptions,
  version: string,
): Promise<BenchRow[]> {
  const kernelCases = specs.map((spec) =>
    options.shapes.length > 0 ? casesOfShapes(spec, options.shapes) : undefined,
  );
  const { measured, leftOut } = withoutLarge(gpu.profile, workloads, options.full ?? false);
  const line = new ProgressLine();
  try {
    line.show('ceilings', 'ceilings');
    const measuredCeilings = await measureCeilings(gpu, { repeats: options.repeats });
    const { matmul, halfMatmul, copy } = measuredCeilings;
    const rows = [
      ceilingRow(gpu, 'ceiling/matmul', matmul),
      ...(halfMatmul ? [ceilingRow(gpu, 'ceiling/matmul-f16', halfMatmul)] : []),
      ceilingRow(gpu, 'ceiling/copy', copy),
    ];
    const ceilings = ceilingsOf(measuredCeilings);
    const cache = await TuningCache.open(gpu.adapter, version, (text) => line.print(text));
    const tuner = options.tune ? startTuner(gpu, version, cache, line) : undefined;
    const bench = { gpu, ceilings, line, tuner };
    for (const workload of measured) rows.push(...(await measureWorkload(bench, workload, options.repeats)));
    for (const [index, spec] of specs.entries())
      rows.push(...(await measureKernel(bench, spec, kernelCases[index], options)));
    if (leftOut.length > 0)
      line.print(
        `left out: ${leftOut.length} that take this adapter long (--full measures all, as does a filter that fits no other)`,
      );
    if (tuner) line.print(`${cache.size} choices for this adapter are kept in ${cache.path}`);
    return rows;
  } finally {
    line.clear();
  }
}

async function measureKernel(
  { gpu, ceilings, line, tuner }: Bench,
  spec: KernelSpec,
  cases: readonly KernelCase[] | undefined,
  { variants = false, repeats }: MeasureOptions,
): Promise<BenchRow[]> {
  if (!isSupported(spec, gpu.profile)) {
    line.print(`left out: ${spec.name}, because ${gpu.adapter.name} stores no f16`);
    return [];
  }
  line.show(spec.name, spec.name);
  const rows: BenchRow[] = [];
  for await (const row of kernelRows(gpu, spec, ceilings, {
    allVariants: variants,
    repeats,
    ...(tuner ? { tuner } : {}),
    ...(cases ? { cases } : {}),
  }))
    rows.push(row);
  return rows;
}

/**
 * On an engine of its own, which is freed with all that was made through it. None where the workload cannot be run
 * here, which is told.
 */
async function measureWorkload(
  { gpu, ceilings, line, tuner }: Bench,
  workload: Workload,
  repeats: number,
): Promise<BenchRow[]> {
  const { name, shape, precision } = workload;
  if (precision === 'f16' && !gpu.profile.features.has('shader-f16')) {
    line.print(`left out: ${name} ${shape} in f16, because ${gpu.adapter.name} stores no f16`);
    return [];
  }
  line.show(name, `${name} ${shape}`);
  const engine = new Engine(gpu);
  if (tuner) engine.variantChooser = tuner;
  try {
    return [await workloadRow(engine, workload, ceilings, repeats)];
  } catch (error) {
    // The device is too small for it, or the data of an environment is not there.
    if (!(error instanceof ProxmoError && ['shape', 'file'].includes(error.code))) throw error;
    line.print(`left out: ${name} ${shape}, because ${error.message}`);
    return [];
  } finally {
    engine.destroy();
  }
}

function startTuner(gpu: GpuContext, version: string, cache: TuningCache, line: ProgressLine): Tuner {
  return new Tuner(gpu, [cache], {
    version,
    afresh: true,
    onBroken: (text) => line.print(text),
    onStart: (kernel, shape) => line.show(`tuning ${kernel}`, `tuning ${kernel} ${shape}`),
  });
}

function ceilingRow(gpu: GpuContext, name: string, { label, shape, ms, gflops, gbps }: Ceiling): BenchRow {
  const named = Object.entries(shape).map(([key, value]) => `${key}=${value}`);
  const arithmetic = gflops === undefined ? {} : { gflops };
  return {
    name,
    shape: named.join(' '),
    variant: label,
    adapter: gpu.adapter.name,
    ms,
    ...arithmetic,
    gbps,
    check: 'variant',
  };
}
