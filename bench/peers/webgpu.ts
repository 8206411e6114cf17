/**
 * The WebGPU that proxmo runs on as `navigator.gpu`, for libraries that expect a browser: the same Dawn and switches,
 * the same drivers, and waits that sleep between polls.
 */
import { create, globals } from 'webgpu';
import { findSwiftShaderBundle, withSwiftShader } from '../../src/gpu/swiftshader.node.ts';
import { waitAsleep } from '../../src/gpu/wait.node.ts';

const dawnOptions = ['enable-dawn-features=allow_unsafe_apis,disable_workgroup_init'];

let device: GPUDevice | null = null;

/** @param choice `swiftshader`, or as for proxmo a part of an adapter's name; the system's default if empty */
export async function provideWebGpu(choice: string): Promise<void> {
  Object.assign(globalThis, globals);
  const gpu = await onDriver(choice, async () => {
    const name = choice === 'lavapipe' ? 'llvmpipe' : choice;
    const instance = create(choice && choice !== 'swiftshader' ? [...dawnOptions, `adapter=${name}`] : dawnOptions);
    if (!(await instance.requestAdapter())) throw new Error(`no WebGPU adapter "${choice}"`);
    return instance;
  });
  sleepInWaits();
  keepDevice();
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true });
}

/** Opens something while the chosen driver is the one that a new Dawn finds. */
export function onDriver<T>(choice: string, open: () => Promise<T>): Promise<T> {
  if (choice === 'lavapipe') process.env.VK_LOADER_DRIVERS_SELECT = '*lvp*';
  if (choice !== 'swiftshader') return open();
  const bundle = findSwiftShaderBundle();
  if (!bundle) throw new Error('SwiftShader comes with @sparticuz/chromium, which is not installed');
  return withSwiftShader(bundle, open);
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
    return waitAsleep(mapAsync.apply(this, range));
  };
  const { onSubmittedWorkDone } = GPUQueue.prototype;
  GPUQueue.prototype.onSubmittedWorkDone = function () {
    return waitAsleep(onSubmittedWorkDone.call(this));
  };
}

function keepDevice(): void {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    device = await requestDevice.call(this, descriptor);
    return device;
  };
}
