/**
 * The WebGPU that proxmo runs on as `navigator.gpu`, for libraries that expect a browser: the same Dawn and switches,
 * the same drivers, and waits that sleep between polls.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as systemDawn from 'webgpu';
import { writeFileAtomic } from '../../src/base/atomicFile.node.ts';
import { findSwiftShaderBundle, placeSwiftShader } from '../../src/gpu/swiftshader.node.ts';
import { makeWait } from '../../src/gpu/wait.node.ts';

const dawnOptions = ['enable-dawn-features=allow_unsafe_apis,disable_workgroup_init'];

let device: GPUDevice | null = null;
const wait = makeWait('cpu');

/** @param choice `swiftshader`, or as for proxmo a part of an adapter's name; the system's default if empty */
export async function provideWebGpu(choice: string): Promise<void> {
  const { create, globals } = choice === 'swiftshader' ? await swiftShader() : systemDawn;
  Object.assign(globalThis, globals);
  const name = choice === 'lavapipe' ? 'llvmpipe' : choice;
  const gpu = create(choice && choice !== 'swiftshader' ? [...dawnOptions, `adapter=${name}`] : dawnOptions);
  if (!(await gpu.requestAdapter())) throw new Error(`no WebGPU adapter "${choice}"`);
  sleepInWaits();
  keepDevice();
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true });
}

/** Opens something that has a Dawn of its own, while the system's loader finds the chosen driver alone. */
export async function onDriver<T>(choice: string, open: () => Promise<T>): Promise<T> {
  if (choice === 'lavapipe') process.env.VK_LOADER_DRIVERS_SELECT = '*lvp*';
  if (choice === 'swiftshader') process.env.VK_DRIVER_FILES = await describeDriver(await placed());
  return open();
}

async function swiftShader(): Promise<typeof systemDawn> {
  return import(pathToFileURL(await placed()).href);
}

/** Entry of the copy of Dawn with SwiftShader. */
function placed(): Promise<string> {
  const bundle = findSwiftShaderBundle();
  if (!bundle) throw new Error('SwiftShader comes with @sparticuz/chromium, which is not installed');
  return placeSwiftShader(bundle, dirname(createRequire(import.meta.url).resolve('webgpu')));
}

/** Path of a description of the driver for Vulkan loaders, beside it. */
async function describeDriver(entry: string): Promise<string> {
  const path = join(dirname(entry), 'driver.json');
  const ICD = { library_path: join(dirname(entry), 'dist', 'linux-x64', 'libvulkan.so.1'), api_version: '1.1.0' };
  await writeFileAtomic(path, [JSON.stringify({ file_format_version: '1.0.0', ICD })]);
  return path;
}

/** Waits until the library's device has done all that was submitted. */
export async function deviceIdle(): Promise<void> {
  await device?.queue.onSubmittedWorkDone();
}

export const adapterName = (): string => device?.adapterInfo.device || device?.adapterInfo.description || '';

/** Without this, a wait for the device polls at full speed, and a software adapter lacks the core that this takes. */
function sleepInWaits(): void {
  const { mapAsync } = GPUBuffer.prototype;
  GPUBuffer.prototype.mapAsync = function (...range) {
    return wait(mapAsync.apply(this, range));
  };
  const { onSubmittedWorkDone } = GPUQueue.prototype;
  GPUQueue.prototype.onSubmittedWorkDone = function () {
    return wait(onSubmittedWorkDone.call(this));
  };
}

function keepDevice(): void {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    device = await requestDevice.call(this, descriptor);
    return device;
  };
}
