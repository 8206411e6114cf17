/**
 * All commands, put together. Each is a file of its own, and only the one that is called is loaded: most of the engine
 * takes longer to load than `proxmo config` takes to answer.
 */
import { Command } from 'commander';
import { packageVersion } from '../base/packageVersion.ts';
import { standardError, standardOutput } from './output.ts';
import { explainUnknownOption } from './unknownOption.ts';

interface Surroundings {
  readonly program: Command;
  /** Path of the program, for commands that start it anew. */
  readonly thisFile: string;
}

type Load = (surroundings: Surroundings) => Promise<Command>;

/** In the order in which help lists them. */
const commands: Readonly<Record<string, Load>> = {
  train: async ({ thisFile }) => (await import('./train.ts')).trainCommand(packageVersion, thisFile),
  sft: async () => (await import('./sft.ts')).sftCommand(packageVersion),
  study: async ({ thisFile }) => (await import('./study.ts')).studyCommand(packageVersion, thisFile),
  eval: async () => (await import('./eval.ts')).evalCommand(),
  play: async () => (await import('./play.ts')).playCommand(),
  why: async () => (await import('./why.ts')).whyCommand(),
  env: async () => (await import('./env.ts')).envCommand(),
  config: async () => (await import('./config.ts')).configCommand(),
  compare: async () => (await import('./compare.ts')).compareCommand(),
  export: async () => (await import('./export.ts')).exportRunCommand(),
  model: async () => (await import('./model.ts')).modelCommand(),
  generate: async () => (await import('./generate.ts')).generateCommand(),
  advantages: async () => (await import('./advantages.ts')).advantagesCommand(),
  bench: async () => (await import('./bench.ts')).benchCommand(packageVersion),
  worker: async () => (await import('./worker.ts')).workerCommand(packageVersion),
  fleet: async () => (await import('./fleet.ts')).fleetCommand(),
  kernel: async () => (await import('./kernel.ts')).kernelCommand(),
  profile: async ({ thisFile }) => (await import('./profile.ts')).profileCommand(packageVersion, thisFile),
  view: async () => (await import('./view.ts')).viewCommand(),
  doctor: async () => (await import('./doctor.ts')).doctorCommand(packageVersion),
  'gpu-report': async ({ thisFile }) => (await import('./gpuReport.ts')).gpuReportCommand(packageVersion, thisFile),
  completion: async () => (await import('./completion.ts')).completionCommand(),
  complete: async ({ program }) => (await import('./completion.ts')).completeCommand(program),
};

/** What speaks of other commands: help, completion. */
const ofAll = ['help', 'complete'];

/**
 * @param thisFile path of the program, for commands that start it anew
 * @param words what is to be parsed. Only the command that they begin with is there; all of them for help, and if they
 *   begin with a word that is misspelt; none for `--version`
 */
export async function createProgram(thisFile: string, words: readonly string[] = []): Promise<Command> {
  const program = new Command('proxmo')
    .description('Train small language-model policies for multi-turn tasks with ProxMO, on WebGPU.')
    .version(packageVersion)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => standardOutput.write(text),
      writeErr: (text) => standardError.write(text),
      outputError: (text, write) => write(`proxmo: ${text.replace(/^error: /, '')}`),
    });
  for (const command of await Promise.all(neededFor(words).map((load) => load({ program, thisFile })))) {
    program.addCommand(command, { hidden: command.name() === 'complete' });
    inherit(program, command);
  }
  return program;
}

function neededFor([first = '']: readonly string[]): readonly Load[] {
  if (Object.hasOwn(commands, first) && !ofAll.includes(first)) return [commands[first]!];
  return /^-(?!h$|-help$)/.test(first) ? [] : Object.values(commands);
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
