/**
 * Whether transcripts can begin. A window that is too long loses its past first, and has it again in the next turn; a
 * transcript that begins with a cut observation has lost the rest for good, and each of its turns is read afresh. So a
 * run whose transcripts cannot hold one turn is refused before it begins.
 */
import { ProxmoError } from '../base/errors.ts';
import type { Task, TaskSet } from '../envs/environment.ts';
import { askForTurn, closeEnvironment, type FaultSettings } from '../envs/faults.ts';
import { openingProblem } from '../envs/turns.ts';
import type { PromptBuilder } from '../text/prompt.ts';

/** Tasks of each type and list that are looked at. */
const tasksLookedAt = 2;

/**
 * Opens some tasks of each type, and looks at what a transcript of them begins with.
 * @param lists of tasks that the run plays
 * @throws {ProxmoError} `config` if a first turn does not fit, with how much it needs
 */
export async function checkOpenings(
  prompts: PromptBuilder,
  taskSet: TaskSet,
  lists: readonly (readonly Task[])[],
  settings: FaultSettings,
): Promise<void> {
  let longest = { tokens: 0, task: '' };
  for (const task of lists.flatMap(someOfEachType)) {
    const tokens = await openingLength(prompts, taskSet, task, settings);
    if (tokens > longest.tokens) longest = { tokens, task: task.id };
  }
  const { maxTokens } = prompts;
  if (longest.tokens <= maxTokens) return;
  throw new ProxmoError(
    'config',
    `A transcript of ${maxTokens} tokens cannot hold one turn of ${taskSet.name}: task and first observation of ${longest.task} need ${longest.tokens}; set prompt.maxTokens to that or more, and to the length of whole episodes if memory allows.`,
  );
}

function someOfEachType(tasks: readonly Task[]): Task[] {
  const counts = new Map<string, number>();
  return tasks.filter(({ type }) => {
    const count = (counts.get(type) ?? 0) + 1;
    counts.set(type, count);
    return count <= tasksLookedAt;
  });
}

/** Tokens of a task's first turn; 0 where its world fails, which the run counts and tells when it plays. */
async function openingLength(
  prompts: PromptBuilder,
  taskSet: TaskSet,
  task: Task,
  { stepTimeoutSeconds }: FaultSettings,
): Promise<number> {
  const environment = taskSet.createEnvironment();
  try {
    const turn = await askForTurn(taskSet.name, stepTimeoutSeconds, () => environment.reset(task), openingProblem);
    const { instruction, observation, admissibleActions } = turn;
    const input = { instruction, observation, admissibleActions, history: [], step: 0 };
    return prompts.open(input, Number.POSITIVE_INFINITY).ids.length;
  } catch (error) {
    if (error instanceof ProxmoError && error.code !== 'environment' && error.code !== 'non-finite') throw error;
    return 0;
  } finally {
    await closeEnvironment(environment);
  }
}
