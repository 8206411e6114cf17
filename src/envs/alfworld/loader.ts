/** Makes playable games of game files. Domain and grammar are compiled once for all games that share them. */
import { ProxmoError } from '../../base/errors.ts';
import { compileLogic, Game, type GameLogic, nameByClass } from '../textgame/index.ts';
import type { GameFile } from './gameFile.ts';

export class GameLoader {
  private readonly shared = new Map<string, GameLogic>();

  /**
   * Loads a game.
   *
   * @param where names the game in error messages.
   * @throws {ProxmoError} `file` if its domain, grammar or problem does not parse, or they do not fit together.
   */
  load(file: GameFile, where: string): Game {
    try {
      const symbols = file.task === null ? {} : { task: `${TASK_OPENING}${file.task}.` };
      return new Game(this.logicOf(file), file.problem, { naming: nameByClass, symbols });
    } catch (cause) {
      if (!(cause instanceof ProxmoError)) throw cause;
      throw new ProxmoError('file', `ALFWorld game ${where} does not load: ${cause.message}`, { cause });
    }
  }

  /** The compiled domain and grammar of a game. @throws {ProxmoError} `parse` */
  logicOf({ domain, grammar, task }: GameFile): GameLogic {
    // A grammar that still holds its task sentence is one game's alone.
    if (task === null) return compileLogic(domain, grammar);
    const key = `${domain}\n${grammar}`;
    let logic = this.shared.get(key);
    if (logic === undefined) this.shared.set(key, (logic = compileLogic(domain, grammar)));
    return logic;
  }
}

const TASK_OPENING = 'Your task is to: ';

/** What the first observation asks for: all that follows "Your task is to: ". */
export function instructionOf(observation: string): string {
  const at = observation.indexOf(TASK_OPENING);
  return at < 0 ? observation : observation.slice(at + TASK_OPENING.length).trim();
}
