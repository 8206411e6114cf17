/** `proxmo why`: what the advantages of a run's turns are owed to, in words. It reads the run folder alone. */
import { Command, Option } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { openRun } from '../runs/run.ts';
import { count } from './arguments.ts';
import { standardOutput } from './output.ts';
import { describeActions, readActions } from './why/actions.ts';
import { describeEpisodes, describeStep, describeSteps } from './why/describe.ts';
import { chosenIteration, explainEpisode, malformedTurns, stepOf } from './why/find.ts';

interface WhyOptions {
  readonly iteration?: number;
  readonly episode?: number;
  readonly step?: number;
  readonly actions?: boolean;
  readonly json?: boolean;
}

export function whyCommand(): Command {
  return new Command('why')
    .description(
      'Explain the advantages of a run: of one step in full, of the steps of an episode, or list the episodes.',
    )
    .argument('<run>', 'run folder')
    .option(
      '--iteration <n>',
      'counted from 1 (default: the last in which episodes of a task earned differently, of those that were kept)',
      count,
    )
    .option('--episode <n>', 'of that iteration, counted from 1; without it, its episodes are listed', count)
    .option(
      '--step <n>',
      'of that episode, counted from 1 (in files and JSON `step` counts from 0); without it, all of its steps are told',
      count,
    )
    .addOption(
      new Option(
        '--actions',
        'what the policy did in every iteration, or in that of --iteration, by kinds of action: how often it took one where it could, and the mean advantage',
      ).conflicts(['episode', 'step']),
    )
    .option('--json', 'print what was written down of these rows, with the explanations, as JSON')
    .action(async (dir: string, options: WhyOptions) => {
      if (options.step !== undefined && options.episode === undefined)
        throw new ProxmoError('usage', '--step is of an episode; give --episode too.');
      const run = await openRun(dir);
      if (options.actions) {
        const read = await readActions(run, options.iteration);
        return options.json ? standardOutput.json(read) : standardOutput.print(describeActions(read));
      }
      const { index, newest } = await chosenIteration(run, options.iteration);
      if (newest !== null && !options.json)
        standardOutput.print(
          `iteration ${index.iteration} is the last in which episodes of a task earned differently; --iteration ${newest} shows the newest\n`,
        );
      if (options.episode === undefined) {
        if (options.json) standardOutput.json(index);
        else standardOutput.print(describeEpisodes(index, await malformedTurns(run, index)));
        return;
      }
      const told = await explainEpisode(run, index, options.episode);
      const steps = options.step === undefined ? told.steps : [stepOf(told.steps, options.step, options.episode)];
      const { iteration } = index;
      if (options.json) standardOutput.json({ iteration, episode: told.episode, steps });
      else if (options.step === undefined) standardOutput.print(describeSteps(index, told));
      else standardOutput.print(describeStep(index, told, steps[0]!));
    });
}
