/**
 * Bundles a TypeScript file of the repository for Node, so that its `.wgsl` imports work. The bundle lies within the
 * checkout, where packages are found, and goes with the process.
 */
import { rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { pageEsbuild } from './page.mjs';
import { wgslEsbuild } from './wgsl.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'node_modules', '.cache', 'proxmo');

/** Path of the bundle, once it is written. */
export async function bundle(file) {
  const outfile = join(folder, `${basename(file, '.ts')}-${process.pid}.mjs`);
  process.once('exit', () => rmSync(outfile, { force: true }));
  await build({
    entryPoints: [file],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    plugins: [wgslEsbuild, pageEsbuild],
  });
  return outfile;
}
