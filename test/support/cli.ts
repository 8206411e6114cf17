/**
 * Runs the command line in a process of its own, as a user does. It is bundled once for all calls of a test file: most
 * of them take less time than that.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { bundle } from '../../scripts/bundle.mjs';

const root = join(import.meta.dirname, '..', '..');
const bundled = bundle(join(root, 'src', 'cli', 'main.ts'));

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
  const program = await bundled;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      {
        cwd: options.cwd ?? root,
        env: { ...process.env, PROXMO_ADAPTER: process.env.PROXMO_ADAPTER ?? 'swiftshader' },
        maxBuffer: 2 ** 26,
      },
      (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
    );
    child.stdin?.end(options.input ?? '');
  });
}
