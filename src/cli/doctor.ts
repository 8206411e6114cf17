/** `proxmo doctor`: which adapter there is, what it can do, how fast it is, and what to install for a better one. */
import { Command } from 'commander';
import { type Ceiling, measureCeilings } from '../gpu/ceilings.ts';
import type { GpuContext } from '../gpu/context.ts';
import { openDevice } from '../gpu/device.node.ts';
import { TuningCache } from '../gpu/tuningCache.node.ts';
import { formatTable } from './table.ts';

interface DoctorOptions {
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
    .description('Show the adapter that would be used, its features and limits, its measured speed, and what to install for a better one.')
    .option('--adapter <name>', 'hardware, software, swiftshader, or part of an adapter name (default: the best there is)')
    .option('--json', 'print as JSON')
    .action(async ({ adapter, json }: DoctorOptions) => {
      const gpu = await openDevice(adapter);
      try {
        const findings = await examine(gpu, version);
        process.stdout.write(json ? `${JSON.stringify(findings, null, 2)}\n` : `${describe(findings)}\n`);
      } finally {
        gpu.destroy();
      }
    });
}

interface Findings {
  readonly adapter: string;
  readonly vendor: string;
  readonly driver: string;
  readonly kind: 'gpu' | 'cpu';
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** The best of a few matrix products in float32, 10⁹ operations a second. */
  readonly matmulGflops: number;
  /** Bytes read plus bytes written of a large copy, 10⁹ a second. */
  readonly copyGbps: number;
  /** What was measured for these two. */
  readonly ceilings: { readonly matmul: Ceiling; readonly copy: Ceiling };
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
    limits: Object.fromEntries(shownLimits.map((limit) => [limit, limits[limit] ?? 0])),
    matmulGflops: ceilings.matmul.gflops ?? 0,
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
  const { adapter, vendor, driver, kind, features, limits, matmulGflops, copyGbps, ceilings, tuning, advice } = findings;
  return [
    formatTable([
      ['adapter', adapter],
      ['vendor', vendor],
      ['driver', driver],
      ['kind', kind === 'gpu' ? 'hardware GPU' : 'software (CPU)'],
      ['matmul', `${matmulGflops.toFixed(1)} GFLOP/s`],
      ['copy', `${copyGbps.toFixed(1)} GB/s`],
      ...Object.entries(limits).map(([limit, value]) => [limit, value.toLocaleString('en')]),
    ]),
    `features: ${features.join(', ') || 'none of those that kernels can use'}`,
    `measured: ${describeCeiling(ceilings.matmul)}, ${describeCeiling(ceilings.copy)}`,
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
