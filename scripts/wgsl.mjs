/**
 * Turns a `.wgsl` file into a string module. A line `//#include "lib/x.wgsl"` is replaced by that file, found from
 * `shaders/`; a file is included once however often it is named.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const shaderRoot = join(dirname(fileURLToPath(import.meta.url)), '..', 'shaders');

/** The text of a WGSL file with its includes in place. Throws if an include is missing. */
export function loadWgsl(path, seen = new Set()) {
  const text = readFileSync(path, 'utf8');
  return text.replace(/^\/\/#include "([^"]+)"$/gm, (_, name) => {
    const included = join(shaderRoot, name);
    if (seen.has(included)) return '';
    seen.add(included);
    return loadWgsl(included, seen);
  });
}

/** esbuild plugin. */
export const wgslEsbuild = {
  name: 'wgsl',
  setup(build) {
    build.onLoad({ filter: /\.wgsl$/ }, ({ path }) => ({ contents: loadWgsl(path), loader: 'text' }));
  },
};

/** Vite (vitest) plugin. */
export const wgslVite = {
  name: 'wgsl',
  enforce: 'pre',
  load(id) {
    if (!id.endsWith('.wgsl')) return null;
    return `export default ${JSON.stringify(loadWgsl(id))};`;
  },
};
