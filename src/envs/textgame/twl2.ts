/**
 * Reads twl2 files, TextWorld's text grammars for PDDL games: a sequence of `grammar :: """{json}""";` and `action NAME
 * { template :: "…"; feedback :: "…"; grammar :: """{json}"""; }`, with `#` comments. This file knows the outer shape;
 * `template.ts` reads the right-hand sides.
 */
import { ProxmoError } from '../../base/errors.ts';

/** One way to expand a symbol, taken where its condition is met. */
export interface RuleText {
  readonly rhs: string;
  readonly condition: string | null;
}

export interface ActionText {
  /** Pattern of the command, for example `take {o} from {r}`. */
  readonly template: string;
  /** What the player reads after the action. */
  readonly feedback: string;
}

export interface GrammarText {
  /** Symbol → its rules in order of preference. */
  readonly rules: ReadonlyMap<string, readonly RuleText[]>;
  /** By lower-cased action name. */
  readonly actions: ReadonlyMap<string, ActionText>;
}

/**
 * Parses a twl2 file. Where a symbol is defined twice, the later definition stands.
 *
 * @throws {ProxmoError} `parse`
 */
export function parseGrammar(text: string): GrammarText {
  const reader = new Reader(text);
  const rules = new Map<string, readonly RuleText[]>();
  const actions = new Map<string, ActionText>();
  while (!reader.atEnd()) {
    const keyword = reader.word();
    if (keyword === 'grammar') {
      addRules(reader.value(), rules);
    } else if (keyword === 'action') {
      const name = reader.word().toLowerCase();
      actions.set(name, readAction(reader, name, rules));
    } else {
      throw reader.fail(`expected grammar or action, found ${JSON.stringify(keyword)}`);
    }
  }
  return { rules, actions };
}

function readAction(reader: Reader, name: string, rules: Map<string, readonly RuleText[]>): ActionText {
  const parts = new Map<string, string>();
  reader.symbol('{');
  while (!reader.takeSymbol('}')) {
    const part = reader.word();
    const value = reader.value();
    if (part === 'grammar') addRules(withoutComments(value), rules);
    else if (part === 'template' || part === 'feedback' || part === 'pddl') parts.set(part, value);
    else throw reader.fail(`action ${name} has an unknown part ${JSON.stringify(part)}`);
  }
  const template = parts.get('template');
  const feedback = parts.get('feedback');
  if (template === undefined || feedback === undefined)
    throw reader.fail(`action ${name} needs a template and a feedback`);
  return { template, feedback };
}

function withoutComments(json: string): string {
  return json
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n');
}

/** Adds the rules of `{symbol: [{rhs, condition?}]}`. */
function addRules(json: string, rules: Map<string, readonly RuleText[]>): void {
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch (error) {
    throw new ProxmoError(
      'parse',
      `Text grammar: a grammar block is not valid JSON (${(error as Error).message}); correct it.`,
    );
  }
  if (!isRecord(data))
    throw new ProxmoError('parse', 'Text grammar: a grammar block must be a JSON object of symbols; correct it.');
  for (const [symbol, entries] of Object.entries(data)) {
    if (!Array.isArray(entries) || entries.length === 0) {
      throw new ProxmoError('parse', `Text grammar: symbol ${symbol} must have a list of rules; give it at least one.`);
    }
    rules.set(
      symbol,
      entries.map((entry) => readRule(symbol, entry)),
    );
  }
}

function readRule(symbol: string, entry: unknown): RuleText {
  if (isRecord(entry)) {
    const { rhs, condition } = entry;
    if (typeof rhs === 'string' && (condition === undefined || typeof condition === 'string'))
      return { rhs, condition: condition || null };
  }
  throw new ProxmoError(
    'parse',
    `Text grammar: a rule of symbol ${symbol} must be {"rhs": text, "condition": text}; correct it.`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Tokens of the outer shape. */
class Reader {
  private position = 0;

  constructor(private readonly text: string) {}

  atEnd(): boolean {
    this.skip();
    return this.position >= this.text.length;
  }

  word(): string {
    this.skip();
    const match = this.match(/[^\s:;{}"#]+/y);
    if (match === null) throw this.fail('expected a name');
    return match;
  }

  takeSymbol(symbol: string): boolean {
    this.skip();
    if (!this.text.startsWith(symbol, this.position)) return false;
    this.position += symbol.length;
    return true;
  }

  symbol(symbol: string): void {
    if (!this.takeSymbol(symbol)) throw this.fail(`expected ${symbol}`);
  }

  /** `:: "…" ;` or `:: """…""" ;`; strings may span lines and know no escapes. */
  value(): string {
    this.symbol('::');
    this.skip();
    const quote = this.text.startsWith('"""', this.position) ? '"""' : '"';
    this.symbol(quote);
    const end = this.text.indexOf(quote, this.position);
    if (end < 0) throw this.fail(`a string lacks its closing ${quote}`);
    const value = this.text.slice(this.position, end);
    this.position = end + quote.length;
    this.symbol(';');
    return value;
  }

  fail(problem: string): ProxmoError {
    const line = this.text.slice(0, this.position).split('\n').length;
    return new ProxmoError('parse', `Text grammar, line ${line}: ${problem}; correct the file.`);
  }

  /** Moves over whitespace and comments. */
  private skip(): void {
    this.match(/(?:\s+|#[^\n]*)+/y);
  }

  private match(pattern: RegExp): string | null {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text);
    if (match === null) return null;
    this.position = pattern.lastIndex;
    return match[0];
  }
}
