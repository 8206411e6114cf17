/**
 * `proxmo doctor`: which adapter there is, what it can do, how fast it is, what to install for a better one, and
 * whether kernels are right on it.
 */
import { Command } from 'commander';
import { kernels } from '../../kernels/index.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { type Ceiling, type MeasuredCeilings, measureCeilings } from '../gpu/ceilings.ts';
import type { GpuContext } from '../gpu/context.ts';
import { openDevice } from '../gpu/device.node.ts';
import { TuningCache } from '../gpu/tuningCache.node.ts';
import { adapterOption } from './arguments.ts';
import { checkKernels, describeFindings } from './doctor/kernelChecks.ts';
import { matrixUnitsOf } from './gpuReport/facts.ts';
import { standardOutput } from './output.ts';
import { ProgressLine } from './progressLine.ts';
import { formatTable } from './table.ts';

interface DoctorOptions {
  /** Part of the names of kernels to check; true for all. */
  readonly kernels?: string | true;
  readonly adapter?: string;
  readonly json?: boolean;
}

/** Limits that decide what fits. */
const shownLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxUniformBufferBindingSize',
] as const;

export function doctorCommand(version: string): Command {
  return new Command('doctor')
    .description(
      'Show the adapter that would be used, its features and limits, its measured speed, and what to install for a better one.',
    )
    .option(
      '--kernels [name]',
      'check every variant of every kernel, or of those with this in their names, against its reference instead',
    )
    .addOption(adapterOption())
    .option('--json', 'print as JSON')
    .action(async (options: DoctorOptions) => {
      const chosen = options.kernels === undefined ? null : kernelsNamed(options.kernels);
      const gpu = await openDevice(options.adapter);
      try {
        await (chosen === null ? showAdapter(gpu, version, options) : showKernels(gpu, chosen, options));
      } finally {
        gpu.destroy();
      }
    });
}

async function showAdapter(gpu: GpuContext, version: string, { json }: DoctorOptions): Promise<void> {
  const findings = await examine(gpu, version);
  if (json) standardOutput.json(findings);
  else standardOutput.print(describe(findings));
}

/** @throws {ProxmoError} `usage` if none has the name */
function kernelsNamed(name: string | true): readonly KernelSpec[] {
  const chosen = kernels.filter((spec) => name === true || spec.name.includes(name));
  if (chosen.length === 0)
    throw new ProxmoError('usage', `No kernel has ${name} in its name; proxmo doctor --kernels checks all.`);
  return chosen;
}

/** @throws {ProxmoError} `data` if a kernel is wrong */
async function showKernels(gpu: GpuContext, chosen: readonly KernelSpec[], { json }: DoctorOptions): Promise<void> {
  const line = new ProgressLine();
  const findings = await checkKernels(gpu, chosen, (spec) => line.show('kernels', spec.name));
  line.clear();
  if (json) standardOutput.json(findings);
  else standardOutput.print(`${gpu.adapter.name}\n${describeFindings(findings)}`);
  const wrong = findings.filter(({ problems }) => problems.length > 0);
  if (wrong.length > 0)
    throw new ProxmoError(
      'data',
      `${wrong.length} kernels are wrong, first ${wrong[0]?.kernel}; do not train on ${gpu.adapter.name}.`,
    );
}

interface Findings {
  readonly adapter: string;
  readonly vendor: string;
  readonly driver: string;
  readonly kind: 'gpu' | 'cpu';
  readonly features: readonly string[];
  /** Matrix units of the device, by the sizes that they multiply, as `f16 16x16x16 f32`: operands, m × n × k, sums. */
  readonly matrixUnits: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** The best of a few matrix products in float32, 10⁹ operations a second. */
  readonly matmulGflops: number;
  /** The same of products with operands in f16; null where the adapter stores none. */
  readonly halfMatmulGflops: number | null;
  /** Bytes read plus bytes written of a large copy, 10⁹ a second. */
  readonly copyGbps: number;
  /** What was measured for these. */
  readonly ceilings: MeasuredCeilings;
  /** Where choices of variants for this adapter are kept, how many there are, and what is wrong with the file. */
  readonly tuning: { readonly path: string; readonly choices: number; readonly problem: string | null };
  readonly advice: string;
}

async function examine(gpu: GpuContext, version: string): Promise<Findings> {
  const { name, vendor, driver, profile, limits } = gpu.adapter;
  const ceilings = await measureCeilings(gpu);
  let problem: string | null = null;
  const cache = await TuningCache.open(gpu.adapter, version, (text) => {
    problem = text;
  });
  return {
    adapter: name,
    vendor,
    driver,
    kind: profile.kind,
    features: [...profile.features],
    matrixUnits: matrixUnitsOf(profile),
    limits: Object.fromEntries(shownLimits.map((limit) => [limit, limits[limit] ?? 0])),
    matmulGflops: ceilings.matmul.gflops ?? 0,
    halfMatmulGflops: ceilings.halfMatmul?.gflops ?? null,
    copyGbps: ceilings.copy.gbps,
    ceilings,
    tuning: { path: cache.path, choices: cache.size, problem },
    advice: adviceFor(gpu),
  };
}

function adviceFor({ profile }: GpuContext): string {
  if (profile.driver === 'hardware') return 'This is a hardware GPU: nothing better is needed.';
  if (profile.driver === 'lavapipe')
    return 'This is a software driver of the system; with a GPU and its Vulkan driver, training is many times faster.';
  return [
    'This is the software driver from npm, which runs everywhere.',
    'About three times faster: a system software driver (Debian and Ubuntu: apt install mesa-vulkan-drivers libvulkan1; Debian 12 needs those of bookworm-backports).',
    'Many times faster: a GPU with its Vulkan driver.',
  ].join(' ');
}

function describe(findings: Findings): string {
  const {
    adapter,
    vendor,
    driver,
    kind,
    features,
    matrixUnits,
    limits,
    matmulGflops,
    halfMatmulGflops,
    copyGbps,
    ceilings,
    tuning,
    advice,
  } = findings;
  return [
    formatTable([
      ['adapter', adapter],
      ['vendor', vendor],
      ['driver', driver],
      ['kind', kind === 'gpu' ? 'hardware GPU' : 'software (CPU)'],
      ['matmul', `${matmulGflops.toFixed(1)} GFLOP/s`],
      ...(halfMatmulGflops === null ? [] : [['matmul of f16', `${halfMatmulGflops.toFixed(1)} GFLOP/s`]]),
      ['copy', `${copyGbps.toFixed(1)} GB/s`],
      ...Object.entries(limits).map(([limit, value]) => [limit, value.toLocaleString('en')]),
    ]),
    `features: ${features.join(', ') || 'none of those that kernels can use'}`,
    `matrix units: ${matrixUnits.join(', ') || 'none'}`,
    `measured: ${[ceilings.matmul, ceilings.halfMatmul, ceilings.copy].flatMap((each) => (each ? [describeCeiling(each)] : [])).join(', ')}`,
    `tuning: ${tuning.problem ?? describeTuning(tuning)}`,
    '',
    advice,
  ].join('\n');
}

/** What was measured: kernel, variant and shape. */
function describeCeiling({ label, shape }: Ceiling): string {
  return [label, ...Object.entries(shape).map(([name, value]) => `${name}=${value}`)].join(' ');
}

function describeTuning({ path, choices }: Findings['tuning']): string {
  return choices === 0
    ? 'nothing was tuned on this adapter; proxmo bench --tune measures it, and runs with engine.tune use it'
    : `${choices} choices for this adapter in ${path}; runs with engine.tune use them`;
}
