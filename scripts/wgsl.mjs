/**
 * Makes a module of a `.wgsl` file: its name from `shaders/`, its text, and the files that it includes, which are
 * modules too; those that it loads are imported when they are needed. What becomes of the text is the preprocessor's
 * matter (`kernels/wgsl.ts`).
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const shaderRoot = join(dirname(fileURLToPath(import.meta.url)), '..', 'shaders');

/** A path with `/` between its parts, whatever the system writes. */
export const portable = (path) => path.split(sep).join('/');

function moduleOf(path, textOf = (text) => text) {
  const text = textOf(readFileSync(path, 'utf8'));
  const specifier = (name) => JSON.stringify(`./${portable(relative(dirname(path), join(shaderRoot, name)))}`);
  const named = (directive) => {
    const lines = text.matchAll(new RegExp(`^\\s*//#${directive} "([^"]+)"`, 'gm'));
    return [...new Set(Array.from(lines, ([, name]) => name))];
  };
  const names = named('include');
  const loads = named('load').map(
    (name) => `${JSON.stringify(name)}: () => import(${specifier(name)}).then((module) => module.default)`,
  );
  return [
    ...names.map((name, at) => `import file${at} from ${specifier(name)};`),
    `const includes = { ${names.map((name, at) => `${JSON.stringify(name)}: file${at}`).join(', ')} };`,
    `const name = ${JSON.stringify(portable(relative(shaderRoot, path)))};`,
    `const loads = { ${loads.join(', ')} };`,
    `export default { name, text: ${JSON.stringify(text)}, includes, loads };`,
  ].join('\n');
}

/** A shader without what only readers need: comments, indentation, empty lines, spaces around brackets and commas. */
function compact(text) {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines
    .map((line) => (line.startsWith('//#') ? line : line.replace(/\s*\/\/.*$/, '').replace(/ ?([{}();,]) ?/g, '$1')))
    .filter((line) => line !== '')
    .join('\n');
}

const esbuildPlugin = (textOf) => ({
  name: 'wgsl',
  setup(build) {
    build.onLoad({ filter: /\.wgsl$/ }, ({ path }) => ({
      contents: moduleOf(path, textOf),
      loader: 'js',
      resolveDir: dirname(path),
    }));
  },
});

/** esbuild plugin. */
export const wgslEsbuild = esbuildPlugin();

/** esbuild plugin for what is shipped: shaders take half of their room. */
export const compactWgslEsbuild = esbuildPlugin(compact);

/** Vite (vitest) plugin. */
export const wgslVite = {
  name: 'wgsl',
  enforce: 'pre',
  load(id) {
    return id.endsWith('.wgsl') ? moduleOf(id) : null;
  },
};
