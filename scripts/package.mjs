/**
 * Checks what `npm publish` would publish, as its users get it: packs `dist/` as it is, unpacks that as npm and as pnpm
 * lay packages out, and looks at it with publint, attw, TypeScript, esbuild and Node. Needs no network.
 *
 *     npm run build && npm run package
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'proxmo-package-'));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith('.json'));
const specifiers = entries.map((entry) => `proxmo${entry.slice(1)}`);
const problems = [];
/** Parsed files, which the programs of all settings share. */
const parsed = new Map();
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Most bytes of a program that multiplies two matrices in a browser, minified, before it loads a kernel's method. */
const mostBytesOfMatmul = 58_000;

const tarball = pack();
await step('publint', lint);
await step('attw', checkTypesResolve);
const layouts = { npm: unpackAsNpm(), pnpm: unpackAsPnpm() };
await step('types', checkTypes);
await step('links', () => checkLinks(join(layouts.npm, 'node_modules', 'proxmo')));
await step('imports', checkImports);
await step('bundles', checkBundles);
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);

async function step(name, check) {
  const before = problems.length;
  const start = performance.now();
  await check();
  const result = problems.length === before ? 'good' : `${problems.length - before} problems`;
  console.log(`${name}: ${result}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

function pack() {
  const options = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const [{ filename, unpackedSize, entryCount }] = JSON.parse(
    execFileSync('npm', options, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  console.log(`${filename}: ${entryCount} files, ${(unpackedSize / 1e6).toFixed(1)} MB unpacked`);
  return join(folder, filename);
}

function unpack(into) {
  mkdirSync(into, { recursive: true });
  execFileSync('tar', ['xzf', tarball, '--strip-components=1', '-C', into]);
}

function link(name, into) {
  mkdirSync(dirname(join(into, name)), { recursive: true });
  symlinkSync(join(root, 'node_modules', name), join(into, name), 'dir');
}

/** All packages side by side. */
function unpackAsNpm() {
  const project = join(folder, 'npm');
  const modules = join(project, 'node_modules');
  unpack(join(modules, 'proxmo'));
  for (const name of [...Object.keys(manifest.dependencies), '@types/node', 'undici-types']) link(name, modules);
  return project;
}

/** The package sees its own dependencies, and the project sees the package. */
function unpackAsPnpm() {
  const project = join(folder, 'pnpm');
  const inner = join(project, 'node_modules', '.pnpm', `proxmo@${manifest.version}`, 'node_modules');
  unpack(join(inner, 'proxmo'));
  for (const name of Object.keys(manifest.dependencies)) link(name, inner);
  symlinkSync(join(inner, 'proxmo'), join(project, 'node_modules', 'proxmo'), 'dir');
  link('@types/node', join(project, 'node_modules'));
  return project;
}

async function lint() {
  const { messages } = await publint({ pkgDir: join(root), strict: true });
  for (const message of messages) problems.push(`publint: ${formatMessage(message, manifest)}`);
}

/** CommonJS gets the package by `import()` alone: it is ES modules throughout. */
function checkTypesResolve() {
  try {
    const attw = join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
    execFileSync(process.execPath, [attw, tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-color'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch ({ stdout, stderr }) {
    problems.push(`attw: ${stdout}${stderr}`);
  }
}

/** A program that uses every entry, with its libraries checked. */
function checkTypes() {
  const programOf = (names) => `${names.map((name, at) => `import * as entry${at} from '${name}';`).join('\n')}
export const all = [${names.map((_, at) => `entry${at}`).join(', ')}];
`;
  const resolutions = {
    nodenext: { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
  };
  const platforms = {
    dom: { lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], types: [] },
    node: { lib: ['lib.es2022.d.ts'], types: ['node'] },
    neither: { lib: ['lib.es2022.d.ts'], types: [] },
  };
  // Every two of these choices meet.
  const chosen = [
    ['npm', 'nodenext', 'dom'],
    ['npm', 'bundler', 'node'],
    ['pnpm', 'nodenext', 'node'],
    ['pnpm', 'bundler', 'dom'],
    ['npm', 'nodenext', 'neither'],
    ['pnpm', 'bundler', 'neither'],
  ];
  for (const project of Object.values(layouts)) {
    writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
    writeFileSync(join(project, 'all.ts'), programOf(specifiers));
    // zod's own types need a platform's: without one there is the engine.
    writeFileSync(join(project, 'engine.ts'), programOf(['proxmo/engine', 'proxmo/kernels', 'proxmo/browser']));
  }
  for (const [layout, resolution, platform] of chosen) {
    const file = join(layouts[layout], platform === 'neither' ? 'engine.ts' : 'all.ts');
    checkProgram(file, { ...resolutions[resolution], ...platforms[platform] }, `${layout}, ${resolution}, ${platform}`);
  }
}

function checkProgram(file, settings, label) {
  const options = { ...settings, target: ts.ScriptTarget.ES2022, strict: true, skipLibCheck: false, noEmit: true };
  const host = ts.createCompilerHost(options);
  host.getCurrentDirectory = () => dirname(file);
  const parse = host.getSourceFile.bind(host);
  host.getSourceFile = (file, version, ...rest) => {
    const key = `${file} ${JSON.stringify(version)}`;
    if (!parsed.has(key)) parsed.set(key, parse(file, version, ...rest));
    return parsed.get(key);
  };
  const program = ts.createProgram([file], options, host);
  for (const { file, start, messageText } of ts.getPreEmitDiagnostics(program)) {
    const at = file ? `${file.fileName}:${file.getLineAndCharacterOfPosition(start ?? 0).line + 1}` : '';
    problems.push(`types (${label}): ${at} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
  }
}

