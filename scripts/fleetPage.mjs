/**
 * Builds the page of a tab that works for a fleet, a static site: `npm run fleet-page -- [FOLDER]` (default:
 * `fleet-page`). All paths in it are relative, so that any folder of any web server will do.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { wgslEsbuild } from './wgsl.mjs';

const root = join(fileURLToPath(import.meta.url), '..', '..');
const view = join(root, 'src', 'view');

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>proxmo worker</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body><noscript>This page computes by a program in it, so it needs JavaScript.</noscript></body>
</html>
`;

/** Writes the site. */
export async function buildFleetPage(folder) {
  const shared = {
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
    plugins: [wgslEsbuild],
    // Asked for by the client of object stores where it is told to; here it hashes by itself.
    external: ['node:crypto'],
    logLevel: 'warning',
    outdir: folder,
  };
  const built = await Promise.all([
    build({ ...shared, entryPoints: { page: join(view, 'page', 'fleetTab', 'main.ts') }, format: 'iife' }),
    build({ ...shared, entryPoints: { worker: join(view, 'fleetTab', 'worker.ts') }, format: 'esm' }),
  ]);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'index.html'), html);
  for (const { path, contents } of built.flatMap(({ outputFiles }) => outputFiles)) writeFileSync(path, contents);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? join(root, 'fleet-page');
  await buildFleetPage(folder);
  console.log(`${folder}: serve it from https, or from this machine.`);
}
