/**
 * Looks at a release as its users will get it, and prints how to publish it; publishes nothing itself.
 *
 *     npm run release [-- --draft]
 *
 * The tree must be clean, the version new, and CHANGELOG.md have a section of it; `--draft` leaves these out, to try
 * the rest at any time. The package is then built, packed, and installed from the tarball into an empty folder, with
 * its dependencies from the registry. There the command line, an import of every entry, and both skeletons with their
 * tests must work.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const isDraft = process.argv.includes('--draft');
const folder = mkdtempSync(join(tmpdir(), 'proxmo-release-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Runs a program and returns what it prints. @throws if it fails, with what it said */
const run = (cwd, program, ...args) =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

function step(name, check) {
  const start = performance.now();
  check();
  console.log(`${name}: good, ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

function refuse(problem) {
  console.error(`No release: ${problem}`);
  process.exit(1);
}

if (!isDraft) {
  if (run(root, 'git', 'status', '--porcelain').trim() !== '') refuse('the tree has changes; commit them first.');
  if (run(root, 'git', 'tag', '--list', `v${version}`).trim() !== '')
    refuse(`there is a tag v${version} already; raise the version in package.json.`);
  if (!readFileSync(join(root, 'CHANGELOG.md'), 'utf8').includes(`\n## ${version}\n`))
    refuse(`CHANGELOG.md has no section "## ${version}"; write what is new.`);
}

step('build', () => run(root, 'npm', 'run', 'build'));
const [{ filename }] = JSON.parse(run(root, 'npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', folder));
const project = join(folder, 'stranger');
step('install', () => {
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }));
  run(project, 'npm', 'install', '--no-audit', '--no-fund', join(folder, filename), '@sparticuz/chromium');
});
step('command line', () => {
  const told = run(project, 'npx', 'proxmo', '--version').trim();
  if (told !== version) refuse(`proxmo --version says ${told}, not ${version}.`);
  run(project, 'npx', 'proxmo', 'doctor');
});
step('imports', () => {
  const names = Object.keys(exports).filter((entry) => !entry.endsWith('.json'));
  const specifiers = JSON.stringify(names.map((entry) => `proxmo${entry.slice(1)}`));
  run(project, 'node', '--input-type=module', '-e', `for (const name of ${specifiers}) await import(name);`);
});
step('skeletons', () => {
  run(project, 'npx', 'proxmo', 'env', 'new', 'my-world');
  run(project, 'npx', 'proxmo', 'kernel', 'new', 'softSign');
  run(project, 'node', '--test', 'my-world.test.mjs', 'softSign.test.mjs');
  run(project, 'npx', 'proxmo', 'env', 'check', './my-world.mjs');
});
console.log(`\nproxmo ${version} is ready. To publish it:\n  git tag v${version} && git push --tags\n  npm publish`);
