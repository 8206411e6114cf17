/**
 * What a purchase is worth, from 0 to 1:
 *
 *   type · (attributes matched + options matched + [price ≤ cap]) / (attributes + options + 1)
 *
 * where the counts below the line are the goal's. Buying the goal's product with the goal's options almost always gives
 * 1. Some colours cannot match, because the original reduces a chosen value to a colour word that it contains
 * ("peppermint cookie" to "mint") but leaves the goal's as it is.
 */
import type { Product } from './catalogue.ts';
import { tokenSetRatio } from './fuzzy.ts';
import type { Goal, GoalOptions } from './goals.ts';
import { titleNouns } from './nouns.ts';
import { formatPair } from './pythonText.ts';

/** What is bought: a product with the values chosen for its options, at a price in dollars. */
export interface Purchase {
  readonly product: Product;
  readonly options: ReadonlyMap<string, string>;
  readonly price: number;
}

export interface Reward {
  readonly total: number;
  /** Whether it is the kind of product that was asked for: 1, 0.5, 0.1 or 0. */
  readonly type: number;
  readonly queryMatch: boolean;
  readonly categoryMatch: boolean;
  /**
   * Share of the goal title's nouns that the bought product's title has; see `nouns.ts` for what is approximate about
   * it.
   */
  readonly titleScore: number;
  /** Share of the attributes. */
  readonly attributes: number;
  /** Share of the options; null where the goal has none. */
  readonly options: number | null;
  readonly price: boolean;
}

/** Texts at least this alike are a match. */
const MATCH_ABOVE = 85;

export function rewardOf({ product, options, price }: Purchase, goal: Goal): Reward {
  const kind = typeReward(product, goal.product);
  const attributeMatches = goal.attributes.filter((attribute) => hasAttribute(product, attribute)).length;
  const optionMatches = matchedOptions([...options.values()], goal.options);
  const optionCount = goal.options.values.length;
  const withinCap = price <= goal.priceCap;
  const matches = attributeMatches + optionMatches + (withinCap ? 1 : 0);
  return {
    ...kind,
    total: (matches / (goal.attributes.length + optionCount + 1)) * kind.type,
    attributes: attributeMatches / goal.attributes.length,
    options: optionCount === 0 ? null : optionMatches / optionCount,
    price: withinCap,
  };
}

function typeReward(
  bought: Product,
  wanted: Product,
): Pick<Reward, 'type' | 'queryMatch' | 'categoryMatch' | 'titleScore'> {
  const queryMatch = bought.query === wanted.query;
  const wantedParts = new Set(categoryParts(wanted));
  const categoryMatch = new Set(categoryParts(bought).filter((part) => wantedParts.has(part))).size >= 2;
  const titleScore = scoreTitle(bought.title, wanted.title);
  return { type: typeOf(queryMatch || categoryMatch, titleScore), queryMatch, categoryMatch, titleScore };
}

function typeOf(match: boolean, titleScore: number): number {
  if (titleScore === 0) return 0;
  if (titleScore < 0.1) return 0.1;
  return match || titleScore > 0.2 ? 1 : 0.5;
}

function categoryParts({ productCategory }: Product): string[] {
  return productCategory.split('›').map((part) => part.trim());
}

/** The score of a title that has nothing to compare. */
const TITLE_WITHOUT_NOUNS = 0.2;

function scoreTitle(bought: string, wanted: string): number {
  const wantedNouns = titleNouns(wanted);
  if (wantedNouns.length === 0) return TITLE_WITHOUT_NOUNS;
  const boughtNouns = new Set(titleNouns(bought));
  return new Set(wantedNouns.filter((noun) => boughtNouns.has(noun))).size / wantedNouns.length;
}

function hasAttribute({ attributes, title, bullets, description }: Product, wanted: string): boolean {
  if (attributes.some((attribute) => tokenSetRatio(attribute, wanted) > MATCH_ABOVE)) return true;
  return [title, bullets.join(' '), description].some((text) => text.toLowerCase().includes(wanted));
}

function matchedOptions(chosen: readonly string[], goal: GoalOptions): number {
  const colors = chosen.map(reduceColor);
  const wanted =
    goal.kind === 'values' ? goal.values.map(reduceColor) : goal.values.map(([name, value]) => reducePair(name, value));
  return wanted.filter((value) => colors.some((color) => tokenSetRatio(color, value) > MATCH_ABOVE)).length;
}

/** Colour words, in the order in which they are looked for. */
const COLORS = `
  alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown burgundy camel camo caramel champagne
  charcoal cheetah chestnut chocolate christmas coffee cognac copper coral cranberry cream crystal dark denim eggplant elephant espresso
  fuchsia gold granite grape graphite grass gray green grey heather indigo ivory ivy khaki lavender lemon leopard light lilac lime
  magenta maroon mauve merlot midnight mint mocha multicolor mushroom mustard natural navy nude olive orange peach pewter pink plum
  purple rainbow red rose royal rust sand sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal tiger
  turquoise violet walnut wheat white wine yellow`
  .trim()
  .split(/\s+/);

/** The first colour word that a value contains, or the value as it is. */
function reduceColor(value: string): string {
  return COLORS.find((color) => value.includes(color)) ?? value;
}

/** The original writes a named option as a pair, which is a colour only if its name or its value is just the word. */
function reducePair(name: string, value: string): string {
  return COLORS.find((color) => color === name || color === value) ?? formatPair(name, value);
}
