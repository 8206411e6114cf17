/** All commands, put together. Each is a file of its own. */
import { Command } from 'commander';
import { packageVersion } from '../base/packageVersion.ts';
import { advantagesCommand } from './advantages.ts';
import { benchCommand } from './bench.ts';
import { compareCommand } from './compare.ts';
import { completeCommand, completionCommand } from './completion.ts';
import { configCommand } from './config.ts';
import { doctorCommand } from './doctor.ts';
import { envCommand } from './env.ts';
import { evalCommand } from './eval.ts';
import { exportRunCommand } from './export.ts';
import { fleetCommand } from './fleet.ts';
import { generateCommand } from './generate.ts';
import { gpuReportCommand } from './gpuReport.ts';
import { kernelCommand } from './kernel.ts';
import { modelCommand } from './model.ts';
import { standardError, standardOutput } from './output.ts';
import { playCommand } from './play.ts';
import { profileCommand } from './profile.ts';
import { sftCommand } from './sft.ts';
import { studyCommand } from './study.ts';
import { trainCommand } from './train.ts';
import { explainUnknownOption } from './unknownOption.ts';
import { viewCommand } from './view.ts';
import { whyCommand } from './why.ts';
import { workerCommand } from './worker.ts';

/** @param thisFile path of the program, for commands that start it anew */
export function createProgram(thisFile: string): Command {
  const program = new Command('proxmo')
    .description('Train small language-model policies for multi-turn tasks with ProxMO, on WebGPU.')
    .version(packageVersion)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => standardOutput.write(text),
      writeErr: (text) => standardError.write(text),
      outputError: (text, write) => write(`proxmo: ${text.replace(/^error: /, '')}`),
    });
  for (const command of [
    trainCommand(packageVersion, thisFile),
    sftCommand(packageVersion),
    studyCommand(packageVersion, thisFile),
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
    benchCommand(packageVersion),
    workerCommand(packageVersion),
    fleetCommand(),
    kernelCommand(),
    profileCommand(packageVersion, thisFile),
    viewCommand(),
    doctorCommand(packageVersion),
    gpuReportCommand(packageVersion, thisFile),
    completionCommand(),
    completeCommand(program),
  ]) {
    program.addCommand(command, { hidden: command.name() === 'complete' });
    inherit(program, command);
  }
  return program;
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
