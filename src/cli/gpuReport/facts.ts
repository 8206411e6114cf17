/** What a report says of the adapter and of the machine around it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import type { AdapterProfile } from '../../../kernels/spec.ts';
import type { GpuContext } from '../../gpu/context.ts';

export interface ReportFacts {
  /** When the command began, the last time; UTC. */
  readonly date: string;
  readonly adapter: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly driver: string;
  readonly kind: AdapterProfile['kind'];
  readonly class: AdapterProfile['driver'];
  readonly subgroupSizes: readonly [number, number];
  readonly matrixUnits: readonly string[];
  /** Features that kernels can use, and all that the adapter offers. */
  readonly features: readonly string[];
  readonly offered: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly host: Readonly<Record<string, string>>;
}

/** @param version of the package */
export function factsOf({ adapter }: Pick<GpuContext, 'adapter'>, version: string): ReportFacts {
  const { name, vendor, architecture, driver, profile, limits, offered } = adapter;
  const { kind, features, subgroupMinSize, subgroupMaxSize } = profile;
  return {
    date: new Date().toISOString(),
    adapter: name,
    vendor,
    architecture,
    driver,
    kind,
    class: profile.driver,
    subgroupSizes: [subgroupMinSize, subgroupMaxSize],
    matrixUnits: matrixUnitsOf(profile),
    features: [...features],
    offered,
    limits,
    versions: { proxmo: version, Node: process.version, webgpu: dawnVersion() },
    host: {
      system: `${type()} ${release()} ${arch()}`,
      processor: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
      memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
      ...load(),
      ...kernelDriver(),
      ...environment(),
    },
  };
}

/** Matrix units by the sizes that they multiply, as `f16 16x16x16 f32`: operands, m × n × k, sums. */
export function matrixUnitsOf({ subgroupMatrixConfigs }: AdapterProfile): string[] {
  return subgroupMatrixConfigs.map(
    ({ componentType, resultComponentType, M, N, K }) => `${componentType} ${M}x${N}x${K} ${resultComponentType}`,
  );
}

function dawnVersion(): string {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('webgpu'));
    return String(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version);
  } catch {
    return 'unknown';
  }
}

/** What NVIDIA's kernel module says of itself: Vulkan's own version is another one. */
function kernelDriver(): Record<string, string> {
  try {
    const [first = ''] = readFileSync('/proc/driver/nvidia/version', 'utf8').split('\n');
    return { 'kernel driver': first.trim() };
  } catch {
    return {};
  }
}

/** What else kept the processors busy, where the system tells: figures of a busy machine are too low. */
function load(): Record<string, string> {
  const [lastMinute = 0] = loadavg();
  return type() === 'Windows_NT' ? {} : { 'load before': lastMinute.toFixed(1) };
}

/** Variables that decide which driver is found. */
function environment(): Record<string, string> {
  const names = ['PROXMO_ADAPTER', 'VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'LP_NUM_THREADS'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
