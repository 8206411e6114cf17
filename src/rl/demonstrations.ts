/**
 * Demonstrations for the warm start: a teacher's episodes, as the policy would have read them, with the replies that it
 * should have given.
 */

import { ProxmoError } from '../base/errors.ts';
import type { Expert, Task, TaskSet, Turn } from '../envs/environment.ts';
import { askOnce } from '../envs/faults.ts';
import type { TokenSequence } from '../nn/replies.ts';
import { Random } from '../tensor/random.ts';
import { type ActionFormat, matchAction } from '../text/actionFormat.ts';
import type { PromptBuilder } from '../text/prompt.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { contextSequences, createMemory, type MemoryForm, type TurnTokens } from './episodeMemory.ts';

/** How demonstrations are written as tokens. */
export interface Scribe {
  readonly tokenizer: Tokenizer;
  readonly prompts: PromptBuilder;
  /** `window` by default. */
  readonly memory?: MemoryForm;
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
): Promise<TokenSequence[]> {
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
  const sequences: TokenSequence[] = [];
  const random = new Random(seed, 'demonstrations');
  for (const task of tasks) {
    const player =
      teacher === 'expert'
        ? (taskSet.createDemonstrator?.() ?? taskSet.createExpert!())
        : reciter(taskSet.solution!(task));
    if (player)
      sequences.push(
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
  return sequences;
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
): Promise<TokenSequence[]> {
  const environment = taskSet.createEnvironment();
  const { tokenizer, format, prompts } = scribe;
  const memory = createMemory(scribe.memory ?? 'window', prompts, [tokenizer.endId]);
  const turns: TurnTokens[] = [];
  let taken: string | null = null;
  try {
    const first = await askOnce(taskSet.name, stepTimeoutSeconds, () => environment.reset(task));
    teacher.reset(first.instruction);
    let turn: Turn = first;
    while (!turn.done && turns.length < taskSet.maxSteps) {
      const { observation, admissibleActions } = turn;
      const named = teacher.act(turn, taken);
      const wanted = matchAction(named, admissibleActions) ?? named;
      // The call has shown the teacher what its last action came to.
      if (teacher.done) return contextSequences(turns);
      const noise = drawNoise();
      const action =
        noise && admissibleActions?.length ? admissibleActions[noise.below(admissibleActions.length)]! : wanted;
      const { tokens, context } = memory.read({ instruction: first.instruction, observation, admissibleActions });
      const reply = [...tokenizer.encode(writeReply(format, action)), tokenizer.endId];
      memory.wrote(reply, action);
      turns.push({ prompt: tokens, context, reply });
      taken = action;
      turn = await askOnce(taskSet.name, stepTimeoutSeconds, () => environment.step(action));
    }
    return turn.success ? contextSequences(turns) : [];
  } finally {
    await environment.close?.();
  }
}

/** An action as the policy must write it. An expert has no thoughts to show, so its think tags are empty. */
function writeReply(format: ActionFormat, action: string): string {
  return format === 'plain' ? action : `<think></think><action>${action}</action>`;
}
