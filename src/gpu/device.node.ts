/**
 * Opens a WebGPU device: under Deno and Bun that of theirs, under Node through npm's `webgpu`, in this order of choice:
 * a hardware GPU, a software driver of the system, SwiftShader from npm. The only file that imports `webgpu`.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ProxmoError } from '../base/errors.ts';
import { openAdapter } from './adapter.ts';
import { isSoftware, isSwiftShader, nameOf, textOf } from './adapterDescription.ts';
import { isPartOfName, isSoftwareName, listedNames } from './adapterNames.ts';
import { openBrowserDevice } from './browserDevice.ts';
import type { GpuContext } from './context.ts';
import { dawnProblem } from './dawnProblem.node.ts';
import { checkThread, closeWithThread } from './deviceWorker.node.ts';
import { collectGarbage } from './garbage.node.ts';
import { quietly } from './quiet.node.ts';
import { profileVariable, recordRuns } from './runRecorder.node.ts';
import { driverIn, findSwiftShaderBundle, libraryProblem, placeSwiftShader } from './swiftshader.node.ts';
import { makeWait } from './wait.node.ts';

/** `hardware`, `software`, `swiftshader`, or a part of an adapter's name; absent for the best there is. */
export type AdapterChoice = string;

/** How a device is opened. */
export interface OpenDeviceOptions {
  /**
   * Opens it in a worker thread of somebody else's making too, as of a pool, which must then never be terminated while
   * programs run: that would end the whole process. A `DeviceWorker` needs no such promise.
   */
  readonly inWorker?: boolean;
}

/** Toggles that the engine needs where Dawn knows them: experimental features, f16 on NVIDIA, unrounded timestamps. */
const dawnOptions = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,disable_workgroup_init',
  'disable-dawn-features=timestamp_quantization',
];

const howToGetAnAdapter =
  'install a GPU driver with Vulkan, or a software driver (Debian and Ubuntu: apt install mesa-vulkan-drivers libvulkan1), or the npm package @sparticuz/chromium';

/** The package `webgpu`, or its copy with SwiftShader. */
type Dawn = typeof import('webgpu');

/** What the driver from npm calls itself. */
const swiftShaderName = 'SwiftShader Device (Subzero)';

interface Found {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
}

/**
 * Opens the chosen adapter's device with the adapter's full limits and the features the kernels can use.
 * @param choice default: the environment variable `PROXMO_ADAPTER`, else the best adapter there is
 * @throws {ProxmoError} `no-device` if no adapter fits, another one than was asked for opens, WebGPU cannot be loaded,
 * or this is a worker thread that is no `DeviceWorker`; the message says what there is and what to do. `file` if there
 * is no place for the software driver
 */
export async function openDevice(
  choice: AdapterChoice | undefined = process.env.PROXMO_ADAPTER || undefined,
  { inWorker = false }: OpenDeviceOptions = {},
): Promise<GpuContext> {
  const context = hasOwnWebGpu() ? await openOwn(choice) : await openDawn(choice, inWorker);
  const folder = process.env[profileVariable];
  if (folder) await recordRuns(context, folder);
  return context;
}

/** Deno and Bun have a WebGPU of their own; Dawn's package is for Node. */
function hasOwnWebGpu(): boolean {
  const { navigator } = globalThis as { readonly navigator?: { readonly gpu?: GPU } };
  return ('Deno' in globalThis || 'Bun' in globalThis) && navigator?.gpu !== undefined;
}

/** The platform's adapter, which cannot be chosen by name but may have the name that was asked for. */
async function openOwn(choice: AdapterChoice | undefined): Promise<GpuContext> {
  const context = await openBrowserDevice({ forceFallbackAdapter: choice === 'software' });
  const { name, profile } = context.adapter;
  const isRight =
    !choice || (isKind(choice) ? (profile.kind === 'cpu') === (choice === 'software') : isPartOfName(choice, name));
  if (isRight) return context;
  context.destroy();
  throw new ProxmoError('no-device', `No WebGPU adapter "${choice}" was found; the platform gives ${name} alone.`);
}

async function openDawn(choice: AdapterChoice | undefined, inWorker: boolean): Promise<GpuContext> {
  checkThread(inWorker);
  const { gpu, adapter } = await findAdapter(choice);
  const wait = makeWait(isSoftware(adapter) ? 'cpu' : 'gpu');
  const context = await openAdapter(adapter, { wait, collectGarbage, keepAlive: gpu }, howToGetAnAdapter);
  closeWithThread(context);
  return context;
}

/** The Dawn instances of this process: if one were collected while a device of it lives, the process would crash. */
const instances: GPU[] = [];

