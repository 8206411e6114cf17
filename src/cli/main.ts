#!/usr/bin/env node
/**
 * The command line: runs the commands (`program.ts`), prints errors and sets the exit code.
 */
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { isSystemError, systemReason } from '../base/systemErrors.node.ts';
import { keepNativeCodeQuiet } from '../gpu/quiet.node.ts';
import { finish, standardError } from './output.ts';
import { createProgram } from './program.ts';

/** Exit code after Ctrl-C, by the shells' convention: 128 + SIGINT. */
const interrupted = 130;

async function main(): Promise<number> {
  const words = process.argv.slice(2);
  try {
    const program = await createProgram(fileURLToPath(import.meta.url), words);
    await program.parseAsync(words, { from: 'user' });
    return 0;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ProxmoError) {
    standardError.print(`proxmo: ${error.message}`);
    return error.code === 'usage' ? 2 : error.code === 'interrupted' ? interrupted : 1;
  }
  if (isSystemError(error)) {
    standardError.print(`proxmo: ${describeSystemError(error)}`);
    return 1;
  }
  standardError.print(
    `proxmo: an unexpected error, which is a bug of proxmo: ${error instanceof Error ? error.stack : String(error)}`,
  );
  return 70;
}

/** For example `runs/1 cannot be used: permission is denied (EACCES); …`. */
function describeSystemError(error: NodeJS.ErrnoException): string {
  const { path, syscall } = error;
  const what = path === undefined ? `The system call ${syscall} failed` : `${path} cannot be used`;
  return `${what}: ${systemReason(error)}; check the path, its permissions and the space there.`;
}

keepNativeCodeQuiet();
process.exitCode = await finish(await main());
// Node ends by itself where nothing is left to do. What an environment leaves running does not keep it alive.
setTimeout(() => process.exit(), 500).unref();
