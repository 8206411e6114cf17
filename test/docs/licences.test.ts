/** docs/licences.md has the licence of every package that users install, as that package states it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tableOf } from '../support/markdown.ts';

const root = join(import.meta.dirname, '..', '..');
const jsonOf = (...path: string[]) => JSON.parse(readFileSync(join(root, ...path), 'utf8'));
const { dependencies, peerDependencies } = jsonOf('package.json');

it('names every dependency with its licence', () => {
  const page = readFileSync(join(root, 'docs', 'licences.md'), 'utf8');
  const told = new Map(
    tableOf(page, 'package', 'licence', 'what for').flatMap(([packages, licences]) => {
      const names = [...packages!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
      const all = licences!.replaceAll(/ \([^)]*\)/g, '').split(', ');
      return names.map((name, index) => [name, all[index] ?? all[0]!] as const);
    }),
  );
  const stated = Object.keys({ ...dependencies, ...peerDependencies }).map(
    (name) => [name, jsonOf('node_modules', name, 'package.json').license as string] as const,
  );
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(stated));
});
