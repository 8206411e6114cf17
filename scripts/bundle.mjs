/**
 * Bundles a TypeScript file of the repository for Node, so that its `.wgsl` imports work. What is imported late is a
 * file of its own, so that nothing is loaded earlier than in the package. The bundle lies within the checkout, where
 * packages are found.
 */
import { rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { pageEsbuild } from './page.mjs';
import { wgslEsbuild } from './wgsl.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'node_modules', '.cache', 'proxmo');

/** Path of the bundle, once it is written; it goes with the process. */
export async function bundle(file) {
  const outdir = join(folder, `${basename(file, '.ts')}-${process.pid}`);
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  return bundleInto(outdir, file);
}

/** Path of the bundle in a folder of the caller's, which must lie where packages are found. */
export async function bundleInto(outdir, file) {
  const name = basename(file, '.ts');
  await build({
    entryPoints: { [name]: file },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    plugins: [wgslEsbuild, pageEsbuild],
  });
  return join(outdir, `${name}.mjs`);
}
