/**
 * `proxmo bench`: how fast kernels and whole workloads run on an adapter, against what it reaches in matrix products
 * and copies, and against an earlier bench.
 */
import { Command } from 'commander';
import { kernels } from '../../kernels/index.ts';
import { isSupported, type KernelSpec } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { type Ceiling, ceilingsOf, measureCeilings } from '../gpu/ceilings.ts';
import type { GpuContext } from '../gpu/context.ts';
import { openDevice } from '../gpu/device.node.ts';
import type { Ceilings } from '../gpu/rates.ts';
import { Tuner } from '../gpu/tuner.ts';
import { TuningCache } from '../gpu/tuningCache.node.ts';
import { Engine } from '../tensor/engine.ts';
import { adapterOption, count, nonNegative } from './arguments.ts';
import { type Change, compareRows, readOldRows } from './bench/compare.ts';
import { environmentWorkloads } from './bench/environmentWorkloads.ts';
import { iterationWorkloads } from './bench/iterationWorkloads.ts';
import { kernelRows } from './bench/kernelRows.ts';
import { leakWorkload } from './bench/leakWorkload.ts';
import { modelWorkloads } from './bench/modelWorkloads.ts';
import { proximityWorkloads } from './bench/proximityWorkload.ts';
import { rolloutWorkloads } from './bench/rolloutWorkload.ts';
import { type BenchRow, benchCells, benchHeadings } from './bench/rows.ts';
import { scaleWorkloads } from './bench/scaleWorkloads.ts';
import { namedWork, withoutLarge } from './bench/selection.ts';
import { type Workload, workloadRow } from './bench/workload.ts';
import { standardError, standardOutput } from './output.ts';
import { ProgressLine } from './progressLine.ts';
import { formatTable } from './table.ts';

const allWorkloads: readonly Workload[] = [
  ...modelWorkloads,
  ...proximityWorkloads,
  ...rolloutWorkloads,
  ...scaleWorkloads,
  leakWorkload,
  ...environmentWorkloads,
  ...iterationWorkloads,
];

interface BenchOptions {
  readonly filter: string;
  readonly variants?: boolean;
  readonly tune?: boolean;
  readonly full?: boolean;
  readonly repeats: number;
  readonly compare?: string;
  readonly threshold: number;
  readonly adapter?: string;
  readonly json?: boolean;
}

export function benchCommand(version: string): Command {
  return new Command('bench')
    .description(
      'Time every kernel, a training step, prefill, decoding, advantages and environments; each result is checked.',
    )
    .option('--filter <text>', 'only what has this in its name, as matmul or train-step', '')
    .option('--variants', 'every variant of a kernel that the adapter can run, not only the one that programs use')
    .option('--full', 'large models and contexts too, which take a CPU minutes each')
    .option('--tune', 'measure the variants first, use the fastest, and keep what was chosen for runs with engine.tune')
    .option('--repeats <n>', 'times each is measured; the table shows the median', count, 7)
    .option('--compare <file>', 'what an earlier bench --json printed; fails if a row got slower')
    .option('--threshold <share>', 'how much slower a row may get with --compare', nonNegative, 0.2)
    .addOption(adapterOption())
    .option('--json', 'print the rows as JSON')
    .action(async (options: BenchOptions) => {
      const old = options.compare === undefined ? null : await readOldRows(options.compare);
      const work = namedWork(options.filter, kernels, allWorkloads);
      const gpu = await openDevice(options.adapter);
      try {
        const rows = await measureAll(gpu, work, options, version);
        const changes = old && compareRows(rows, old, options.threshold);
        if (options.json) standardOutput.json(rows);
        else standardOutput.print(describe(gpu, rows));
        if (changes) standardError.print(`\n${describeChanges(changes)}`);
        failIfBad(rows, changes, options.threshold);
      } finally {
        gpu.destroy();
      }
    });
}

/** What all measurements of a bench share. */
interface Bench {
  readonly gpu: GpuContext;
  readonly ceilings: Ceilings;
  readonly line: ProgressLine;
  readonly tuner: Tuner | undefined;
}

/** The ceilings first: they are part of every bench. */
async function measureAll(
  gpu: GpuContext,
  { specs, workloads }: ReturnType<typeof namedWork>,
  options: BenchOptions,
  version: string,
): Promise<BenchRow[]> {
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
    for (const spec of specs) rows.push(...(await measureKernel(bench, spec, options)));
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
  { variants = false, repeats }: BenchOptions,
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
  }))
    rows.push(row);
  return rows;
}

/**
 * On an engine of its own; what its programs shared is freed for the next. None where the workload cannot be run here,
 * which is told.
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
    gpu.arena.clear();
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

function describe(gpu: GpuContext, rows: readonly BenchRow[]): string {
  return `${gpu.adapter.name}\n${formatTable([benchHeadings, ...rows.map(benchCells)])}`;
}

function describeChanges(changes: readonly Change[]): string {
  const headings = ['compared', 'shape', 'before, ms', 'now, ms', 'ratio', ''];
  const cells = changes.map(({ row, before, ratio, isSlower }) => [
    row.name,
    row.shape,
    before.toPrecision(3),
    row.ms.median.toPrecision(3),
    ratio.toFixed(2),
    isSlower ? 'SLOWER' : '',
  ]);
  return formatTable([headings, ...cells]);
}

function failIfBad(rows: readonly BenchRow[], changes: readonly Change[] | null, threshold: number): void {
  const wrong = rows.filter(({ check }) => check === 'wrong');
  if (wrong.length > 0)
    throw new ProxmoError(
      'data',
      `${wrong.length} results are wrong, first ${wrong[0]?.name} ${wrong[0]?.shape}; do not trust this adapter.`,
    );
  const slower = (changes ?? []).filter(({ isSlower }) => isSlower);
  if (slower.length === 0) return;
  const names = [...new Set(slower.map(({ row }) => row.name))].join(', ');
  throw new ProxmoError(
    'data',
    `${slower.length} rows took over ${Math.round(100 * threshold)} % longer than before: ${names}.`,
  );
}
