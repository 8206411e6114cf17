/** The real ALFWorld games against the reference engine's transcripts. Runs where the data lies beside the checkout. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compileLogic, Game, type GameLogic, type GameTurn, nameByClass } from '../../../src/envs/textgame/index.ts';

const DATA = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));
const GAMES = `${DATA}alfworld-games/`;
const TRANSCRIPTS = `${DATA}alfworld-golden/transcripts.jsonl.gz`;
const OLD_GAMES = `${GAMES}samples_old_2.1.1/`;

interface Observed {
  readonly feedback: string;
  readonly admissible: readonly string[];
  readonly won: boolean;
}

interface Transcript {
  readonly gamefile: string;
  readonly kind: string;
  readonly initial: Observed;
  readonly steps: readonly (Observed & { readonly command: string; readonly score: number; readonly done: boolean })[];
}

interface StoredGame {
  readonly path: string;
  readonly task: string;
  readonly walkthrough: readonly string[];
  readonly pddl_problem: string;
}

function readLines<T>(file: string): T[] {
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as T);
}

function loadGame(logic: GameLogic, game: StoredGame): Game {
  return new Game(logic, game.pddl_problem, { naming: nameByClass, symbols: { task: `Your task is to: ${game.task}.` } });
}

describe.skipIf(!existsSync(TRANSCRIPTS) || !existsSync(GAMES))('ALFWorld games (needs ../shared/data)', () => {
  const logic = existsSync(GAMES)
    ? compileLogic(readFileSync(`${GAMES}domain.pddl`, 'utf8'), readFileSync(`${GAMES}grammar.twl2`, 'utf8'))
    : null;
  const files = existsSync(GAMES) ? readdirSync(`${GAMES}games`).map((name) => `${GAMES}games/${name}`) : [];
  const stored = new Map(files.flatMap((file) => readLines<StoredGame>(file)).map((game) => [game.path, game]));

  it('match every transcript of the reference engine, character for character', () => {
    let snapshots = 0;
    for (const { gamefile, initial, steps } of readLines<Transcript>(TRANSCRIPTS)) {
      const game = loadGame(logic!, stored.get(gamefile)!);
      const first = game.reset();
      expect({ feedback: first.feedback, admissible: first.admissible, won: first.won }, gamefile).toEqual(initial);
      for (const { command, ...expected } of steps) {
        expect(game.step(command), `${gamefile}: ${command}`).toEqual(expected);
        snapshots++;
      }
    }
    expect(snapshots).toBe(564);
  });

  it('are won by their walkthroughs, at the last step', () => {
    const games = [...stored.values()];
    const sample = games.filter((_, index) => index % 40 === 0);
    expect(sample.length).toBeGreaterThanOrEqual(100);
    for (const stored of sample) {
      const game = loadGame(logic!, stored);
      const wins = stored.walkthrough.map((command) => game.step(command).won);
      expect(wins, stored.path).toEqual(stored.walkthrough.map((_, step) => step === stored.walkthrough.length - 1));
    }
  });
});

describe.skipIf(!existsSync(OLD_GAMES))('ALFWorld games of release 2.1.1 (needs ../shared/data)', () => {
  const files = existsSync(OLD_GAMES)
    ? readdirSync(OLD_GAMES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('game.tw-pddl'))
    : [];

  it.each(files)('%s speaks the old wording', (name) => {
    const data = JSON.parse(readFileSync(OLD_GAMES + name, 'utf8')) as Record<'pddl_domain' | 'grammar' | 'pddl_problem', string>;
    const game = new Game(compileLogic(data.pddl_domain, data.grammar), data.pddl_problem, { naming: nameByClass });
    const start = game.reset();
    expect(start.feedback).toMatch(
      /^-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room\. .*\n\nYour task is to: .*\.$/,
    );
    expect(start.admissible).not.toContain('help');
    let turn = start;
    const visit = (): GameTurn[] => {
      const arrivals: GameTurn[] = [];
      for (const place of start.admissible.filter((command) => command.startsWith('go to '))) {
        // Places that share a location cannot be gone to from one another.
        if (turn.admissible.includes(place)) arrivals.push((turn = game.step(place)));
      }
      return arrivals;
    };
    for (const { feedback } of visit()) expect(feedback).toMatch(/^You arrive at loc \d+\. (On|The) /);
    game.reset();
    turn = start;
    while (!turn.admissible.some((command) => command.startsWith('take '))) {
      turn = game.step(turn.admissible.find((command) => command.startsWith('open ') || command.startsWith('go to '))!);
    }
    turn = game.step(turn.admissible.find((command) => command.startsWith('take '))!);
    expect(turn.feedback).toMatch(/^You pick up the /);
    const puts = visit().flatMap(({ admissible }) => admissible.filter((command) => command.startsWith('put ')));
    // A game whose problem says nothing of what holds what cannot be solved; release 2.1.1 has some.
    expect(puts.length > 0).toBe(data.pddl_problem.includes('canContain'));
    for (const put of puts) expect(put).toMatch(/^put \w+ \d+ in\/on \w+ \d+$/);
  });
});
