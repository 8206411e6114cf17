/** Opens the WebGPU device of a browser. */
import { ProxmoError } from '../base/errors.ts';
import { openAdapter } from './adapter.ts';
import type { GpuContext } from './context.ts';

const remedy = 'use a browser with WebGPU, and a page over https or from this machine';

/**
 * The browser's fastest GPU, with its full limits and the features the kernels can use.
 * @throws {ProxmoError} `no-device` if the browser has no WebGPU, or no adapter for it
 */
export async function openBrowserDevice(): Promise<GpuContext> {
  const { gpu } = (globalThis as { readonly navigator?: { readonly gpu?: GPU } }).navigator ?? {};
  if (!gpu) throw new ProxmoError('no-device', `There is no WebGPU here; ${remedy}.`);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new ProxmoError('no-device', `This browser's WebGPU has no adapter; ${remedy}.`);
  return openAdapter(adapter, { wait: (promise) => promise }, remedy);
}
