/**
 * Demonstrations for the warm start: a teacher's episodes, as the prompts that the policy would have read and the
 * replies that it should have given.
 */

import { ProxmoError } from '../base/errors.ts';
import type { Expert, Task, TaskSet, Turn } from '../envs/environment.ts';
import { askOnce } from '../envs/faults.ts';
import type { PromptReply } from '../nn/replies.ts';
import { Random } from '../tensor/random.ts';
import type { ActionFormat } from '../text/actionFormat.ts';
import type { PromptBuilder } from '../text/prompt.ts';
import type { PastTurn } from '../text/promptTypes.ts';
import type { Tokenizer } from '../text/tokenizer.ts';

/** How demonstrations are written as tokens. */
export interface Scribe {
  readonly tokenizer: Tokenizer;
  readonly prompts: PromptBuilder;
  readonly format: ActionFormat;
}

export const teachers = ['expert', 'solution'] as const;

export interface DemonstrationOptions {
  /** The task set's expert, which acts on what it sees; or a task's recorded solution, action by action. */
  readonly teacher: (typeof teachers)[number];
  /**
   * Share of turns in which the demonstrator takes an admissible action at random: an imperfect teacher, whose
   * recoveries are demonstrated too.
   */
  readonly noise: number;
  readonly seed: number;
  /** Longest wait for the environment. */
  readonly stepTimeoutSeconds: number;
}

/**
 * Lets the teacher play each task once, until it is accomplished or the teacher thinks so. Tasks that it does not
 * finish, or has no solution of, are left out.
 * @throws {ProxmoError} `config` if the task set has no such teacher, or recorded solutions are asked to err;
 * `environment` if the environment fails
 */
export async function demonstrate(
  scribe: Scribe,
  taskSet: TaskSet,
  tasks: readonly Task[],
  options: DemonstrationOptions,
): Promise<PromptReply[]> {
  const { teacher, noise, seed, stepTimeoutSeconds } = options;
  if (teacher === 'expert' && !taskSet.createExpert) {
    throw new ProxmoError(
      'config',
      `The environment ${taskSet.name} has no expert to learn from; set warmStart.tasks to 0.`,
    );
  }
  if (teacher === 'solution' && (!taskSet.solution || noise > 0)) {
    const problem = taskSet.solution
      ? 'A recorded solution cannot go on after a random action'
      : `The environment ${taskSet.name} has no recorded solutions`;
    throw new ProxmoError(
      'config',
      `${problem}; set warmStart.${taskSet.solution ? 'noise to 0' : 'teacher to expert'}.`,
    );
  }
  const pairs: PromptReply[] = [];
  const random = new Random(seed, 'demonstrations');
  for (const task of tasks) {
    const player =
      teacher === 'expert'
        ? (taskSet.createDemonstrator?.() ?? taskSet.createExpert!())
        : reciter(taskSet.solution!(task));
    if (player)
      pairs.push(
        ...(await demonstrateOne(
          scribe,
          taskSet,
          task,
          player,
          stepTimeoutSeconds,
          () => random.uniform() < noise && random,
        )),
      );
  }
  return pairs;
}

/** A player that recites recorded actions. */
function reciter(actions: readonly string[] | null): Expert | null {
  if (!actions) return null;
  let next = 0;
  return { reset: () => {}, act: () => actions[next++] ?? '' };
}

async function demonstrateOne(
  scribe: Scribe,
  taskSet: TaskSet,
  task: Task,
  teacher: Expert,
  stepTimeoutSeconds: number,
  /** Where this turn's action comes from: the teacher, if false. */
  drawNoise: () => Random | false,
): Promise<PromptReply[]> {
  const environment = taskSet.createEnvironment();
  const pairs: PromptReply[] = [];
  const history: PastTurn[] = [];
  try {
    const first = await askOnce(taskSet.name, stepTimeoutSeconds, () => environment.reset(task));
    teacher.reset(first.instruction);
    let turn: Turn = first;
    while (!turn.done && pairs.length < taskSet.maxSteps) {
      const { observation, admissibleActions } = turn;
      const wanted = teacher.act(turn, history.at(-1)?.action ?? null);
      // The call has shown the teacher what its last action came to.
      if (teacher.done) return pairs;
      const noise = drawNoise();
      const action =
        noise && admissibleActions?.length ? admissibleActions[noise.below(admissibleActions.length)]! : wanted;
      const prompt = scribe.prompts.build({
        instruction: first.instruction,
        history,
        step: pairs.length,
        observation,
        admissibleActions,
      });
      const reply = [...scribe.tokenizer.encode(writeReply(scribe.format, action)), scribe.tokenizer.endId];
      pairs.push({ prompt: prompt.ids, reply });
      history.push({ observation, action });
      turn = await askOnce(taskSet.name, stepTimeoutSeconds, () => environment.step(action));
    }
    return turn.success ? pairs : [];
  } finally {
    await environment.close?.();
  }
}

/** An action as the policy must write it. An expert has no thoughts to show, so its think tags are empty. */
function writeReply(format: ActionFormat, action: string): string {
  return format === 'plain' ? action : `<think></think><action>${action}</action>`;
}
