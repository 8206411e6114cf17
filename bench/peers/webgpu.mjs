/** `webgpu.ts` for programs that are not bundled. */
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle } from '../../scripts/bundle.mjs';

const file = join(dirname(fileURLToPath(import.meta.url)), 'webgpu.ts');
export const { adapterName, deviceIdle, onDriver, provideWebGpu } = await import(
  pathToFileURL(await bundle(file)).href
);
