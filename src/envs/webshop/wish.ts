/**
 * What a customer takes from an instruction, and how far a product meets it. For the expert, which knows no more of a
 * goal than its sentence.
 */
import { analyze } from './analyzer.ts';
import { withoutPriceClause } from './goals.ts';

export interface Wish {
  /** The instruction without its price clause, in lower case. */
  readonly text: string;
  /** Terms that describe the product itself. */
  readonly terms: ReadonlySet<string>;
  /** How many options it names, as in `with color: red, and size: small`. */
  readonly namedOptions: number;
  /** The most that the product may cost, in dollars. */
  readonly cap: number;
}

/** Words of asking, as terms. */
const FILLER = new Set(
  analyze(
    'find me i am im i’m looking for want need would like show get buy some something that is are has have which can also my pair set one please',
  ),
);

/** Where synthetic instructions begin to name options. */
const OPTION_CLAUSE = / with (?:(?! with )[^:,])+: .*$/s;

export function readWish(instruction: string): Wish {
  const text = withoutPriceClause(instruction).toLowerCase();
  const clause = OPTION_CLAUSE.exec(text)?.[0] ?? '';
  const cap = /price lower than (\d+\.\d\d) dollars$/.exec(instruction)?.[1];
  return {
    text,
    terms: new Set(analyze(text.replace(OPTION_CLAUSE, '')).filter((term) => !FILLER.has(term))),
    namedOptions: clause.match(/(?:^ with|, and) [^:,]+: /g)?.length ?? 0,
    cap: cap === undefined ? Number.POSITIVE_INFINITY : Number(cap),
  };
}

/** Share of the wish's terms that a text has. */
export function coverage({ terms }: Wish, text: string): number {
  if (terms.size === 0) return 1;
  const present = new Set(analyze(text));
  return [...terms].filter((term) => present.has(term)).length / terms.size;
}

/** Values that the wish asks for, by name of option, and the share of the options that it names which can be chosen. */
export function chooseValues(
  wish: Wish,
  options: ReadonlyMap<string, readonly string[]>,
): { choices: Map<string, string>; share: number } {
  const choices = new Map<string, string>();
  let named = 0;
  const asked = new Set(analyze(wish.text));
  for (const [name, values] of options) {
    const exact = values.filter((value) => `${wish.text}, and `.includes(` ${name}: ${value}, and `));
    const spoken = values.filter((value) => isSpoken(value, asked));
    const value = longest(exact) ?? (wish.namedOptions === 0 ? longest(spoken) : undefined);
    if (value !== undefined) choices.set(name, value);
    if (exact.length > 0) named++;
  }
  return { choices, share: wish.namedOptions === 0 ? 1 : named / wish.namedOptions };
}

/** Whether all terms of a value, at least one, are among those asked for. */
function isSpoken(value: string, asked: ReadonlySet<string>): boolean {
  const terms = analyze(value);
  return terms.length > 0 && terms.every((term) => asked.has(term));
}

function longest(texts: readonly string[]): string | undefined {
  return texts.reduce<string | undefined>(
    (best, text) => (best === undefined || text.length > best.length ? text : best),
    undefined,
  );
}
