/**
 * Pointers: what is seen, written by how it compares with the task. A policy of a million parameters learns nothing
 * about a word that it meets ten times, and a shop has tens of thousands of those. What it can learn is to act on
 * comparisons, so here the tokenizer makes them:
 *
 * - a word of the task is `<task k>`, its place among the task's distinct words, in the task and wherever it is seen;
 * - an action on offer is `<action k>`, its place on the list, behind the text that names it, and as the policy's
 *   reply: any action is one token and the end token;
 * - a part of a page shows each word of the task that it names once, and says how many those are: `<names n>`;
 * - an action is `<named k>` on a page where the task names, word for word, all that its part says;
 * - an amount of money is `<within>` or `<above>` the one that the task names, which is `<amount>`;
 * - words of the frame (headings, buttons) have tokens of their own;
 * - all other words are left out, and so are actions on offer of which nothing else is to be said (they can be taken
 *   all the same);
 * - an observation that is the same as the last one of its kind in the context is its first part, `<again>`, and the
 *   actions that the task names.
 *
 * So what is read is a shortened view, from which the text cannot be got back; what is written can: `read` undoes
 * `action` for every action. (Entities by their order in the text: Hermann et al., arXiv 1506.03340; features of exact
 * matches: Chen et al., arXiv 1704.00051; pointing as output: Vinyals et al., arXiv 1506.03134.)
 */
import { functionWords } from './highlight.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { Look, Writing } from './writing.ts';

/** A part of an observation. */
export interface PagePart {
  readonly text: string;
  /** The text belongs to the frame: it consists of words that every page of the kind has. */
  readonly frame?: boolean;
  /** The action on offer that this part is about. */
  readonly action?: string;
}

/** What an environment says of its observations, so that they can be written with pointers. */
export interface PointerStyle {
  /** Words of its frame, in lower case. */
  readonly words: readonly string[];
  /**
   * An observation in parts, in their order. The first tells what kind of observation it is. It may be cut short at its
   * end.
   */
  parts(observation: string, offered: readonly string[] | null): readonly PagePart[];
}

/** Distinct words of a task that can be pointed to; further ones are as other words. */
const taskPointers = 64;
/** Actions on offer that can be pointed to; further ones are spelled. */
const actionPointers = 100;

/** Words of the task that a part names; more count as so many. */
const mostNames = 15;

const taskNames = Array.from({ length: taskPointers }, (_, k) => `<task${k}>`);
const namedNames = Array.from({ length: actionPointers }, (_, k) => `<named${k}>`);
const actionNames = Array.from({ length: actionPointers }, (_, k) => `<action${k}>`);
const countNames = Array.from({ length: mostNames + 1 }, (_, n) => `<names${n}>`);
const signs = ['again', 'amount', 'within', 'above'] as const;
type Sign = (typeof signs)[number];

/** Entries for the vocabulary of a policy that reads and writes with pointers. */
export function pointerWords({ words }: Pick<PointerStyle, 'words'>): readonly string[] {
  return [...words, ...taskNames, ...actionNames, ...namedNames, ...countNames, ...signs.map((sign) => `<${sign}>`)];
}

