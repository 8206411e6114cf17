/**
 * Builds `dist/`. Each module of the library is a file of its own, beside its declarations, so that whoever bundles a
 * program takes along what it uses and no more. The command line is one bundle upon these modules, with the packages
 * that it alone needs. The JSON Schema of configurations is what the command line prints.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { finishDeclarations } from './declarations.mjs';
import { noticesOf } from './notices.mjs';
import { pageEsbuild } from './page.mjs';
import { pureEsbuild } from './pure.mjs';
import { compactWgslEsbuild, portable } from './wgsl.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
rmSync('dist', { recursive: true, force: true });
const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

const shared = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: [...Object.keys(dependencies), ...Object.keys(peerDependencies)],
  legalComments: 'none',
  logLevel: 'warning',
};

/** Imports of the library's modules stay imports. */
const modulesApart = {
  name: 'modules apart',
  setup({ onResolve, initialOptions }) {
    onResolve({ filter: /^\.\.?\/.*\.(ts|wgsl)$/ }, ({ kind, path, resolveDir }) => {
      const file = portable(relative(root, join(resolveDir, path)));
      if (kind === 'entry-point' || !isModule(file)) return null;
      const compiled = file.replace(/\.(ts|wgsl)$/, '.js');
      const from = initialOptions.outbase ? relative(root, resolveDir) : '.';
      const target = portable(relative(from, compiled));
      return { path: target.startsWith('.') ? target : `./${target}`, external: true };
    });
  },
};

/** Whether a path from the root is a module of the library; the command line and the page are none. */
function isModule(file) {
  return /^(src|kernels|shaders)\/.*\.(ts|wgsl)$/.test(file) && !/^src\/(cli|view)\/|\.d\.ts$/.test(file);
}

const files = ['src', 'kernels', 'shaders'].flatMap((folder) =>
  readdirSync(folder, { recursive: true }).map((name) => `${folder}/${portable(name)}`),
);
await build({
  ...shared,
  entryPoints: files.filter(isModule),
  outdir: 'dist',
  outbase: '.',
  plugins: [modulesApart, pureEsbuild, compactWgslEsbuild],
});
const { metafile } = await build({
  ...shared,
  metafile: true,
  entryPoints: { cli: 'src/cli/main.ts' },
  outdir: 'dist',
  splitting: true,
  chunkNames: 'cli-[name]-[hash]',
  plugins: [modulesApart, pageEsbuild],
});
writeFileSync('dist/NOTICES.txt', `${noticesOf(Object.keys(metafile.inputs))}\n`);
chmodSync('dist/cli.js', 0o755);
const schema = execFileSync(process.execPath, ['dist/cli.js', 'config', 'schema']);
writeFileSync('dist/config.schema.json', schema);
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
finishDeclarations('dist');
