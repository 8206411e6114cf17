/** Demonstrations for the warm start: an expert's episodes, as the prompts that the policy would have read and the replies that it should have given. */
import type { Task, TaskSet } from '../envs/environment.ts';
import { ProxmoError } from '../errors.ts';
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

export interface DemonstrationOptions {
  /** Share of turns in which the demonstrator takes an admissible action at random: an imperfect teacher, whose recoveries are demonstrated too. */
  readonly noise: number;
  readonly seed: number;
}

/**
 * Lets the task set's expert play each task once. Episodes that it does not finish are left out.
 * @throws {ProxmoError} `config` if the task set has no expert
 */
export async function demonstrate(
  scribe: Scribe,
  taskSet: TaskSet,
  tasks: readonly Task[],
  options: DemonstrationOptions,
): Promise<PromptReply[]> {
  if (!taskSet.createExpert) {
    throw new ProxmoError('config', `The environment ${taskSet.name} has no expert to learn from; set warmStart.tasks to 0.`);
  }
  const pairs: PromptReply[] = [];
  const random = new Random(options.seed, 'demonstrations');
  for (const task of tasks) pairs.push(...(await demonstrateOne(scribe, taskSet, task, () => random.uniform() < options.noise && random)));
  return pairs;
}

async function demonstrateOne(
  scribe: Scribe,
  taskSet: TaskSet,
  task: Task,
  /** Where this turn's action comes from: the expert, if false. */
  drawNoise: () => Random | false,
): Promise<PromptReply[]> {
  const environment = taskSet.createEnvironment();
  const expert = taskSet.createExpert!();
  const pairs: PromptReply[] = [];
  const history: PastTurn[] = [];
  try {
    const first = await environment.reset(task);
    expert.reset(first.instruction);
    let turn: Awaited<ReturnType<typeof environment.step>> = first;
    while (!turn.done && pairs.length < taskSet.maxSteps) {
      const { observation, admissibleActions } = turn;
      const wanted = expert.act(turn, history.at(-1)?.action ?? null);
      const noise = drawNoise();
      const action = noise && admissibleActions?.length ? admissibleActions[noise.below(admissibleActions.length)]! : wanted;
      const prompt = scribe.prompts.build({ instruction: first.instruction, history, step: pairs.length, observation, admissibleActions });
      pairs.push({ prompt: prompt.ids, reply: [...scribe.tokenizer.encode(writeReply(scribe.format, action)), scribe.tokenizer.endId] });
      history.push({ observation, action });
      turn = await environment.step(action);
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
