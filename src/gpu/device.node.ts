/**
 * Opens a WebGPU device under Node. Order of choice: a hardware GPU, a software driver of the system, SwiftShader from
 * npm. The only file that imports `webgpu`.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { create, globals } from 'webgpu';
import type { AdapterProfile, SubgroupMatrixConfig } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { type AdapterDescription, GpuContext } from './context.ts';
import { collectGarbage } from './garbage.node.ts';
import { findSwiftShaderBundle, libraryProblem, placeSwiftShader } from './swiftshader.node.ts';
import { waitAsleep } from './wait.node.ts';

Object.assign(globalThis, globals);

/** `hardware`, `software`, `swiftshader`, or a part of an adapter's name; absent for the best there is. */
export type AdapterChoice = string;

/** Toggles that the engine needs where Dawn knows them: experimental features, f16 on NVIDIA, unrounded timestamps. */
const dawnOptions = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,disable_workgroup_init',
  'disable-dawn-features=timestamp_quantization',
];

const optionalFeatures: readonly string[] = [
  'shader-f16',
  'subgroups',
  'subgroup-size-control',
  'timestamp-query',
  'chromium-experimental-subgroup-matrix',
];

const howToGetAnAdapter =
  'install a GPU driver with Vulkan, or a software driver (Debian and Ubuntu: apt install mesa-vulkan-drivers libvulkan1), or the npm package @sparticuz/chromium';

/** Makes a Dawn instance: the package's own, or that of the copy with SwiftShader. */
type CreateGpu = typeof create;

interface Found {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
}

/**
 * Opens the chosen adapter's device with the adapter's full limits and the features the kernels can use.
 * @param choice default: the environment variable `PROXMO_ADAPTER`, else the best adapter there is
 * @throws {ProxmoError} `no-device` if no adapter fits; the message says what to install
 */
export async function openDevice(
  choice: AdapterChoice | undefined = process.env.PROXMO_ADAPTER || undefined,
): Promise<GpuContext> {
  const { gpu, adapter } = await findAdapter(choice);
  const limits = readLimits(adapter.limits);
  const features = optionalFeatures.filter((feature) =>
    adapter.features.has(feature as GPUFeatureName),
  ) as GPUFeatureName[];
  const device = await adapter
    .requestDevice({ requiredFeatures: features, requiredLimits: limits, label: 'proxmo' })
    .catch((error: unknown) => {
      throw new ProxmoError(
        'no-device',
        `The adapter ${adapter.info.device} gave no device (${String(error)}); ${howToGetAnAdapter}.`,
      );
    });
  return new GpuContext(device, describe(adapter, features, limits), {
    wait: waitAsleep,
    collectGarbage,
    keepAlive: gpu,
  });
}

/** The Dawn instances of this process: if one were collected while a device of it lives, the process would crash. */
const instances: GPU[] = [];

async function findAdapter(choice: AdapterChoice | undefined): Promise<Found> {
  const found = await (choice === 'swiftshader' ? requestSwiftShader() : requestSystem(choice));
  if (found) return found;
  if (choice === undefined || choice === 'software') {
    const bundled = await requestSwiftShader();
    if (bundled) return bundled;
  }
  const wanted = choice === undefined ? 'No WebGPU adapter was found' : `No WebGPU adapter "${choice}" was found`;
  throw new ProxmoError('no-device', `${wanted}; ${howToGetAnAdapter}.`);
}

/** An adapter of the system's drivers. */
async function requestSystem(choice: AdapterChoice | undefined): Promise<Found | null> {
  // Dawn writes a warning where there is no loader.
  if (process.platform === 'linux' && libraryProblem('libvulkan.so.1') !== null) return null;
  const named = choice !== undefined && choice !== 'hardware' && choice !== 'software';
  const options = named ? [`adapter=${choice === 'lavapipe' ? 'llvmpipe' : choice}`] : [];
  const found = await request(create, options, {
    powerPreference: 'high-performance',
    forceFallbackAdapter: choice === 'software',
  });
  if (choice === 'hardware' && found && isSoftware(found.adapter)) return null;
  return found;
}

async function requestSwiftShader(): Promise<Found | null> {
  const dawn = await loadSwiftShader();
  return dawn && request(dawn.create, [], {});
}

/** The copy of Dawn that opens SwiftShader; null where that is not installed. @throws {ProxmoError} `file` */
async function loadSwiftShader(): Promise<typeof import('webgpu') | null> {
  const bundle = findSwiftShaderBundle();
  if (!bundle) return null;
  const entry = await placeSwiftShader(bundle, dirname(createRequire(import.meta.url).resolve('webgpu')));
  return import(pathToFileURL(entry).href);
}

async function request(
  create: CreateGpu,
  options: string[],
  preference: GPURequestAdapterOptions,
): Promise<Found | null> {
  const gpu = create([...dawnOptions, ...options]);
  instances.push(gpu);
  const adapter = await gpu.requestAdapter(preference).catch(() => null);
  return adapter && { gpu, adapter };
}

function isSoftware(adapter: GPUAdapter): boolean {
  return adapter.info.isFallbackAdapter || /llvmpipe|swiftshader/i.test(adapter.info.device + adapter.info.description);
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
  const software = isSoftware(adapter);
  const swiftShader = /swiftshader/i.test(info.device + info.description);
  const profile: AdapterProfile = {
    kind: software ? 'cpu' : 'gpu',
    driver: software ? (swiftShader ? 'swiftshader' : 'lavapipe') : 'hardware',
    features: new Set(features),
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup ?? 256,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize ?? 16_384,
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    subgroupMatrixConfigs: matrixConfigsOf(info),
  };
  return {
    name: info.device || info.description,
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
