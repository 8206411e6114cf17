/** What a run would be: an episode as its policy would read it, and what of its settings cannot work. */
import { ProxmoError } from '../base/errors.ts';
import type { Expert, Task, TaskSet } from '../envs/environment.ts';
import { askForTurn, closeEnvironment } from '../envs/faults.ts';
import { openingProblem, turnProblem } from '../envs/turns.ts';
import { Random } from '../tensor/random.ts';
import { type ActedTurn, actThrough, type Course } from './acting.ts';
import type { TrainConfig } from './config.ts';
import { checkTeacher } from './demonstrations.ts';
import { checkOpenings } from './openings.ts';
import type { Player } from './rollout.ts';
import { RunTasks } from './runTasks.ts';

/** A turn as the policy would read it. */
export interface ShownTurn {
  /** What is new to read, as text of its tokens. */
  readonly read: string;
  readonly readTokens: number;
  /** Something was left out to keep to `prompt.maxTokens`. */
  readonly truncated: boolean;
  readonly action: string;
  readonly replyTokens: number;
  readonly reward: number;
}

export interface ShownEpisode {
  readonly task: string;
  /** Who chose the actions. */
  readonly by: 'expert' | 'random';
  readonly turns: readonly ShownTurn[];
  readonly success: boolean;
}

/** What of the settings cannot work, and what their user should know, a sentence each. */
export interface SettingsCheck {
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

/** Checks settings against the tasks. What is wrong is collected, not thrown. */
export async function checkSettingsOnTasks(
  config: TrainConfig,
  taskSet: TaskSet,
  player: Player,
): Promise<SettingsCheck> {
  const tasks = new RunTasks(taskSet, config);
  const problems = new Set<string>();
  const attempt = async <T>(what: () => T | Promise<T>): Promise<T | null> => {
    try {
      return await what();
    } catch (error) {
      if (!(error instanceof ProxmoError)) throw error;
      problems.add(error.message);
      return null;
    }
  };
  const lists = [
    await attempt(() => tasks.training),
    await attempt(() => tasks.demonstrated),
    await attempt(() => tasks.heldOut),
  ].filter((list) => list !== null);
  const { warmStart, environment, training, advantages, prompt } = config;
  if (warmStart.tasks > 0 && !tasks.lacksExpert) await attempt(() => checkTeacher(taskSet, warmStart));
  const notes = problems.size > 0 ? [] : tasks.notes;
  const opening = await checkOpenings(player.prompts, taskSet, lists, environment).catch((error: unknown) => {
    if (error instanceof ProxmoError) return error.message;
    throw error;
  });
  // A window that is too long loses its past and its end, and goes on.
  if (typeof opening === 'string') {
    if (prompt.memory === 'transcript') problems.add(opening);
    else notes.push(opening.replace('A transcript', 'A prompt'));
  }
  if (training.groupSize === 1 && !['reinforce++', 'own'].includes(advantages.estimator))
    problems.add(
      `${advantages.estimator} compares the episodes of a task with each other, but there is one; set training.groupSize to 2 or more.`,
    );
  return { problems: [...problems], notes };
}

/** An episode of the expert, or of random actions where there is none. */
export async function showEpisode(
  player: Player,
  taskSet: TaskSet,
  task: Task,
  { environment: { stepTimeoutSeconds }, seed }: Pick<TrainConfig, 'environment' | 'seed'>,
): Promise<ShownEpisode> {
  const expert = taskSet.createExpert?.() ?? randomPlayer(new Random(seed, 'dry run'));
  const world = taskSet.createEnvironment();
  try {
    const opening = await askForTurn(taskSet.name, stepTimeoutSeconds, () => world.reset(task), openingProblem);
    expert.reset(opening.instruction);
    const course: Course = {
      act: (turn, taken) => expert.act(turn, taken),
      isDone: () => expert.done ?? false,
      step: (action) => askForTurn(taskSet.name, stepTimeoutSeconds, () => world.step(action), turnProblem),
    };
    const turns: ShownTurn[] = [];
    const { success } = await actThrough(player, opening, taskSet.maxSteps, course, (turn) =>
      turns.push(asShown(player, turn)),
    );
    return { task: task.id, by: taskSet.createExpert ? 'expert' : 'random', turns, success };
  } finally {
    await closeEnvironment(world);
  }
}

function asShown({ tokenizer }: Player, { reading, action, reply, answer }: ActedTurn): ShownTurn {
  return {
    read: tokenizer.decode(reading.tokens),
    readTokens: reading.tokens.length,
    truncated: reading.truncated,
    action,
    replyTokens: reply.length,
    reward: answer.reward,
  };
}

/** Takes any of the actions on offer; none where the environment does not say. */
function randomPlayer(random: Random): Expert {
  return {
    reset: () => {},
    act: ({ admissibleActions }) =>
      admissibleActions?.length ? admissibleActions[random.below(admissibleActions.length)]! : '',
  };
}
