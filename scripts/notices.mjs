/** Notices of the packages that a bundle is made of, as their licences ask for. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param inputs paths of what went into a bundle, as esbuild's metafile names them
 * @returns name, version and licence of each package among them, with the text of its licence
 */
export function noticesOf(inputs) {
  const folders = new Set(inputs.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
  return [...folders].sort().map(noticeOf).join('\n\n');
}

function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying)/i.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (texts.length === 0 && !license) throw new Error(`${folder} says nothing of its licence; it cannot be bundled.`);
  return [`${name} ${version} (${license ?? 'see below'})`, ...texts].join('\n\n');
}
