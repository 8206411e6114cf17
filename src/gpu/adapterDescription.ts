/**
 * What an adapter is, from what it says of itself. Dawn under Node says much, Chromium's pages little more than a
 * vendor and an architecture, Firefox nothing but whether it is a software driver.
 */
import type { AdapterProfile, SubgroupMatrixConfig } from '../../kernels/spec.ts';
import { isPartOfName, isSoftwareName } from './adapterNames.ts';

/** For people and for run records. */
export interface AdapterDescription {
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly driver: string;
  readonly profile: AdapterProfile;
  readonly limits: Readonly<Record<string, number>>;
  /** All that the adapter offers, whether kernels can use it or not; empty where only its device is known. */
  readonly offered: readonly string[];
}

/** What of an adapter or a device is read; all of it may be missing. */
export interface AdapterSource {
  readonly info?: Partial<GPUAdapterInfo> | undefined;
  /** As adapters said it before `info` did. */
  readonly isFallbackAdapter?: boolean | undefined;
  readonly features?: Iterable<string> | undefined;
}

/** Features that kernels can use. */
export const usedFeatures: readonly string[] = [
  'shader-f16',
  'subgroups',
  'subgroup-size-control',
  'timestamp-query',
  'chromium-experimental-subgroup-matrix',
];

/**
 * Describes an adapter.
 * @param features those that its device was opened with
 * @param limits those of its device
 */
export function describeAdapter(
  adapter: AdapterSource,
  features: ReadonlySet<string>,
  limits: Readonly<Record<string, number>>,
): AdapterDescription {
  const { info = {} } = adapter;
  const software = isSoftware(adapter);
  const profile: AdapterProfile = {
    kind: software ? 'cpu' : 'gpu',
    driver: software ? (isSwiftShader(adapter) ? 'swiftshader' : 'lavapipe') : 'hardware',
    features: new Set(usedFeatures.filter((feature) => features.has(feature))),
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup ?? 256,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize ?? 16_384,
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    subgroupMatrixConfigs: matrixConfigsOf(info),
  };
  return {
    name: nameOf(adapter),
    vendor: info.vendor ?? '',
    architecture: info.architecture ?? '',
    driver: info.description ?? '',
    profile,
    limits,
    offered: [...(adapter.features ?? [])].sort(),
  };
}

/** Deno gives the numbers of vendors and devices for names. */
const isNumber = /^\d+$/;

/** A name for people. Where the adapter has none, what it is: "a GPU" or "a software adapter". */
export function nameOf(adapter: AdapterSource): string {
  const { device = '', description, vendor = '', architecture } = adapter.info ?? {};
  const made = [isNumber.test(vendor) ? '' : vendor, architecture].filter(Boolean).join(' ');
  return (
    (isNumber.test(device) ? '' : device) ||
    description ||
    made ||
    (isSoftware(adapter) ? 'a software adapter' : 'a GPU')
  );
}

/** All that an adapter says of itself. */
export function textOf({ info = {} }: AdapterSource): string {
  return [info.device, info.description, info.vendor, info.architecture].filter(Boolean).join(' ');
}

/** Whether it is a program on the CPU. */
export function isSoftware(adapter: AdapterSource): boolean {
  return (adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false) || isSoftwareName(textOf(adapter));
}

export function isSwiftShader(adapter: AdapterSource): boolean {
  return isPartOfName('swiftshader', textOf(adapter));
}

/** Limits as plain numbers: browsers have them as getters of a class. */
export function readLimits(limits: GPUSupportedLimits): Record<string, number> {
  const values: Record<string, number> = {};
  for (const name in limits) {
    const value = limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') values[name] = value;
  }
  return values;
}

/** Sizes of matrix units, which WebGPU's types do not know yet. */
function matrixConfigsOf(info: Partial<GPUAdapterInfo>): SubgroupMatrixConfig[] {
  const { subgroupMatrixConfigs = [] } = info as { readonly subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> };
  return Array.from(subgroupMatrixConfigs, ({ componentType, resultComponentType, M, N, K }) => ({
    componentType,
    resultComponentType,
    M,
    N,
    K,
  }));
}
