/**
 * Builds the playground, a static site that trains in its visitor's browser: `npm run playground -- [FOLDER]` (default:
 * `site`). All paths in it are relative, so that any folder of any web server will do.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { wgslEsbuild } from './wgsl.mjs';

const root = join(fileURLToPath(import.meta.url), '..', '..');
const view = join(root, 'src', 'view');
/** Bytes of all files, compressed. */
const most = 400_000;

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>proxmo playground</title>
<meta name="description" content="Train a small language model with ProxMO in this browser.">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body><noscript>The playground trains by a program in this page, so it needs JavaScript.</noscript></body>
</html>
`;

/** Writes the site. @returns bytes of all files, compressed */
export async function buildPlayground(folder) {
  const shared = {
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
    plugins: [wgslEsbuild],
    logLevel: 'warning',
    outdir: folder,
  };
  const built = await Promise.all([
    build({ ...shared, entryPoints: { page: join(view, 'page', 'playground', 'main.ts') }, format: 'iife' }),
    build({ ...shared, entryPoints: { worker: join(view, 'playground', 'worker.ts') }, format: 'esm' }),
  ]);
  const files = [
    { path: join(folder, 'index.html'), contents: Buffer.from(html) },
    ...built.flatMap(({ outputFiles }) => outputFiles),
  ];
  mkdirSync(folder, { recursive: true });
  let bytes = 0;
  for (const { path, contents } of files) {
    writeFileSync(path, contents);
    bytes += gzipSync(contents, { level: 9 }).length;
  }
  if (bytes > most) throw new Error(`The playground has ${bytes} bytes compressed, but ${most} is the most.`);
  return bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? join(root, 'site');
  const bytes = await buildPlayground(folder);
  console.log(`${folder}: ${Math.round(bytes / 1000)} kB compressed; serve it from https, or from this machine.`);
}
