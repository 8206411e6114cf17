/**
 * Builds the page of a tab that works for a fleet, a static site: `npm run fleet-page -- [FOLDER]` (default:
 * `fleet-page`).
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSite, root } from './site.mjs';

/** Writes the site. */
export async function buildFleetPage(folder) {
  await buildSite(folder, 'fleetTab', {
    title: 'proxmo worker',
    withoutScripts: 'This page computes by a program in it, so it needs JavaScript.',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? join(root, 'fleet-page');
  await buildFleetPage(folder);
  console.log(`${folder}: serve it from https, or from this machine.`);
}
