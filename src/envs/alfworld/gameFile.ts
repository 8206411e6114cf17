/**
 * Game files. `game.tw-pddl` is JSON: the PDDL domain, the text grammar and the PDDL problem, in newer releases a
 * solution. The packed form keeps domain and grammar once and has a line of JSON per game. All games of a release share
 * domain and grammar but for the sentence that states the task, so that sentence is taken out here and the rest is
 * compiled once (`loader.ts`).
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';

/** What a game is made of. */
export interface GameFile {
  /** PDDL. */
  readonly domain: string;
  /** twl2; where `task` is given, without it. */
  readonly grammar: string;
  /** The task sentence without its full stop, or null if it could not be taken out of the grammar. */
  readonly task: string | null;
  /** PDDL. */
  readonly problem: string;
  /** False where the makers found no solution. */
  readonly solvable: boolean;
  /** Commands of a solution, or null where none was recorded. */
  readonly walkthrough: readonly string[] | null;
}

const solution = { solvable: z.boolean().default(true), walkthrough: z.array(z.string()).nullish() };
const text = z.string().min(1);
const gameSchema = z.object({ pddl_domain: text, grammar: text, pddl_problem: text, ...solution });
const packedSchema = z.object({ path: text, task: text, pddl_problem: text, ...solution });

/**
 * Reads `game.tw-pddl`. Old files lack `walkthrough`, the oldest `solvable`.
 *
 * @param where names the file in error messages.
 * @throws {ProxmoError} `file` if it is cut off or lacks what a game needs.
 */
export function parseGameFile(json: string, where: string): GameFile {
  const { pddl_domain, grammar, pddl_problem, solvable, walkthrough } = parse(gameSchema, json, where);
  return {
    domain: pddl_domain,
    ...splitGrammar(grammar),
    problem: pddl_problem,
    solvable,
    walkthrough: walkthrough ?? null,
  };
}

/** A game of the packed form: all but the domain and the grammar, and the path that it had. */
export type PackedGame = Omit<GameFile, 'domain' | 'grammar'> & { readonly path: string };

/**
 * Reads a line of the packed form.
 *
 * @param where names the line in error messages.
 * @throws {ProxmoError} `file`
 */
export function parsePackedGame(json: string, where: string): PackedGame {
  const { path, task, pddl_problem, solvable, walkthrough } = parse(packedSchema, json, where);
  return { path, task, problem: pddl_problem, solvable, walkthrough: walkthrough ?? null };
}

function parse<T>(schema: z.ZodType<T>, json: string, where: string): T {
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch (cause) {
    const message = `ALFWorld game ${where} is not valid JSON (${(cause as Error).message}); it may be cut off, so fetch it again.`;
    throw new ProxmoError('file', message, { cause });
  }
  return checked(
    schema,
    data,
    (problem) => new ProxmoError('file', `ALFWorld game ${where} is damaged: ${problem}; fetch it again.`),
  );
}

/** The definition of the task symbol, with the sentence as it is spelled in JSON. */
const TASK_SYMBOL = /("task"\s*:\s*\[\s*\{\s*"rhs"\s*:\s*"Your task is to: )((?:[^"\\]|\\.)*)(\."\s*\}\s*\])/;

/** Splits a grammar into what all games share and the task sentence, null where the sentence cannot be told. */
export function splitGrammar(grammar: string): Pick<GameFile, 'grammar' | 'task'> {
  const match = TASK_SYMBOL.exec(grammar);
  // A symbol that is defined twice is left to the grammar's own rules.
  if (match === null || grammar.indexOf('"task"') !== grammar.lastIndexOf('"task"')) return { grammar, task: null };
  const [whole, before, sentence, after] = match;
  const shared = grammar.slice(0, match.index) + before! + after! + grammar.slice(match.index + whole.length);
  try {
    return { grammar: shared, task: JSON.parse(`"${sentence!}"`) as string };
  } catch {
    return { grammar, task: null };
  }
}
