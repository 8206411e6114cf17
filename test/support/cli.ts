/** Runs the command line in a process of its own, as a user does. It is bundled once for all calls of a test file: most of them take less time than that. */
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { wgslEsbuild } from '../../scripts/wgsl.mjs';

const root = join(import.meta.dirname, '..', '..');
/** Within the checkout, where the packages that stay outside the bundle are found. */
const bundle = join(root, 'node_modules', '.cache', 'proxmo', `cli-test-${process.pid}.mjs`);
const bundled = build({
  entryPoints: [join(root, 'src', 'cli', 'main.ts')],
  outfile: bundle,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  plugins: [wgslEsbuild],
});
process.once('exit', () => rmSync(bundle, { force: true }));

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `proxmo ...args`, from the sources, on SwiftShader unless the environment says otherwise. */
export async function proxmo(
  args: readonly string[],
  options: { readonly input?: string; readonly cwd?: string } = {},
): Promise<CliResult> {
  await bundled;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [bundle, ...args],
      {
        cwd: options.cwd ?? root,
        env: { ...process.env, PROXMO_ADAPTER: process.env.PROXMO_ADAPTER ?? 'swiftshader' },
        maxBuffer: 2 ** 26,
      },
      (error, stdout, stderr) => resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
    );
    child.stdin?.end(options.input ?? '');
  });
}
