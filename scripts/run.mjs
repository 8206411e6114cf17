/** Runs a TypeScript file of the repository: `node scripts/run.mjs bench/kernels.ts [arguments]`. Bundled first, so `.wgsl` imports work. */
import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { wgslEsbuild } from './wgsl.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [file, ...rest] = process.argv.slice(2);
if (!file) throw new Error('usage: node scripts/run.mjs FILE.ts [arguments]');
const folder = join(root, 'node_modules', '.cache', 'proxmo');
mkdirSync(folder, { recursive: true });
const outfile = join(folder, `${basename(file, '.ts')}-${process.pid}.mjs`);
await build({
  entryPoints: [file],
  outfile,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  plugins: [wgslEsbuild],
});
process.argv = [process.argv[0], file, ...rest];
await import(pathToFileURL(outfile).href);
