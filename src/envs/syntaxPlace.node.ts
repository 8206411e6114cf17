/**
 * Where a module does not parse. Node says so only when such a module ends the process, so a process of its own is
 * asked to parse it, without running it.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Files that are looked into: the module, and what it imports by relative paths. */
const mostFiles = 20;
const parseMs = 10_000;
const relativeImport = /(?:\bfrom|\bimport)\s*\(?\s*(['"])(\.{1,2}\/[^'"\n]+)\1/g;

/** The first file of a module that does not parse, with the line, as `/x/env.mjs:3`; null if that is not found. */
export async function syntaxErrorPlace(module: string): Promise<string | null> {
  const files = new Set([module]);
  for (const file of files) {
    const line = await firstBadLine(file);
    if (line !== null) return `${file}:${line}`;
    const text = await readFile(file, 'utf8').catch(() => '');
    for (const [, , path = ''] of text.matchAll(relativeImport))
      if (files.size < mostFiles) files.add(resolve(dirname(file), path));
  }
  return null;
}

function firstBadLine(file: string): Promise<string | null> {
  const names = [file, pathToFileURL(file).href];
  return new Promise((done) => {
    execFile(process.execPath, ['--check', file], { timeout: parseMs }, (_error, _stdout, stderr) => {
      const [first = ''] = stderr.split(/\r?\n/);
      const name = names.find((candidate) => first.startsWith(`${candidate}:`));
      done(name === undefined ? null : (/^\d+$/.exec(first.slice(name.length + 1))?.[0] ?? null));
    });
  });
}
