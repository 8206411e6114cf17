/** Runs the command line in a process of its own, as a user does. */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `proxmo ...args`, from the sources, on SwiftShader unless the environment says otherwise. */
export function proxmo(args: readonly string[], options: { readonly input?: string; readonly cwd?: string } = {}): Promise<CliResult> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(root, 'scripts', 'run.mjs'), join(root, 'src', 'cli', 'main.ts'), ...args],
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
