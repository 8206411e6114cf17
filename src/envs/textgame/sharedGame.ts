/**
 * One loaded game for many players. A player is a point in the game, a small value that never changes, so copying a
 * player costs nothing; the game is taken back to a player's point where another one stepped last.
 */
import type { Game, GameSnapshot } from './game.ts';

export class SharedGame {
  /** Where a player begins. */
  readonly start: GameSnapshot;
  private at: GameSnapshot;

  constructor(private readonly game: Game) {
    game.reset();
    this.start = game.save();
    this.at = this.start;
  }

  /** The point that a command leads to from a point of this game. */
  step(from: GameSnapshot, command: string): GameSnapshot {
    if (this.at !== from) this.game.restore(from);
    this.game.step(command);
    this.at = this.game.save();
    return this.at;
  }
}
