/** `proxmo env play`: play an environment by hand, at the terminal or from a pipe. */
import { Command } from 'commander';
import { ProxmoError } from '../../base/errors.ts';
import type { Answer } from '../../envs/answer.ts';
import type { Environment, Split, Task, Turn } from '../../envs/environment.ts';
import { askForTurn, closeEnvironment } from '../../envs/faults.ts';
import { openingProblem, turnProblem } from '../../envs/turns.ts';
import { matchAction } from '../../text/actionFormat.ts';
import { splitOption, wholeNumber } from '../arguments.ts';
import { standardError, standardOutput } from '../output.ts';
import { PromptedLines } from '../promptedLines.ts';
import { chooseTasks } from '../tasks.ts';
import { type EnvironmentOptions, withEnvironment, withTaskSet } from './options.ts';

/** A person waits longer than a trainer would. */
const longestWaitSeconds = 600;

interface PlayOptions extends EnvironmentOptions {
  readonly split: Split;
  readonly type?: string;
  readonly seed: number;
}

export function playByHandCommand(): Command {
  return withEnvironment(new Command('play'))
    .description(
      'Play an episode by hand: answer with the number of an action or with any text; an empty line or Ctrl-D ends it.',
    )
    .addOption(splitOption('where its tasks come from').default('train'))
    .option('--type <type>', 'a task of this type')
    .option('--seed <n>', 'seed that chooses the task', wholeNumber, 1)
    .action(async (name: string, options: PlayOptions) => {
      await withTaskSet(name, options, async (taskSet) => {
        const [task] = chooseTasks(taskSet, 1, options);
        const environment = taskSet.createEnvironment();
        try {
          await play(new Asked(taskSet.name, environment), task);
        } finally {
          const error = await closeEnvironment(environment);
          if (error) standardError.print(`the environment could not be closed: ${error.message}`);
        }
      });
    });
}

/** An environment whose failures are told as such. */
class Asked {
  private task = '';

  constructor(
    private readonly name: string,
    private readonly environment: Environment,
  ) {}

  reset(task: Task) {
    this.task = task.id;
    return this.ask(() => this.environment.reset(task), openingProblem);
  }

  step(action: string) {
    return this.ask(() => this.environment.step(action), turnProblem);
  }

  private async ask<T extends Turn>(call: () => Answer<T>, problemOf: (turn: T) => string | null): Promise<T> {
    try {
      return await askForTurn(this.name, longestWaitSeconds, call, problemOf);
    } catch (error) {
      if (!(error instanceof ProxmoError)) throw error;
      throw new ProxmoError(error.code, `In task ${this.task}: ${error.message}`, { cause: error });
    }
  }
}

async function play(environment: Asked, task: Task): Promise<void> {
  const first = await environment.reset(task);
  print(`task ${task.id} (${task.type}): ${first.instruction}`);
  let turn: Turn = first;
  let steps = 0;
  let total = 0;
  show(turn);
  // Not sooner: lines that arrive before they are read below are lost.
  const lines = new PromptedLines(process.stdout);
  lines.ask();
  for await (const line of lines) {
    if (line.trim() === '') break;
    const action = readAction(line, turn);
    if (action === null) {
      print(`There is no action ${line.trim()}; the list ends at ${turn.admissibleActions?.length ?? 0}.`);
    } else {
      if (action !== line) print(`  ${action}`);
      turn = await environment.step(action);
      steps++;
      total += turn.reward;
      show(turn);
      if (turn.done) break;
    }
    lines.ask();
  }
  const score = turn.score === undefined ? '' : `, score ${turn.score}`;
  const parts = Object.entries(turn.components ?? {}).map(([name, value]) => `  ${name} ${value}`);
  print([`${turn.success ? 'done' : 'not done'} after ${steps} steps, reward ${total}${score}`, ...parts].join('\n'));
}

/** The action that a text means or a number names, or the text itself; null for a number that names none. */
function readAction(line: string, { admissibleActions }: Turn): string | null {
  const offered = matchAction(line, admissibleActions);
  if (offered !== null) return offered;
  const answer = line.trim();
  if (admissibleActions === null || !/^\d+$/.test(answer)) return answer;
  return admissibleActions[Number(answer) - 1] ?? null;
}

function show({ observation, admissibleActions, done }: Turn): void {
  print(`\n${observation}`);
  if (!done)
    for (const [index, action] of (admissibleActions ?? []).entries())
      print(`${String(index + 1).padStart(4)}  ${action}`);
}

function print(text: string): void {
  standardOutput.print(text);
}
