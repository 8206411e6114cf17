/**
 * Declarations that hold in every program: whether it has the DOM's types, `@webgpu/types` or neither, whatever
 * resolves its modules, and with its libraries checked.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { portable } from './wgsl.mjs';

/** Types of the platform that declarations name, and what they are where the program does not have them. */
const platformTypes = {
  AbortSignal: '{ readonly aborted: boolean; readonly reason: any; throwIfAborted(): void }',
  Buffer: 'Uint8Array',
  GPUBufferUsageFlags: 'number',
};

const platformFile = 'platform.d.ts';
const disposal = '/// <reference lib="esnext.disposable" preserve="true" />\n';

/** Mends all declarations in a folder, and adds what they import from `platform.d.ts`. */
export function finishDeclarations(folder) {
  const names = new Set();
  for (const name of readdirSync(folder, { recursive: true }).filter((file) => file.endsWith('.d.ts'))) {
    const file = join(folder, name);
    const text = readFileSync(file, 'utf8').replace(/((?:from|import\()\s*'\.[^']*)\.ts'/g, "$1.js'");
    const used = platformNames(text);
    for (const each of used) names.add(each);
    const path = portable(relative(dirname(file), join(folder, platformFile))).replace(/\.d\.ts$/, '.js');
    const specifier = path.startsWith('.') ? path : `./${path}`;
    const imports = used.length === 0 ? '' : `import type { ${used.join(', ')} } from '${specifier}';\n`;
    const library = /\bSymbol\.(asyncDispose|dispose)\b/.test(text) ? disposal : '';
    writeFileSync(file, `${library}${imports}${text}`);
  }
  writeFileSync(join(folder, platformFile), platformDeclarations([...names].sort()));
}

/** The platform's types that some declarations name, outside of comments. */
function platformNames(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const isKnown = (name) => name.startsWith('GPU') || Object.hasOwn(platformTypes, name);
  return [...new Set(code.match(/\b[A-Z]\w+\b/g) ?? [])].filter(isKnown).sort();
}

/** A class of the platform is the one that is global, where the program knows it. */
function platformDeclarations(names) {
  const of = (name) => {
    const otherwise = platformTypes[name] ?? 'any';
    if (otherwise === 'number') return `export type ${name} = number;`;
    return `export type ${name} = typeof globalThis extends { ${name}: { prototype: infer T } } ? T : ${otherwise};`;
  };
  return [
    "/** The platform's types, where a program has them: from TypeScript's DOM library, `@webgpu/types` or Node's types. */",
    ...names.map(of),
    '',
  ].join('\n');
}
