#!/usr/bin/env node
/**
 * The command line. Each command is a file of its own; this one puts them together, prints errors and sets the exit
 * code.
 */
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { ProxmoError } from '../base/errors.ts';
import { isSystemError, systemReason } from '../base/systemErrors.node.ts';
import { keepNativeCodeQuiet } from '../gpu/quiet.node.ts';
import { advantagesCommand } from './advantages.ts';
import { benchCommand } from './bench.ts';
import { compareCommand } from './compare.ts';
import { configCommand } from './config.ts';
import { doctorCommand } from './doctor.ts';
import { envCommand } from './env.ts';
import { evalCommand } from './eval.ts';
import { exportRunCommand } from './export.ts';
import { generateCommand } from './generate.ts';
import { modelCommand } from './model.ts';
import { finish, standardError, standardOutput } from './output.ts';
import { playCommand } from './play.ts';
import { profileCommand } from './profile.ts';
import { studyCommand } from './study.ts';
import { trainCommand } from './train.ts';
import { explainUnknownOption } from './unknownOption.ts';
import { viewCommand } from './view.ts';
import { whyCommand } from './why.ts';

/** Exit code after Ctrl-C, by the shells' convention: 128 + SIGINT. */
const interrupted = 130;

const thisFile = fileURLToPath(import.meta.url);

async function main(): Promise<number> {
  const program = new Command('proxmo')
    .description('Train small language-model policies for multi-turn tasks with ProxMO, on WebGPU.')
    .version(packageJson.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => standardOutput.write(text),
      writeErr: (text) => standardError.write(text),
      outputError: (text, write) => write(`proxmo: ${text.replace(/^error: /, '')}`),
    });
  for (const command of [
    trainCommand(packageJson.version, thisFile),
    studyCommand(packageJson.version, thisFile),
    evalCommand(),
    playCommand(),
    whyCommand(),
    envCommand(),
    configCommand(),
    compareCommand(),
    exportRunCommand(),
    modelCommand(),
    generateCommand(),
    advantagesCommand(),
    benchCommand(packageJson.version),
    profileCommand(packageJson.version, thisFile),
    viewCommand(),
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
  command
    .exitOverride()
    .copyInheritedSettings(parent)
    .configureOutput({
      outputError: (text, write) => write(`proxmo: ${explainUnknownOption(command, text.replace(/^error: /, ''))}`),
    });
  for (const child of command.commands) inherit(command, child);
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
