/** Opens a WebGPU device where the platform has one of its own: in browsers, workers, Deno and Bun. */
import { ProxmoError } from '../base/errors.ts';
import { openAdapter } from './adapter.ts';
import type { GpuContext } from './context.ts';

const remedy =
  'use a page from https or localhost in a browser with WebGPU (Chrome and Edge from 113, Safari from 26, Firefox from 141), a GPU driver that it accepts, or under Node openDevice() of proxmo/node';

export interface BrowserDeviceOptions {
  /** Which adapter of several. Default: `high-performance`. */
  readonly powerPreference?: GPUPowerPreference;
  /** A software driver alone, as tests want it. */
  readonly forceFallbackAdapter?: boolean;
}

/**
 * Opens the platform's adapter with its full limits and the features that kernels can use. `destroy()` ends the device.
 * @throws {ProxmoError} `no-device` if there is no WebGPU, no adapter or no device; the message says what to do
 */
export async function openBrowserDevice(options: BrowserDeviceOptions = {}): Promise<GpuContext> {
  const { gpu } = (globalThis as { readonly navigator?: { readonly gpu?: GPU } }).navigator ?? {};
  if (!gpu) throw noDevice(isInsecure() ? 'this page comes over http' : 'there is no WebGPU here');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance', ...options });
  if (!adapter) throw noDevice('WebGPU finds no adapter');
  return openAdapter(adapter, { wait: (promise) => promise }, remedy);
}

/** Browsers offer WebGPU to pages from https and from this machine alone. */
function isInsecure(): boolean {
  return (globalThis as { readonly isSecureContext?: boolean }).isSecureContext === false;
}

function noDevice(why: string): ProxmoError {
  return new ProxmoError('no-device', `No WebGPU device could be opened: ${why}; ${remedy}.`);
}
