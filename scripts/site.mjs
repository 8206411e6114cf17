/**
 * A static site of one page and a worker that it starts. All paths in it are relative, so that any folder of any web
 * server will do.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { localeGuard } from './page.mjs';
import { pureEsbuild } from './pure.mjs';
import { compactWgslEsbuild } from './wgsl.mjs';

export const root = join(fileURLToPath(import.meta.url), '..', '..');
const view = join(root, 'src', 'view');

const htmlOf = ({ title, description, withoutScripts }) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>${description === undefined ? '' : `\n<meta name="description" content="${description}">`}
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body><noscript>${withoutScripts}</noscript></body>
</html>
`;

/**
 * Writes the site of `src/view/page/NAME` and `src/view/NAME`.
 * @param head its title, its description if it has one, and what it says where scripts do not run
 * @returns the contents of its files
 */
export async function buildSite(folder, name, head) {
  const shared = {
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
    plugins: [compactWgslEsbuild],
    logLevel: 'warning',
    outdir: folder,
  };
  const built = await Promise.all([
    build({
      ...shared,
      entryPoints: { page: join(view, 'page', name, 'main.ts') },
      format: 'iife',
      banner: { js: localeGuard },
    }),
    build({
      ...shared,
      entryPoints: { worker: join(view, name, 'worker.ts') },
      format: 'esm',
      plugins: [pureEsbuild, compactWgslEsbuild],
    }),
  ]);
  const files = [
    { path: join(folder, 'index.html'), contents: Buffer.from(htmlOf(head)) },
    ...built.flatMap(({ outputFiles }) => outputFiles),
  ];
  mkdirSync(folder, { recursive: true });
  for (const { path, contents } of files) writeFileSync(path, contents);
  return files.map(({ contents }) => contents);
}
