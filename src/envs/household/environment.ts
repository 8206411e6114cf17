/** The household as an environment: plays one task at a time on the text game engine. */
import { ProxmoError } from '../../base/errors.ts';
import type { Environment, Turn } from '../environment.ts';
import { Game, type GameTurn } from '../textgame/index.ts';
import { householdLogic, householdNaming, UNKNOWN_COMMAND } from './domain.ts';
import type { ResolvedOptions } from './options.ts';
import type { Room } from './rooms.ts';
import { type HouseholdTask, makeProblem, wordInstruction } from './tasks.ts';

export class HouseholdEnvironment implements Environment<HouseholdTask> {
  private game: Game | null = null;
  private steps = 0;
  private turn: Turn | null = null;

  /** @param findRoom gives the room of a task; undefined for a room of another task set. */
  constructor(
    private readonly options: ResolvedOptions,
    private readonly findRoom: (id: string) => Room | undefined,
  ) {}

  /** @throws {ProxmoError} `environment` if the task is not of this task set. */
  reset(task: HouseholdTask): Turn & { readonly instruction: string } {
    const room = this.findRoom(task.room);
    if (room === undefined)
      throw new ProxmoError('environment', `household: no room ${task.room}; take tasks from the same task set.`);
    this.game = new Game(householdLogic(this.options.commands), makeProblem(task, room), {
      naming: householdNaming,
      unknownCommand: UNKNOWN_COMMAND,
    });
    this.steps = 0;
    const turn = this.toTurn(this.game.reset());
    this.turn = turn;
    return { ...turn, instruction: wordInstruction(task, room) };
  }

  /** @throws {ProxmoError} `environment` before the first reset. */
  step(action: string): Turn {
    if (this.game === null || this.turn === null)
      throw new ProxmoError('environment', 'household: step before reset; call reset first.');
    if (this.turn.done) return this.turn;
    this.steps++;
    this.turn = this.toTurn(this.game.step(action));
    return this.turn;
  }

  private toTurn({ feedback, admissible, won }: GameTurn): Turn {
    return {
      observation: feedback,
      admissibleActions: admissible,
      reward: won ? this.options.winReward : 0,
      done: won || this.steps >= this.options.maxSteps,
      success: won,
    };
  }
}
