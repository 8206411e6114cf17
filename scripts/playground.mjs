/**
 * Builds the playground, a static site that trains in its visitor's browser: `npm run playground -- [FOLDER]` (default:
 * `site`).
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildSite, root } from './site.mjs';

/** Bytes of all files, compressed. */
const most = 400_000;

/** Writes the site. @returns bytes of all files, compressed */
export async function buildPlayground(folder) {
  const files = await buildSite(folder, 'playground', {
    title: 'proxmo playground',
    description: 'Train a small language model with ProxMO in this browser.',
    withoutScripts: 'The playground trains by a program in this page, so it needs JavaScript.',
  });
  const bytes = files.reduce((sum, contents) => sum + gzipSync(contents, { level: 9 }).length, 0);
  if (bytes > most) throw new Error(`The playground has ${bytes} bytes compressed, but ${most} is the most.`);
  return bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? join(root, 'site');
  const bytes = await buildPlayground(folder);
  console.log(`${folder}: ${Math.round(bytes / 1000)} kB compressed; serve it from https, or from this machine.`);
}
