/** `proxmo eval`: how often a trained policy succeeds on fixed held-out tasks. */
import { Command, Option } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import type { Split, Task, TaskSet } from '../envs/environment.ts';
import { evaluate } from '../rl/evaluate.ts';
import { episodesAtOnce } from '../rl/policy.ts';
import { summariseEvaluation } from '../rl/summary.ts';
import { firstEvaluationEpisode } from '../rl/trainer.ts';
import { adapterOption, count, nonNegative, splitOption, wholeNumber } from './arguments.ts';
import { creditRows } from './credit.ts';
import { droppedNote } from './dropped.ts';
import { addStartOptions, withRun } from './loadedRun.ts';
import { standardOutput } from './output.ts';
import { ProgressLine } from './progressLine.ts';
import { duration, formatTable, percent } from './table.ts';
import { trustOption } from './trust.ts';

interface EvalOptions {
  readonly split?: Split;
  readonly tasks?: number;
  readonly all?: boolean;
  readonly seed?: number;
  readonly temperature?: number;
  readonly checkpoint?: number;
  readonly preset?: string;
  readonly config?: string;
  readonly env?: string;
  readonly set: readonly string[];
  readonly trust?: boolean;
  readonly adapter?: string;
  readonly json?: boolean;
}

export function evalCommand(): Command {
  return addStartOptions(new Command('eval'))
    .description('Evaluate a trained policy on fixed held-out tasks, each once, with a 95 % interval.')
    .argument('<run>', 'run folder, or a pretrained model')
    .addOption(splitOption("where its tasks come from (default: the run's)"))
    .option('--tasks <n>', "number of tasks (default: the run's)", count)
    .addOption(new Option('--all', 'every task of the split, in a fixed order').conflicts('tasks'))
    .option('--seed <n>', "seed of tasks and sampling (default: the run's own of each)", wholeNumber)
    .option('--temperature <t>', "sampling temperature, 0 for the likeliest token (default: the run's)", nonNegative)
    .option('--checkpoint <iteration>', 'iteration whose checkpoint is evaluated (default: the last)', wholeNumber)
    .addOption(trustOption())
    .addOption(adapterOption())
    .option('--json', 'print the result as JSON')
    .action((dir: string, options: EvalOptions) =>
      withRun(dir, { ...options, ...episodesOf(options) }, async ({ gpu, trainer, iteration }) => {
        const { taskSet } = trainer;
        const { evaluation: defaults, seed: runSeed } = trainer.config;
        const split = options.split ?? defaults.split;
        const seed = options.seed ?? runSeed;
        const tasks = options.all
          ? everyTask(taskSet, split)
          : taskSet.tasks(split, options.tasks ?? defaults.tasks, options.seed ?? defaults.seed);
        const line = new ProgressLine();
        const evaluation = await evaluate(trainer.policy.player, taskSet, tasks, {
          controls: {
            ...trainer.policy.evaluationControls,
            seed,
            temperature: options.temperature ?? defaults.temperature,
          },
          firstEpisode: firstEvaluationEpisode,
          // As the run's own evaluations, so that they can be repeated.
          atOnce: options.all ? undefined : episodesAtOnce(trainer.config),
          faults: trainer.faults,
          onTurn: (running, total, done) =>
            line.show('evaluation', `evaluation: ${percent(done)}, ${total - running} of ${total} episodes over`),
        });
        line.clear();
        const result = {
          run: dir,
          iteration,
          split,
          seed,
          seconds: evaluation.seconds,
          ...summariseEvaluation(evaluation),
        };
        if (options.json) standardOutput.json(result);
        else {
          const rows = [['all', evaluation] as const, ...Object.entries(evaluation.byTask)];
          const cells = rows.map(([name, { success, interval, episodes }]) => [
            name,
            percent(success),
            `${percent(interval[0])} to ${percent(interval[1])}`,
            String(episodes),
          ]);
          const credit = creditRows(evaluation).map(([name, mean = 0]) => [name, mean.toFixed(3)]);
          standardOutput.print(
            `${formatTable([['success', 'rate', '95 % interval', 'episodes'], ...cells, ...credit])}\n`,
          );
          standardOutput.print(
            `${split} tasks, iteration ${iteration}; mean length ${evaluation.meanLength.toFixed(1)} steps, ${percent(evaluation.validShare)} valid actions, ${duration(evaluation.seconds)} on ${gpu.adapter.name}${droppedNote(evaluation)}`,
          );
        }
      }),
    );
}

/** How many tasks are asked for, where that is said. */
function episodesOf({ all, tasks }: EvalOptions): { episodes?: number } {
  if (all) return { episodes: Number.POSITIVE_INFINITY };
  return tasks === undefined ? {} : { episodes: tasks };
}

function everyTask(taskSet: TaskSet, split: Split): readonly Task[] {
  if (!taskSet.allTasks)
    throw new ProxmoError(
      'usage',
      `The environment ${taskSet.name} does not list its tasks; give --tasks instead of --all.`,
    );
  return taskSet.allTasks(split);
}
