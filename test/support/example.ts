/** Runs programs that import `proxmo` against the sources, as their users would run them. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { wgslEsbuild } from '../../scripts/wgsl.mjs';
import { fastestAdapter } from './processAdapter.ts';

const root = join(import.meta.dirname, '..', '..');
const entries = ['engine', 'kernels', 'advantages', 'browser', 'node'];

/**
 * What a program of `examples/` prints.
 * @param changed of its source, to make it shorter
 * @throws if it ends with an error
 */
export async function runExample(
  name: string,
  changed = (source: string) => source,
  ...args: readonly string[]
): Promise<string> {
  const path = join(root, 'examples', name);
  return runSource(changed(await readFile(path, 'utf8')), path, [], args);
}

/** What a file of tests for `node --test` prints. @throws if one fails, with what is printed */
export async function runNodeTests(path: string): Promise<string> {
  return runSource(await readFile(path, 'utf8'), path, ['--test', '--test-reporter=tap'], []);
}

/**
 * What a program prints.
 * @param path of the program, from which it imports files
 * @param options of Node, @param args of the program
 * @throws if it ends with an error
 */
export async function runSource(
  contents: string,
  path: string,
  options: readonly string[] = [],
  args: readonly string[] = [],
): Promise<string> {
  // Within the checkout, where packages are found.
  const cache = join(root, 'node_modules', '.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'example-'));
  try {
    const outfile = join(folder, basename(path));
    await build({
      stdin: { contents, resolveDir: dirname(path) },
      alias: {
        ...Object.fromEntries(entries.map((entry) => [`proxmo/${entry}`, join(root, 'src', `${entry}.ts`)])),
        proxmo: join(root, 'src', 'index.ts'),
      },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      packages: 'external',
      plugins: [wgslEsbuild],
    });
    const env = { PROXMO_ADAPTER: fastestAdapter, ...process.env };
    const program = [...options, outfile, ...args];
    return (await promisify(execFile)(process.execPath, program, { env, cwd: folder })).stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
