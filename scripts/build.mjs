/**
 * Builds `dist/`: the library, its Node entry and the command line as ES modules with the shaders inlined, the JSON
 * Schema of configurations, and the type declarations.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { pageEsbuild } from './page.mjs';
import { wgslEsbuild } from './wgsl.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
rmSync('dist', { recursive: true, force: true });
const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

await build({
  entryPoints: { index: 'src/index.ts', node: 'src/node.ts', cli: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Everything else that is imported is bundled: packages for one command are no dependencies of whoever installs this.
  external: [...Object.keys(dependencies), ...Object.keys(peerDependencies)],
  sourcemap: true,
  plugins: [wgslEsbuild, pageEsbuild],
  logLevel: 'warning',
});
chmodSync('dist/cli.js', 0o755);
const schema = execFileSync(process.execPath, ['dist/cli.js', 'config', 'schema']);
writeFileSync('dist/config.schema.json', schema);
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
