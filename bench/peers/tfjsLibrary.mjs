/**
 * TensorFlow.js with WebGPU and its gradients. The gradients are registered by a module that Node cannot import as it
 * is, because it names files without their endings, so the packages are bundled, as they would be for a browser.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const { build } = createRequire(join(here, '..', '..', 'package.json'))('esbuild');
const contents = `
  import '@tensorflow/tfjs-core/dist/register_all_gradients';
  import '@tensorflow/tfjs-backend-webgpu';
  export * from '@tensorflow/tfjs-core';`;

/** The library, on its WebGPU backend; `navigator.gpu` must be there. */
export async function loadTensorFlow() {
  const outfile = join(here, 'node_modules', '.cache', 'tfjs.cjs');
  const options = { bundle: true, format: 'cjs', platform: 'node', mainFields: ['module', 'main'], logLevel: 'error' };
  await build({ ...options, stdin: { contents, resolveDir: here }, outfile });
  const tf = createRequire(import.meta.url)(outfile);
  await tf.setBackend('webgpu');
  await tf.ready();
  return tf;
}
