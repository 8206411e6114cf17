#!/usr/bin/env node
/**
 * The command line. Each command is a file of its own; this one puts them together, prints errors and sets the exit
 * code.
 */
import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { ProxmoError } from '../base/errors.ts';
import { advantagesCommand } from './advantages.ts';
import { benchCommand } from './bench.ts';
import { doctorCommand } from './doctor.ts';
import { envCommand } from './env.ts';
import { evalCommand } from './eval.ts';
import { generateCommand } from './generate.ts';
import { modelCommand } from './model.ts';
import { playCommand } from './play.ts';
import { profileCommand } from './profile.ts';
import { trainCommand } from './train.ts';

/** Exit code after Ctrl-C, by the shells' convention: 128 + SIGINT. */
const interrupted = 130;

async function main(): Promise<number> {
  const program = new Command('proxmo')
    .description('Train small language-model policies for multi-turn tasks with ProxMO, on WebGPU.')
    .version(packageJson.version)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`proxmo: ${text.replace(/^error: /, '')}`) });
  for (const command of [
    trainCommand(packageJson.version),
    evalCommand(),
    playCommand(),
    envCommand(),
    modelCommand(),
    generateCommand(),
    advantagesCommand(),
    benchCommand(packageJson.version),
    profileCommand(packageJson.version),
    doctorCommand(packageJson.version),
  ]) {
    program.addCommand(command);
    inherit(program, command);
  }
  try {
    await program.parseAsync();
    return 0;
  } catch (error) {
    return report(error);
  }
}

/** Errors of a command, and of the commands below it, come back here and look alike. */
function inherit(parent: Command, command: Command): void {
  command.exitOverride().copyInheritedSettings(parent);
  for (const child of command.commands) inherit(command, child);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ProxmoError) {
    process.stderr.write(`proxmo: ${error.message}\n`);
    return error.code === 'usage' ? 2 : error.code === 'interrupted' ? interrupted : 1;
  }
  if (isSystemError(error)) {
    process.stderr.write(
      `proxmo: A file or folder cannot be used (${error.message}); check the path, its permissions and the space there.\n`,
    );
    return 1;
  }
  process.stderr.write(
    `proxmo: an unexpected error, which is a bug of proxmo: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return 70;
}

/** Whether the operating system refused something, as when a disk is full. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

// The GPU driver's threads would keep the process alive.
process.exit(await main());
