/** ALFWorld as an environment: one game at a time, with the reward and the step limit of verl-agent and ProxMO. */
import { ProxmoError } from '../../base/errors.ts';
import type { Environment, Task, Turn } from '../environment.ts';
import type { Game } from '../textgame/index.ts';
import { EpisodeClock } from '../turns.ts';
import { instructionOf } from './loader.ts';
import type { TaskType } from './taskTypes.ts';

/** A game to play. */
export interface AlfworldTask extends Task {
  /**
   * The folders of the task and the trial, for example
   * `pick_and_place_simple-Mug-None-Desk-308/trial_T20190908_125200_737896`.
   */
  readonly id: string;
  readonly type: TaskType;
  /** The data's name of the split, for example `valid_seen`. */
  readonly split: string;
}

export interface EpisodeRules {
  readonly maxSteps: number;
  readonly winReward: number;
}

export class AlfworldEnvironment implements Environment<AlfworldTask> {
  private game: Game | null = null;
  private readonly clock: EpisodeClock;

  /** @param load makes the game of a task; it may throw. */
  constructor(
    private readonly rules: EpisodeRules,
    private readonly load: (task: AlfworldTask) => Game,
  ) {
    this.clock = new EpisodeClock(rules.maxSteps);
  }

  /**
   * @throws {ProxmoError} `environment` if the task is not of this task set; `file` if its game file is damaged.
   */
  reset(task: AlfworldTask): Turn & { readonly instruction: string } {
    this.game = this.load(task);
    this.clock.start();
    const { feedback, admissible, won } = this.game.reset();
    return {
      observation: feedback,
      admissibleActions: admissible,
      reward: 0,
      done: won,
      success: won,
      instruction: instructionOf(feedback),
    };
  }

  /** @throws {ProxmoError} `environment` before the first reset. */
  step(action: string): Turn {
    if (this.game === null)
      throw new ProxmoError('environment', 'alfworld: there is no episode yet; call reset first.');
    if (this.clock.ending !== null) return this.clock.ending;
    const { feedback, admissible, won } = this.game.step(action);
    return this.clock.count({
      observation: feedback,
      admissibleActions: admissible,
      reward: won ? this.rules.winReward : 0,
      done: won,
      success: won,
    });
  }
}
