/** `proxmo play`: watch a trained policy play an episode, step by step. */
import { Command } from 'commander';
import type { Split } from '../envs/environment.ts';
import { type DroppedEpisode, type Episode, playEpisodes } from '../rl/rollout.ts';
import { firstEvaluationEpisode } from '../rl/trainer.ts';
import { adapterOption, count, nonNegative, splitOption, wholeNumber } from './arguments.ts';
import { addStartOptions, withRun } from './loadedRun.ts';
import { standardError, standardOutput } from './output.ts';
import { chooseTasks } from './tasks.ts';
import { trustOption } from './trust.ts';
import { marked, meaningOfMarks } from './turnMarks.ts';

interface PlayOptions {
  readonly split?: Split;
  readonly type?: string;
  readonly seed?: number;
  readonly episodes: number;
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

export function playCommand(): Command {
  return addStartOptions(new Command('play'))
    .description('Watch a trained policy play episodes, step by step.')
    .argument('<run>', 'run folder, or a pretrained model')
    .addOption(splitOption("where its tasks come from (default: the run's evaluation split)"))
    .option('--type <type>', 'only tasks of this type')
    .option('--episodes <n>', 'how many', count, 1)
    .option('--seed <n>', "seed of tasks and sampling (default: the run's own of each)", wholeNumber)
    .option('--temperature <t>', "sampling temperature (default: the run's for evaluation)", nonNegative)
    .option('--checkpoint <iteration>', 'iteration whose checkpoint plays (default: the last)', wholeNumber)
    .addOption(trustOption())
    .addOption(adapterOption())
    .option('--json', 'print the episodes as JSON')
    .action((dir: string, options: PlayOptions) =>
      withRun(dir, options, async ({ trainer }) => {
        const { config, taskSet, policy } = trainer;
        const seed = options.seed ?? config.seed;
        const split = options.split ?? config.evaluation.split;
        const tasks = chooseTasks(taskSet, options.episodes, { ...options, split, seed });
        const temperature = options.temperature ?? config.evaluation.temperature;
        const controls = { ...policy.evaluationControls, seed, temperature };
        const { episodes, dropped } = await playEpisodes(policy.player, taskSet, tasks, {
          controls,
          firstEpisode: firstEvaluationEpisode,
          faults: trainer.faults,
        });
        tellDropped(dropped);
        if (options.json) standardOutput.json(episodes.map(withoutTrees));
        else for (const episode of episodes) standardOutput.print(describeEpisode(episode));
      }),
    );
}

function tellDropped(dropped: readonly DroppedEpisode[]): void {
  for (const { task, error } of dropped)
    standardError.print(`left out: the environment failed in task ${task.id} every time: ${error.message}`);
}

/** An episode as JSON: the trees that its replies were bound to would say the actions on offer again. */
function withoutTrees({ steps, ...episode }: Episode) {
  return { ...episode, steps: steps.map(({ bound: _, ...step }) => step) };
}

function describeEpisode({ task, instruction, steps, success }: Episode): string {
  const turns = steps.map((step, index) => {
    const probability = Math.exp(step.logProbs.reduce((sum, value) => sum + value, 0));
    return `${String(index + 1).padStart(3)}. ${step.observation}\n     > ${step.action}${marked(step)}  (p ${probability.toFixed(2)})`;
  });
  const end = `${success ? 'done' : 'not done'} after ${steps.length} steps`;
  const lines = [end, ...meaningOfMarks(steps)].map((line) => `     ${line}`);
  return `${[`${task.type}: ${instruction}`, ...turns, ...lines].join('\n')}\n`;
}
