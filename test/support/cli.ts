/** Runs the command line in a process of its own, as a user does. */
import { type ChildProcess, execFile } from 'node:child_process';
import { join } from 'node:path';
import { bundledCli } from './bundledCli.ts';
import { fastestAdapter } from './processAdapter.ts';

const root = join(import.meta.dirname, '..', '..');
const bundled = bundledCli();

/** What Dawn says of Vulkan drivers. Standard error is a socket here, so it stays (src/gpu/quiet.node.ts). */
const dawnWarning = /^Warning: maxDynamic\w+ artificially reduced .*\n/gm;

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface CliOptions {
  readonly input?: string;
  readonly cwd?: string;
  /** Environment variables besides those of the tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gets the process as it starts, to disturb it. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** `proxmo ...args`, from the sources, on the fastest test adapter unless the environment says otherwise. */
export async function proxmo(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return execute(process.execPath, [await bundled, ...args], options);
}

/** A script for bash in which `proxmo` is the command line. A pipe gives the code of what fails in it. */
export async function shell(script: string, options: CliOptions = {}): Promise<CliResult> {
  const define = `set -o pipefail; proxmo() { '${process.execPath}' '${await bundled}' "$@"; }`;
  return execute('bash', ['-c', `${define}\n${script}`], options);
}

function execute(file: string, args: readonly string[], { input, cwd, env, onStart }: CliOptions): Promise<CliResult> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      {
        cwd: cwd ?? root,
        env: { PROXMO_ADAPTER: fastestAdapter, ...process.env, ...env },
        maxBuffer: 2 ** 26,
      },
      (error, stdout, stderr) =>
        resolve({
          code: typeof error?.code === 'number' ? error.code : error ? 1 : 0,
          stdout,
          stderr: stderr.replaceAll(dawnWarning, ''),
        }),
    );
    onStart?.(child);
    // A command that ends without reading its input closes it.
    child.stdin?.on('error', () => undefined).end(input ?? '');
  });
}