async function findAdapter(choice: AdapterChoice | undefined): Promise<Found> {
  const names: string[] = [];
  const found = await search(choice || undefined, names);
  if (found) return found;
  const there = [...names, ...(findSwiftShaderBundle() ? [`${swiftShaderName} from npm`] : [])];
  const wanted = choice ? `No WebGPU adapter "${choice}" was found` : 'No WebGPU adapter was found';
  const others = there.length > 0 ? `; choose by a part of its name what there is (${there.join('; ')}), or` : ';';
  throw new ProxmoError('no-device', `${wanted}${others} ${howToGetAnAdapter}.`);
}

/**
 * @param names gets those of the system's adapters, where the first that Dawn opens is not what was asked for
 * @throws {ProxmoError} `no-device` if another adapter opens than the one whose name fits
 */
async function search(choice: AdapterChoice | undefined, names: string[]): Promise<Found | null> {
  if (choice === undefined) return (await requestSystem()) ?? requestSwiftShader();
  if (choice === 'swiftshader' && findSwiftShaderBundle()) return requestSwiftShader();
  const part = isKind(choice) ? undefined : choice === 'lavapipe' ? 'llvmpipe' : choice;
  const fits = (name: string, software: boolean) =>
    part === undefined ? software === (choice === 'software') : isPartOfName(part, name);
  const isRight = ({ adapter }: Found) => fits(textOf(adapter), isSoftware(adapter));
  const first = await requestSystem(part);
  if (first && isRight(first)) return first;
  names.push(...(await listSystem()));
  const name = names.find((each) => fits(each, isSoftwareName(each)));
  if (name === undefined) return fits(swiftShaderName, true) ? requestSwiftShader() : null;
  const found = await requestSystem(name);
  if (found && !isRight(found) && !isPartOfName(name, textOf(found.adapter)))
    throw new ProxmoError(
      'no-device',
      `${name} was asked for, but ${nameOf(found.adapter)} opens; choose another one.`,
    );
  return found;
}

/** An adapter of the system's drivers, the best by default. */
async function requestSystem(name?: string): Promise<Found | null> {
  if (!hasLoader()) return null;
  const options = name === undefined ? [] : [`adapter=${name}`];
  return request(await loadDawn(), options, { powerPreference: 'high-performance' });
}

/** Names of all adapters of the system's drivers: Dawn lists them where it finds none of a name. */
async function listSystem(): Promise<string[]> {
  if (!hasLoader()) return [];
  const dawn = await loadDawn();
  const gpu = makeInstance(dawn, ['adapter=\u0001']);
  return quietly(() => gpu.requestAdapter()).then(
    () => [],
    (error: unknown) => listedNames(String(error)),
  );
}

/** Dawn writes a warning where there is no loader. */
function hasLoader(): boolean {
  return process.platform !== 'linux' || libraryProblem('libvulkan.so.1') === null;
}

/**
 * SwiftShader from npm; null where that is not installed.
 * @throws {ProxmoError} `no-device` if its library cannot be loaded: Dawn then opens what the system has
 */
async function requestSwiftShader(): Promise<Found | null> {
  const bundle = findSwiftShaderBundle();
  if (!bundle) return null;
  const entry = await placeSwiftShader(bundle, packageFolder());
  const found = await request(await load(() => import(pathToFileURL(entry).href)), [], {});
  if (found && isSwiftShader(found.adapter)) return found;
  const opened = found ? `${nameOf(found.adapter)} opens` : 'nothing opens';
  const problem = libraryProblem(driverIn(entry));
  throw new ProxmoError(
    'no-device',
    `SwiftShader was asked for, but ${opened}, because ${problem ?? 'Dawn refuses it'}; ${howToGetAnAdapter}.`,
  );
}

function loadDawn(): Promise<Dawn> {
  return load(() => import('webgpu'));
}

function packageFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('webgpu'));
  } catch (error) {
    throw dawnProblem(error);
  }
}

/** Loads Dawn, and makes the constants of WebGPU global, as in a browser. */
async function load(importDawn: () => Promise<Dawn>): Promise<Dawn> {
  try {
    const dawn = await importDawn();
    Object.assign(globalThis, dawn.globals);
    return dawn;
  } catch (error) {
    throw dawnProblem(error);
  }
}

async function request(dawn: Dawn, options: string[], preference: GPURequestAdapterOptions): Promise<Found | null> {
  const gpu = makeInstance(dawn, options);
  const adapter = await quietly(() => gpu.requestAdapter(preference)).catch(() => null);
  return adapter && { gpu, adapter };
}

function makeInstance(dawn: Dawn, options: string[]): GPU {
  const gpu = dawn.create([...dawnOptions, ...options]);
  instances.push(gpu);
  return gpu;
}

function isKind(choice: AdapterChoice): choice is 'hardware' | 'software' {
  return choice === 'hardware' || choice === 'software';
}
