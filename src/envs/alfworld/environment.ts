/**
 * ALFWorld as an environment: plays one game at a time, with the reward and the step limit of verl-agent and ProxMO.
 * Its state is one small value that never changes, so copies and saved states cost next to nothing; they share the
 * loaded game.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { Environment, Task, Turn } from '../environment.ts';
import { type Game, type GameSnapshot, SharedGame } from '../textgame/index.ts';
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

/** A point in an episode, to go back to in any environment of the same task set. */
export interface AlfworldState {
  readonly game: SharedGame;
  readonly point: GameSnapshot;
  readonly steps: number;
  readonly turn: Turn;
}

export interface EpisodeRules {
  readonly maxSteps: number;
  readonly winReward: number;
}

export class AlfworldEnvironment implements Environment<AlfworldTask> {
  private state: AlfworldState | null = null;

  /** @param load makes the game of a task; it may throw. */
  constructor(
    private readonly rules: EpisodeRules,
    private readonly load: (task: AlfworldTask) => Game,
  ) {}

  /**
   * @throws {ProxmoError} `environment` if the task is not of this task set; `file` if its game file is damaged.
   */
  reset(task: AlfworldTask): Turn & { readonly instruction: string } {
    const game = new SharedGame(this.load(task));
    this.state = this.stateAt(game, game.start, 0);
    return { ...this.state.turn, instruction: instructionOf(this.state.turn.observation) };
  }

  /** @throws {ProxmoError} `environment` before the first reset. */
  step(action: string): Turn {
    const { game, point, steps, turn } = this.save();
    if (turn.done) return turn;
    this.state = this.stateAt(game, game.step(point, action), steps + 1);
    return this.state.turn;
  }

  clone(): AlfworldEnvironment {
    const copy = new AlfworldEnvironment(this.rules, this.load);
    copy.state = this.state;
    return copy;
  }

  /** The current point of the episode. @throws {ProxmoError} `environment` before the first reset. */
  save(): AlfworldState {
    if (this.state === null)
      throw new ProxmoError('environment', 'alfworld: there is no episode yet; call reset first.');
    return this.state;
  }

  /** Goes to a saved point and returns its turn. */
  restore(state: AlfworldState): Turn {
    this.state = state;
    return state.turn;
  }

  private stateAt(game: SharedGame, point: GameSnapshot, steps: number): AlfworldState {
    const { feedback, admissible, won } = point.turn;
    const { maxSteps, winReward } = this.rules;
    const turn = {
      observation: feedback,
      admissibleActions: admissible,
      reward: won && steps > 0 ? winReward : 0,
      done: won || steps >= maxSteps,
      success: won,
    };
    return { game, point, steps, turn };
  }
}
