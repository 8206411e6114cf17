/** Runs a program of `examples/` against the sources, as its user would run it. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { wgslEsbuild } from '../../scripts/wgsl.mjs';

const root = join(import.meta.dirname, '..', '..');
const entries = ['engine', 'kernels', 'advantages', 'browser', 'node'];

/**
 * What the program prints.
 * @param changed of its source, to make it shorter
 * @throws if it ends with an error
 */
export async function runExample(name: string, changed = (source: string) => source): Promise<string> {
  const source = await readFile(join(root, 'examples', name), 'utf8');
  // Within the checkout, where packages are found.
  const cache = join(root, 'node_modules', '.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'example-'));
  try {
    const outfile = join(folder, name);
    await build({
      stdin: { contents: changed(source), resolveDir: join(root, 'examples') },
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
    const env = { PROXMO_ADAPTER: 'swiftshader', ...process.env };
    return (await promisify(execFile)(process.execPath, [outfile], { env, cwd: folder })).stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
