/**
 * Replays transcripts of ALFWorld games: each recorded command is typed into the engine, and what it says is compared
 * with the record. A record is `{gamefile, initial: {feedback, admissible, won}, steps: [{command, feedback,
 * admissible, won, score, done}, …]}`; of what a turn may say, only what is recorded is compared.
 */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import type { ReplayDifference, ReplayReport } from '../replay.ts';
import type { Game, GameTurn } from '../textgame/index.ts';
import { parseGameFile } from './gameFile.ts';
import { idOfPath, type Library, openLibrary, type StoredGame } from './library.node.ts';
import { GameLoader } from './loader.ts';

const said = {
  feedback: z.string().nullish(),
  admissible: z.array(z.string()).nullish(),
  won: z.boolean().nullish(),
  score: z.number().nullish(),
  done: z.boolean().nullish(),
};
const recordSchema = z.object({
  gamefile: z.string().min(1),
  initial: z.object(said).nullish(),
  steps: z.array(z.object({ command: z.string(), ...said })),
});
type Recorded = Omit<z.infer<typeof recordSchema>['steps'][number], 'command'>;
const FIELDS = ['feedback', 'admissible', 'won', 'score', 'done'] as const;

/**
 * Replays transcripts.
 *
 * @param records parsed lines of a transcript file, in order.
 * @param dir the games: a folder in ALFWorld's layout or one above it, a folder of packed games, or one that `gamefile`
 * is relative to.
 * @throws {ProxmoError} `data`, with the line, on a record of another shape or of a game that is not there; `file` on a
 * damaged game.
 */
export async function replayTranscripts(
  records: AsyncIterable<unknown> | Iterable<unknown>,
  dir: string,
): Promise<ReplayReport> {
  const games = new RecordedGames(dir);
  let steps = 0;
  let equal = 0;
  let firstDifference: ReplayDifference | null = null;
  let line = 0;
  for await (const record of records) {
    line++;
    const transcript = checked(
      recordSchema,
      record,
      (problem) => new ProxmoError('data', `Transcript line ${line}: ${problem}; correct the record.`),
    );
    for (const difference of replay(transcript, games.open(transcript.gamefile, line))) {
      steps++;
      if (difference === null) equal++;
      else firstDifference ??= difference;
    }
  }
  return { steps, equal, firstDifference };
}

/** Plays a record, and says for each turn where it differs first, or null. */
function* replay(
  { gamefile, initial, steps }: z.infer<typeof recordSchema>,
  game: Game,
): Generator<ReplayDifference | null> {
  if (initial) yield compare(gamefile, 0, initial, game.reset());
  for (const [index, { command, ...expected }] of steps.entries()) {
    yield compare(gamefile, index + 1, expected, game.step(command));
  }
}

function compare(session: string, step: number, expected: Recorded, actual: GameTurn): ReplayDifference | null {
  for (const field of FIELDS) {
    const [want, got] = [expected[field], actual[field]];
    if (want == null || JSON.stringify(want) === JSON.stringify(got)) continue;
    return { session, step, field, expected: show(want), actual: show(got) };
  }
  return null;
}

/** Text as it is, anything else as JSON. */
function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The games that records name by path. */
class RecordedGames {
  private readonly loader = new GameLoader();
  private readonly splits = new Map<string, ReadonlyMap<string, StoredGame>>();
  private library: Library | null = null;

  constructor(private readonly dir: string) {}

  open(gamefile: string, line: number): Game {
    const direct = resolve(this.dir, gamefile);
    if (statSync(direct, { throwIfNoEntry: false })?.isFile()) {
      return this.loader.load(parseGameFile(readFileSync(direct, 'utf8'), direct), direct);
    }
    const stored = this.find(gamefile);
    if (stored === undefined) {
      throw new ProxmoError(
        'data',
        `Transcript line ${line}: there is no game ${gamefile} under ${this.dir}; check the folder of the games.`,
      );
    }
    return this.loader.load(stored.read(), stored.where);
  }

  private find(gamefile: string): StoredGame | undefined {
    const split = gamefile.split(/[\\/]/).at(-4) ?? '';
    let games = this.splits.get(split);
    if (games === undefined) {
      this.library ??= openLibrary(this.dir, [split]);
      const { games: solvable, unsolvable } = this.library.list(split);
      this.splits.set(split, (games = new Map([...solvable, ...unsolvable].map((game) => [game.id, game]))));
    }
    return games.get(idOfPath(gamefile));
  }
}
