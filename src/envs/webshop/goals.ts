/**
 * Goals: what a customer asks for, and what the purchase is measured by. Synthetic goals ask for each combination of a
 * product's options, in a sentence from a template; human goals have sentences that people wrote. Prices of products
 * with a price range, price caps and the order of goals are drawn as Python draws them, so a seed gives the original's
 * goals.
 */
import type { Product } from './catalogue.ts';
import { PythonRandom } from './pythonRandom.ts';

export interface Goal {
  readonly product: Product;
  readonly instruction: string;
  readonly attributes: readonly string[];
  readonly options: GoalOptions;
  /** The most that the purchase may cost, in dollars. */
  readonly priceCap: number;
  /** How rare its attributes are among goals, for drawing goals; 1 for human goals. */
  readonly weight: number;
}

/** Synthetic goals name each option; human goals name values alone. The reward treats the two differently. */
export type GoalOptions =
  | { readonly kind: 'named'; readonly values: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: 'values'; readonly values: readonly string[] };

export type GoalKind = 'synthetic' | 'human';

export interface GoalSet {
  readonly goals: readonly Goal[];
  /** What each product costs when it is bought, in the order of the products. */
  readonly prices: readonly number[];
}

/** Price caps are multiples of this, up to 990 dollars. */
const CAP_STEP = 10;
const CAPS: readonly number[] = Array.from({ length: 99 }, (_, i) => CAP_STEP * (i + 1));
/** A cap is the larger of two of this many that lie just above the price. */
const CAP_CHOICES = 4;
/** The cap of a goal that does not speak of the price. */
const NO_CAP = 1_000_000;

/** Prices, caps and goals are drawn from the seed; the order of goals from the same seed afresh. */
export function drawGoals(products: readonly Product[], kind: GoalKind, seed: number): GoalSet {
  const random = new PythonRandom(seed);
  const prices = products.map(({ prices: [low, high] }) => (high === undefined ? low! : random.uniform(low!, high)));
  const goals = products.flatMap((product, i) => {
    const drawCap = (): Cap => drawPriceCap(prices[i]!, random);
    return kind === 'human' ? humanGoals(product, drawCap) : syntheticGoals(product, drawCap);
  });
  const weighted = kind === 'human' ? goals : weighByRarity(goals);
  new PythonRandom(seed).shuffle(weighted);
  return { goals: weighted, prices };
}

interface Cap {
  readonly cap: number;
  /** The end of the instruction. */
  readonly text: string;
}

/** The part of an instruction that speaks of the price. */
const PRICE_CLAUSE = /, and price lower than \d+\.\d\d dollars$/;

/** An instruction without what it says of the price, which no search can find. */
export function withoutPriceClause(instruction: string): string {
  return instruction.replace(PRICE_CLAUSE, '');
}

function drawPriceCap(price: number, random: PythonRandom): Cap {
  const above = CAPS.filter((cap) => cap > price).slice(0, CAP_CHOICES);
  if (above.length < 2) return { cap: NO_CAP, text: '' };
  const cap = Math.max(...random.sample(above, 2));
  return { cap, text: `, and price lower than ${cap.toFixed(2)} dollars` };
}

function humanGoals(product: Product, drawCap: () => Cap): Goal[] {
  const goals: Goal[] = [];
  for (const { text, attributes, options } of product.humanInstructions) {
    if (attributes.length === 0) continue;
    const cap = drawCap();
    const instruction = text.replace(/^\.+|\.+$/g, '') + cap.text;
    goals.push({
      product,
      instruction,
      attributes,
      options: { kind: 'values', values: options },
      priceCap: cap.cap,
      weight: 1,
    });
  }
  return goals;
}

function syntheticGoals(product: Product, drawCap: () => Cap): Goal[] {
  if (product.instruction === null) return [];
  const { text, attributes } = product.instruction;
  const cap = drawCap();
  return optionCombinations(product.options).map((values) => {
    const named = values.map(([name, value]) => `${name}: ${value}`).join(', and ');
    const instruction = text + (named === '' ? '' : ` with ${named}`) + cap.text;
    return { product, instruction, attributes, options: { kind: 'named', values }, priceCap: cap.cap, weight: 1 };
  });
}

/** Every choice of a value for each option, by names in alphabetical order; the last option changes fastest. */
function optionCombinations(options: Product['options']): (readonly [string, string])[][] {
  const names = [...options.keys()].sort();
  return names.reduce<(readonly [string, string])[][]>(
    (chosen, name) =>
      chosen.flatMap((values) => options.get(name)!.map((value) => [...values, [name, value] as const])),
    [[]],
  );
}

/**
 * The weight of a goal is the mean, over its attributes, of one over the number of goals that ask for the attribute.
 */
function weighByRarity(goals: readonly Goal[]): Goal[] {
  const counts = new Map<string, number>();
  for (const { attributes } of goals) {
    for (const attribute of attributes) counts.set(attribute, (counts.get(attribute) ?? 0) + 1);
  }
  return goals.map((goal) => {
    const sum = goal.attributes.reduce((total, attribute) => total + 1 / counts.get(attribute)!, 0);
    return { ...goal, weight: sum / goal.attributes.length };
  });
}
