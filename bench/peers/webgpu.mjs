/** Gives libraries for browsers the WebGPU that proxmo runs on: `navigator.gpu` under Node, with waits that sleep between polls. */
import { createRequire } from 'node:module';

const root = createRequire(new URL('../../package.json', import.meta.url));
let device = null;

/** @param {string} adapter as for proxmo; the system's default if empty */
export function provideWebGpu(adapter) {
  const { create, globals } = root('webgpu');
  Object.assign(globalThis, globals);
  const gpu = create(adapter ? [`adapter=${adapter === 'lavapipe' ? 'llvmpipe' : adapter}`] : []);
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const found = await requestAdapter(options);
    const requestDevice = found.requestDevice.bind(found);
    found.requestDevice = async (descriptor) => {
      device = await requestDevice(descriptor);
      return device;
    };
    return found;
  };
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true });
}

/** Waits until the library's device has done all that was submitted. */
export async function deviceIdle() {
  let done = false;
  const waiting = device.queue.onSubmittedWorkDone().then(() => {
    done = true;
  });
  const start = performance.now();
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!done && performance.now() - start > 0.3) Atomics.wait(cell, 0, 0, 0.5);
  }
  await waiting;
}
