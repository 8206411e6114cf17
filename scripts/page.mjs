/**
 * Makes a module of a page: `import { script, style } from './main.ts?bundle'` gives the whole page as two texts, so
 * that whoever serves it reads no file, wherever the bundle lies. `./part.ts?module` is the same for a part that the
 * page loads when it needs it, as an ES module.
 */
import { join } from 'node:path';
import { build } from 'esbuild';
import { noticesOf } from './notices.mjs';
import { wgslEsbuild } from './wgsl.mjs';

/**
 * Some browsers take their locale from the system as it is, as `en-US@posix`, and then refuse that very name. What
 * formats numbers by it while it loads, as the charts do, would leave the page blank.
 */
export const localeGuard =
  "try{new Intl.NumberFormat(navigator.language)}catch{Object.defineProperty(navigator,'language',{value:'en',configurable:true})}";

const queries = { '?bundle': 'iife', '?module': 'esm' };
const queryOf = (path) => Object.keys(queries).find((query) => path.endsWith(query));

async function moduleOf(path) {
  const query = queryOf(path);
  const entry = path.slice(0, -query.length);
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    outdir: 'page',
    write: false,
    bundle: true,
    minify: true,
    format: queries[query],
    platform: 'browser',
    target: 'es2022',
    banner: { js: localeGuard },
    // The notices stand at the end, once for each package.
    legalComments: 'none',
    metafile: true,
    plugins: [wgslEsbuild],
    logLevel: 'warning',
  });
  const textOf = (ending) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? '';
  const notices = noticesOf(Object.keys(metafile.inputs)).replaceAll('*/', '* /');
  const script = `${textOf('.js')}/*!\n${notices}\n*/\n`;
  return `export const script = ${JSON.stringify(script)};\nexport const style = ${JSON.stringify(textOf('.css'))};`;
}

/** esbuild plugin. */
export const pageEsbuild = {
  name: 'page',
  setup(build) {
    build.onResolve({ filter: /\?(bundle|module)$/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path),
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
    return queryOf(id) ? moduleOf(id) : null;
  },
};
