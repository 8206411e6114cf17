/**
 * Makes a module of a page: `import { script, style } from './main.ts?bundle'` gives the whole page as two texts, so
 * that whoever serves it reads no file, wherever the bundle lies.
 */
import { join } from 'node:path';
import { build } from 'esbuild';
import { wgslEsbuild } from './wgsl.mjs';

const query = '?bundle';

async function moduleOf(entry) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    outdir: 'page',
    write: false,
    bundle: true,
    minify: true,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
    plugins: [wgslEsbuild],
    logLevel: 'warning',
  });
  const textOf = (ending) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? '';
  return `export const script = ${JSON.stringify(textOf('.js'))};\nexport const style = ${JSON.stringify(textOf('.css'))};`;
}

/** esbuild plugin. */
export const pageEsbuild = {
  name: 'page',
  setup(build) {
    build.onResolve({ filter: /\?bundle$/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.slice(0, -query.length)),
      namespace: 'page',
    }));
    build.onLoad({ filter: /.*/, namespace: 'page' }, async ({ path }) => ({ contents: await moduleOf(path) }));
  },
};

/** Vite (vitest) plugin. */
export const pageVite = {
  name: 'page',
  enforce: 'pre',
  load(id) {
    return id.endsWith(query) ? moduleOf(id.slice(0, -query.length)) : null;
  },
};
