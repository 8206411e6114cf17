/** `proxmo doctor`: which adapter there is, what it can do, how fast it is, and what to install for a better one. */
import { Command } from 'commander';
import { copy } from '../../kernels/copy.ts';
import { matmulNn } from '../../kernels/matmul.ts';
import { measureKernel } from '../gpu/ceilings.ts';
import type { GpuContext } from '../gpu/context.ts';
import { openDevice } from '../gpu/device.node.ts';
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

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Show the adapter that would be used, its features and limits, its measured speed, and what to install for a better one.')
    .option('--adapter <name>', 'hardware, software, swiftshader, or part of an adapter name (default: the best there is)')
    .option('--json', 'print as JSON')
    .action(async ({ adapter, json }: DoctorOptions) => {
      const gpu = await openDevice(adapter);
      try {
        const findings = await examine(gpu);
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
  /** Matrix product of two 512 × 512 (CPU adapters) or 2,048 × 2,048 matrices in float32. */
  readonly matmulGflops: number;
  /** Bytes read plus bytes written of a large copy. */
  readonly copyGbps: number;
  readonly advice: string;
}

async function examine(gpu: GpuContext): Promise<Findings> {
  const { name, vendor, driver, profile, limits } = gpu.adapter;
  const side = profile.kind === 'cpu' ? 512 : 2048;
  const count = profile.kind === 'cpu' ? 2 ** 22 : 2 ** 25;
  return {
    adapter: name,
    vendor,
    driver,
    kind: profile.kind,
    features: [...profile.features],
    limits: Object.fromEntries(shownLimits.map((limit) => [limit, limits[limit] ?? 0])),
    matmulGflops: (await measureKernel(gpu, matmulNn, { m: side, n: side, k: side, batch: 1, splits: 1 })).gflops ?? 0,
    copyGbps: (await measureKernel(gpu, copy, { count })).gbps,
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

function describe({ adapter, vendor, driver, kind, features, limits, matmulGflops, copyGbps, advice }: Findings): string {
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
    '',
    advice,
  ].join('\n');
}
