/** A device out of a WebGPU adapter, wherever that comes from, with the adapter's full limits and useful features. */
import { ProxmoError } from '../base/errors.ts';
import { describeAdapter, nameOf, readLimits, usedFeatures } from './adapterDescription.ts';
import { GpuContext, type Platform } from './context.ts';

/**
 * @param platform what the surroundings supply for it
 * @param remedy what to do where it gives no device
 * @throws {ProxmoError} `no-device`
 */
export async function openAdapter(adapter: GPUAdapter, platform: Platform, remedy: string): Promise<GpuContext> {
  const limits = readLimits(adapter.limits);
  const features = usedFeatures.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[];
  const device = await adapter
    .requestDevice({ requiredFeatures: features, requiredLimits: limits, label: 'proxmo' })
    .catch((error: unknown) => {
      throw new ProxmoError(
        'no-device',
        `The adapter ${nameOf(adapter)} gave no device (${String(error)}); ${remedy}.`,
      );
    });
  return new GpuContext(device, describeAdapter(adapter, new Set(features), limits), platform);
}
