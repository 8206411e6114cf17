/** The parts of a report that measure on the device, each a list of items that stand on their own. */
import { kernels } from '../../../kernels/index.ts';
import type { AdapterProfile, KernelSpec } from '../../../kernels/spec.ts';
import { ProxmoError } from '../../base/errors.ts';
import { ceilingsOf, type MeasuredCeilings, measureCeilings } from '../../gpu/ceilings.ts';
import type { GpuContext } from '../../gpu/context.ts';
import { Profiler } from '../../gpu/profiler.ts';
import type { Ceilings } from '../../gpu/rates.ts';
import { Tuner } from '../../gpu/tuner.ts';
import { TuningCache } from '../../gpu/tuningCache.node.ts';
import { Engine } from '../../tensor/engine.ts';
import { kernelTotals } from '../../view/profile/totals.ts';
import { kernelRows } from '../bench/kernelRows.ts';
import { modelWorkloads } from '../bench/modelWorkloads.ts';
import { proximityWorkloads } from '../bench/proximityWorkload.ts';
import type { BenchRow } from '../bench/rows.ts';
import { scaleWorkloads } from '../bench/scaleWorkloads.ts';
import { type Workload, workloadRow } from '../bench/workload.ts';
import { checkKernels } from '../doctor/kernelChecks.ts';
import { ProfileSummary } from '../profile/summary.ts';
import { productShapes, productsOf } from './products.ts';
import type { Records } from './records.ts';

/** What items may use. */
export interface PartContext {
  readonly gpu: GpuContext;
  readonly version: string;
  /** What other parts have found. */
  readonly records: Records;
}

export interface Part {
  readonly name: string;
  /** Share of the time, among the parts that are still to come. */
  readonly weight: number;
  readonly items: (profile: AdapterProfile) => readonly PartItem[];
}

export interface PartItem {
  readonly name: string;
  /**
   * @returns what can be written as JSON
   * @throws {ProxmoError} what became of it otherwise; the other items go on, if the device does
   */
  readonly run: (context: PartContext) => Promise<unknown>;
}

const repeats = 5;

const ceilingPart: Part = {
  name: 'ceilings',
  weight: 1,
  items: () => [{ name: 'ceilings', run: ({ gpu }) => measureCeilings(gpu, { repeats }) }],
};

/** @param specs of the kernels, whose check is that of `proxmo doctor --kernels` */
export function kernelPart(specs: readonly KernelSpec[]): Part {
  const check = (spec: KernelSpec) => async (context: PartContext) => (await checkKernels(context.gpu, [spec]))[0];
  return { name: 'kernels', weight: 5, items: () => specs.map((spec) => ({ name: spec.name, run: check(spec) })) };
}

const productPart: Part = {
  name: 'products',
  weight: 2,
  items: ({ kind }) =>
    productShapes[kind].map((shape) => ({
      name: `m=${shape.m} n=${shape.n} k=${shape.k}`,
      run: ({ gpu }) => productsOf(gpu, shape),
    })),
};

const workloadPart: Part = {
  name: 'workloads',
  weight: 3,
  items: (profile) =>
    [...modelWorkloads, ...scaleWorkloads.filter(({ shape }) => shape === 'length=1024'), ...proximityWorkloads]
      .filter(({ isLarge, precision }) => !isLarge?.(profile) && (precision !== 'f16' || hasHalves(profile)))
      .map((workload) => ({
        name: `${workload.name} ${workload.shape} ${workload.variant}`,
        run: (context) => measureWorkload(context, workload),
      })),
};

/** The workload whose kernels the roofline shows: one that fills the device. */
const profiled = { cpu: 'train-step/tiny-gpt', gpu: 'scale/10M' } as const;

const profilePart: Part = {
  name: 'profile',
  weight: 1,
  items: ({ kind }) => [{ name: profiled[kind], run: (context) => profileWorkload(context, profiled[kind]) }],
};

const benchPart: Part = {
  name: 'bench',
  weight: 5,
  items: (profile) =>
    kernels
      .filter(({ bindings }) => hasHalves(profile) || Object.values(bindings).every(({ dtype }) => dtype !== 'f16'))
      .map((spec) => ({ name: spec.name, run: (context) => tuneAndMeasure(context, spec) })),
};

/** In the order in which they run: what a maintainer asks for first comes first. */
export const deviceParts: readonly Part[] = [
  ceilingPart,
  kernelPart(kernels),
  productPart,
  workloadPart,
  profilePart,
  benchPart,
];

function hasHalves({ features }: AdapterProfile): boolean {
  return features.has('shader-f16');
}

/** @throws {ProxmoError} `data` if they are not there, since measuring them failed */
function ceilingsIn(records: Records): Ceilings {
  const found = records.resultOf('ceilings', 'ceilings') as MeasuredCeilings | undefined;
  if (!found)
    throw new ProxmoError('data', 'The ceilings were not measured, so there is nothing to hold this against.');
  return ceilingsOf(found);
}

async function measureWorkload({ gpu, records }: PartContext, workload: Workload): Promise<BenchRow> {
  await using engine = new Engine(gpu);
  return rightRow(await workloadRow(engine, workload, ceilingsIn(records), repeats));
}

async function tuneAndMeasure({ gpu, records, version }: PartContext, spec: KernelSpec): Promise<object> {
  const broken: string[] = [];
  const cache = await TuningCache.open(gpu.adapter, version);
  const onBroken = (text: string) => broken.push(text);
  const tuner = new Tuner(gpu, [cache], { version, afresh: true, onBroken });
  const rows: BenchRow[] = [];
  for await (const row of kernelRows(gpu, spec, ceilingsIn(records), { repeats, tuner })) rows.push(rightRow(row));
  return { rows, broken };
}

/** @throws {ProxmoError} `data` if its result is wrong */
function rightRow(row: BenchRow): BenchRow {
  if (row.check !== 'wrong') return row;
  throw new ProxmoError('data', `${row.variant}, ${row.shape}: its result is wrong (${row.ms.median} ms).`);
}

/** Three runs with every dispatch timed, after one that warms up. */
async function profileWorkload({ gpu, records }: PartContext, name: string): Promise<object> {
  const ceilings = ceilingsIn(records);
  const all = [...modelWorkloads, ...scaleWorkloads];
  const workload = all.find((each) => each.name === name && /length=1(024|28)$/.test(each.shape))!;
  await using engine = new Engine(gpu);
  const open = await workload.open(engine);
  const summary = new ProfileSummary(name);
  try {
    await open.run(0);
    const profiler = new Profiler(gpu, (run) => summary.add(run));
    gpu.runner = profiler;
    for (let round = 1; round <= 3; round++) await open.run(round);
    const { cells, ...report } = summary.report({ timing: profiler.timing, ceilings, elapsed: profiler.elapsed });
    const { timing, milliseconds } = report;
    return { workload: `${name} ${workload.shape}`, timing, milliseconds, ceilings, kernels: kernelTotals(cells) };
  } finally {
    gpu.runner = null;
    open.destroy();
  }
}