/** Links of the package's pages lead to what is in the package. */
function checkLinks(unpacked) {
  const pages = readdirSync(unpacked, { recursive: true }).filter((name) => name.endsWith('.md'));
  for (const page of pages) {
    const text = readFileSync(join(unpacked, page), 'utf8').replace(/```[\s\S]*?```/g, '');
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|#)/.test(target)) continue;
      const file = join(unpacked, dirname(page), target.replace(/#.*$/, ''));
      if (!existsSync(file)) problems.push(`links: ${page} links to ${target}, which is not in the package`);
    }
  }
}

/** Node loads every entry in either layout, without a device. */
function checkImports() {
  for (const [layout, project] of Object.entries(layouts)) {
    const program = `for (const name of ${JSON.stringify(specifiers)}) await import(name);`;
    try {
      execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: project, stdio: 'pipe' });
    } catch ({ stderr }) {
      problems.push(`imports (${layout}): ${stderr}`);
    }
  }
}

/** Bundles for browsers: all but `proxmo/node`, and one product, which takes along nothing else. */
async function checkBundles() {
  const inBrowser = specifiers.filter((name) => name !== 'proxmo/node');
  await bundle(inBrowser.map((name, at) => `export * as entry${at} from '${name}';`).join('\n'));
  const product = await bundle(`
    import { Engine, input, matmul } from 'proxmo/engine';
    import { openBrowserDevice } from 'proxmo/browser';
    const engine = new Engine(await openBrowserDevice());
    const c = matmul(input('a', [2, 3]), input('b', [3, 4]));
    const program = await engine.compile({ name: 'product', outputs: { c } });
    console.log(await program.run({ a: new Float32Array(6), b: new Float32Array(12) }));
  `);
  console.log(`one matmul: ${(product / 1000).toFixed(1)} KB minified`);
  if (product > mostBytesOfMatmul)
    problems.push(`bundles: a matmul takes ${product} bytes, more than ${mostBytesOfMatmul}`);
}

/** Bytes of a program's bundle. */
async function bundle(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: layouts.npm },
    bundle: true,
    minify: true,
    write: false,
    splitting: true,
    outdir: folder,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    preserveSymlinks: true,
    logLevel: 'error',
  });
  return sizeWithImports(
    outputFiles.find(({ path }) => path.endsWith('stdin.js')),
    outputFiles,
  );
}

/** Bytes of a file and of what it imports at once. What is imported when it is needed does not count. */
function sizeWithImports(file, files, counted = new Set()) {
  if (!file || counted.has(file)) return 0;
  counted.add(file);
  const imported = [...file.text.matchAll(/\b(?:from|import)\s*"\.\/([^"]+)"/g)].map(([, name]) => name);
  return imported.reduce(
    (sum, name) =>
      sum +
      sizeWithImports(
        files.find(({ path }) => path.endsWith(name)),
        files,
        counted,
      ),
    file.contents.length,
  );
}
