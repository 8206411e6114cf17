/** A device out of a WebGPU adapter, wherever that comes from, with the adapter's full limits and useful features. */
import type { AdapterProfile, SubgroupMatrixConfig } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { isPartOfName, isSoftwareName } from './adapterNames.ts';
import { type AdapterDescription, GpuContext, type Platform } from './context.ts';

/** Those that kernels can use. */
const optionalFeatures: readonly string[] = [
  'shader-f16',
  'subgroups',
  'subgroup-size-control',
  'timestamp-query',
  'chromium-experimental-subgroup-matrix',
];

/**
 * @param platform what the surroundings supply for it
 * @param remedy what to do where it gives no device
 * @throws {ProxmoError} `no-device`
 */
export async function openAdapter(adapter: GPUAdapter, platform: Platform, remedy: string): Promise<GpuContext> {
  const limits = readLimits(adapter.limits);
  const features = optionalFeatures.filter((feature) =>
    adapter.features.has(feature as GPUFeatureName),
  ) as GPUFeatureName[];
  const device = await adapter
    .requestDevice({ requiredFeatures: features, requiredLimits: limits, label: 'proxmo' })
    .catch((error: unknown) => {
      throw new ProxmoError(
        'no-device',
        `The adapter ${nameOfAdapter(adapter)} gave no device (${String(error)}); ${remedy}.`,
      );
    });
  return new GpuContext(device, describe(adapter, features, limits), platform);
}

/** Browsers keep names of devices to themselves, but tell the vendor. */
export function nameOfAdapter({ info }: GPUAdapter): string {
  return info.device || info.description || `${info.vendor} ${info.architecture}`.trim() || 'a GPU without a name';
}

/** All that an adapter says of itself. */
export function textOfAdapter({ info }: GPUAdapter): string {
  return `${info.device} ${info.description} ${info.vendor} ${info.architecture}`;
}

export function isSwiftShader(adapter: GPUAdapter): boolean {
  return isPartOfName('swiftshader', textOfAdapter(adapter));
}

export function isSoftwareAdapter(adapter: GPUAdapter): boolean {
  return adapter.info.isFallbackAdapter || isSoftwareName(textOfAdapter(adapter));
}

function readLimits(limits: GPUSupportedLimits): Record<string, number> {
  const values: Record<string, number> = {};
  for (const name in limits) {
    const value = limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') values[name] = value;
  }
  return values;
}

function describe(
  adapter: GPUAdapter,
  features: readonly string[],
  limits: Record<string, number>,
): AdapterDescription {
  const { info } = adapter;
  const software = isSoftwareAdapter(adapter);
  const profile: AdapterProfile = {
    kind: software ? 'cpu' : 'gpu',
    driver: software ? (isSwiftShader(adapter) ? 'swiftshader' : 'lavapipe') : 'hardware',
    features: new Set(features),
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup ?? 256,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize ?? 16_384,
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    subgroupMatrixConfigs: matrixConfigsOf(info),
  };
  return {
    name: nameOfAdapter(adapter),
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    profile,
    limits,
  };
}

/** Sizes of matrix units, which WebGPU's types do not know yet. */
function matrixConfigsOf(info: GPUAdapterInfo): SubgroupMatrixConfig[] {
  const { subgroupMatrixConfigs = [] } = info as { readonly subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> };
  return Array.from(subgroupMatrixConfigs, ({ componentType, resultComponentType, M, N, K }) => ({
    componentType,
    resultComponentType,
    M,
    N,
    K,
  }));
}
