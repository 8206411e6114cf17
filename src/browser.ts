/** `proxmo/browser`: opening a device where the platform has WebGPU of its own: browsers, workers, Deno, Bun. */
export { type BrowserDeviceOptions, openBrowserDevice } from './gpu/browserDevice.ts';