const amountPattern = String.raw`\$\d+(?:\.\d+)?|\d+(?:\.\d+)? dollars`;
const wordPattern = String.raw`[\p{L}\p{M}]+|\p{N}+`;
const seenUnits = new RegExp(`${amountPattern}|${wordPattern}`, 'gu');
/** A colon and a comma part a task into clauses. */
const taskUnits = new RegExp(`${amountPattern}|${wordPattern}|[:,]`, 'gu');
/** The units of a text that a pattern knows; the ending of a possessive is none. */
const unitsOf = (text: string, pattern: RegExp): readonly string[] =>
  text.replace(/['’]s\b/gi, '').match(pattern) ?? [];

const isAmount = (unit: string) => unit.startsWith('$') || unit.endsWith(' dollars');

/** What a task names. */
interface Named {
  /** Number of each word, as it is compared. */
  readonly words: ReadonlyMap<string, number>;
  /** All words in their order, between spaces. */
  readonly phrase: string;
  /** The last amount of money; null where there is none. */
  readonly amount: number | null;
}

/** Tasks whose words are remembered. */
const rememberedTasks = 4096;

export class PointerWriting implements Writing {
  readonly #tokenizer: Tokenizer;
  readonly #style: PointerStyle;
  readonly #frame: ReadonlyMap<string, number>;
  readonly #taskIds: readonly number[];
  readonly #actionIds: readonly number[];
  readonly #namedIds: readonly number[];
  readonly #countIds: readonly number[];
  readonly #actionNumbers: ReadonlyMap<number, number>;
  readonly #signs: Readonly<Record<Sign, number>>;
  readonly #tasks = new Map<string, Named>();

  /** @param tokenizer whose vocabulary has `pointerWords` of the style */
  constructor(tokenizer: Tokenizer, style: PointerStyle) {
    const idOf = (word: string) => tokenizer.encode(word)[0]!;
    this.#tokenizer = tokenizer;
    this.#style = style;
    this.#frame = new Map(style.words.map((word) => [word, idOf(word)]));
    this.#taskIds = taskNames.map(idOf);
    this.#actionIds = actionNames.map(idOf);
    this.#namedIds = namedNames.map(idOf);
    this.#countIds = countNames.map(idOf);
    this.#actionNumbers = new Map(this.#actionIds.map((id, number) => [id, number]));
    this.#signs = Object.fromEntries(signs.map((sign) => [sign, idOf(`<${sign}>`)])) as Record<Sign, number>;
  }

  task(instruction: string): number[] {
    const named = this.#namedBy(instruction);
    const ids: number[] = [];
    for (const unit of unitsOf(instruction, taskUnits)) {
      if (isAmount(unit)) ids.push(this.#signs.amount);
      else if (unit === ':' || unit === ',') ids.push(...this.#tokenizer.encode(unit));
      else ids.push(...this.#pointersTo([unit], named));
    }
    return ids;
  }

  observation({ instruction, observation, offered }: Look, earlier: readonly Omit<Look, 'instruction'>[]): number[] {
    const named = this.#namedBy(instruction);
    const parts = this.#style.parts(observation, offered);
    const [first] = parts;
    if (first && this.#isAgain(observation, first, earlier)) {
      const actions = parts.flatMap((part) => this.#namedAction(part, named, offered) ?? []);
      return [...this.#part(first, named, offered), this.#signs.again, ...actions];
    }
    const ids: number[] = [];
    for (const part of parts) for (const id of this.#part(part, named, offered)) ids.push(id);
    return ids;
  }

  option(action: string, { instruction, offered }: Omit<Look, 'observation'>): number[] {
    return this.#part({ text: action, action }, this.#namedBy(instruction), offered);
  }

  action(action: string, offered: Look['offered']): number[] {
    const pointer = this.#actionIds[offered?.indexOf(action) ?? -1];
    if (pointer !== undefined) return [pointer];
    const ids = this.#tokenizer.encode(action);
    // An action that is called like a pointer is spelled.
    if (!(ids.length === 1 && this.#actionNumbers.has(ids[0]!))) return ids;
    return [...this.#tokenizer.encode(action.slice(0, 1)), ...this.#tokenizer.encode(action.slice(1))];
  }

  read(reply: readonly number[], offered: Look['offered']): string {
    const number = reply.length === 1 ? this.#actionNumbers.get(reply[0]!) : undefined;
    return (number === undefined ? undefined : offered?.[number]) ?? this.#tokenizer.decode(reply);
  }

  /** Whether an observation is the same as the last one of its kind, which its first part tells. */
  #isAgain(observation: string, first: PagePart, earlier: readonly Omit<Look, 'instruction'>[]): boolean {
    // Most are new, and earlier pages need not be taken apart for them.
    if (!earlier.some((look) => look.observation === observation)) return false;
    const kindOf = (look: (typeof earlier)[number]) => this.#style.parts(look.observation, look.offered)[0]?.text;
    return earlier.findLast((look) => kindOf(look) === first.text)?.observation === observation;
  }

  #part({ text, frame = false, action }: PagePart, named: Named, offered: Look['offered']): number[] {
    const units = unitsOf(frame ? text.toLowerCase() : text, seenUnits);
    const ids = frame ? this.#frameIds(units) : this.#contentIds(units, named);
    if (action === undefined || ids.length === 0) return ids;
    const pointer = this.#namedAction({ text, frame, action }, named, offered);
    return [...ids, ...(pointer === undefined ? this.action(action, offered) : [pointer])];
  }

  /** The pointer to the action that a part is about, where the task names all of the part. */
  #namedAction({ text, frame = false, action }: PagePart, named: Named, offered: Look['offered']): number | undefined {
    if (frame || action === undefined || !isNamed(unitsOf(text, seenUnits), named)) return undefined;
    return this.#namedIds[offered?.indexOf(action) ?? -1];
  }

  #frameIds(units: readonly string[]): number[] {
    return units.flatMap((word) => this.#frame.get(word) ?? []);
  }

  #contentIds(units: readonly string[], named: Named): number[] {
    const ids = this.#pointersTo(units, named);
    if (ids.length > 0) ids.push(this.#countIds[Math.min(ids.length, mostNames)]!);
    for (const unit of units) {
      if (isAmount(unit) && named.amount !== null)
        ids.push(amountOf(unit) <= named.amount ? this.#signs.within : this.#signs.above);
    }
    return ids;
  }

  /** Pointers to the words of the task that are among these, each once. */
  #pointersTo(units: readonly string[], { words }: Named): number[] {
    const places = new Set(units.flatMap((unit) => words.get(folded(unit)) ?? []));
    return [...places].flatMap((place) => this.#taskIds[place] ?? []);
  }

  #namedBy(instruction: string): Named {
    const known = this.#tasks.get(instruction);
    if (known !== undefined) return known;
    const named = namedBy(instruction);
    if (this.#tasks.size >= rememberedTasks) this.#tasks.clear();
    this.#tasks.set(instruction, named);
    return named;
  }
}

function namedBy(instruction: string): Named {
  const words = new Map<string, number>();
  const phrase: string[] = [];
  let amount: number | null = null;
  for (const unit of unitsOf(instruction, seenUnits)) {
    if (isAmount(unit)) {
      amount = amountOf(unit);
      continue;
    }
    const word = folded(unit);
    phrase.push(word);
    if (!functionWords.has(unit.toLowerCase()) && !words.has(word)) words.set(word, words.size);
  }
  return { words, phrase: ` ${phrase.join(' ')} `, amount };
}

/** Whether the task has these words, at least one, one behind the other. */
function isNamed(units: readonly string[], { phrase }: Named): boolean {
  return units.length > 0 && phrase.includes(` ${units.map(folded).join(' ')} `);
}

function amountOf(unit: string): number {
  return Number(unit.replace('$', '').replace(' dollars', ''));
}

/** A word as it is compared: in lower case, without the plural's ending. */
function folded(word: string): string {
  const lower = word.toLowerCase();
  if (lower.length < 4 || !lower.endsWith('s') || lower.endsWith('ss')) return lower;
  if (lower.endsWith('ies')) return `${lower.slice(0, -3)}y`;
  return /(?:[sx]|ch|sh)es$/.test(lower) ? lower.slice(0, -2) : lower.slice(0, -1);
}
