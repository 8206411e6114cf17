/**
 * Replays recorded visits and searches of the original shop: the simulator is fed the recorded actions, and every page,
 * every list of clickables, every reward and every score is compared with the record.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import type { ReplayDifference, ReplayReport } from '../replay.ts';
import { analyze } from './analyzer.ts';
import { type Product, readCatalogue } from './catalogue.ts';
import { readCatalogueFiles } from './data.node.ts';
import { drawGoals, type Goal, type GoalSet } from './goals.ts';
import type { SearchIndex } from './search.ts';
import { ShopSession } from './session.ts';
import { indexProducts, Shop } from './shop.ts';

type Records = AsyncIterable<unknown> | Iterable<unknown>;

const availableSchema = z.object({ has_search_bar: z.boolean(), clickables: z.array(z.string()) });
const pageSchema = z.object({ obs: z.string(), available: availableSchema });

/** A step shows a page, or ends with a purchase; the reward is null where the recorder had no noun tagger. */
const stepSchema = z.looseObject({
  action: z.string(),
  reward: z.number().nullable(),
  done: z.boolean(),
  obs: z.string().nullish(),
  available: availableSchema.nullish(),
  bought: z.string().nullish(),
  goal_product: z.boolean().nullish(),
  options: z.record(z.string(), z.string()).nullish(),
  r_att: z.number().nullish(),
  r_price: z.boolean().nullish(),
  r_option: z.number().nullish(),
  query_match: z.boolean().nullish(),
  category_match: z.boolean().nullish(),
});

const sessionSchema = z.looseObject({
  seed: z.int(),
  human_goals: z.boolean(),
  goal_index: z.int().min(0),
  goal: z.unknown(),
  initial: pageSchema,
  steps: z.array(stepSchema),
});

const querySchema = z.looseObject({
  query: z.string(),
  tokens: z.array(z.string()).optional(),
  hits: z.array(z.tuple([z.string(), z.number()])),
});

/**
 * Plays recorded visits again. A step is a page, or a purchase with all that its reward consists of.
 *
 * @param dir folder of the catalogue that they were recorded in
 * @throws {ProxmoError} `data` that counts the record which is not of the right form; `file` if the catalogue cannot be
 * read.
 */
export async function replaySessions(records: Records, dir: string): Promise<ReplayReport> {
  const tally = new Tally();
  const stores = new Stores(dir);
  for await (const [number, record] of numbered(records)) {
    const {
      seed,
      human_goals: human,
      goal_index: index,
      goal: recorded,
      initial,
      steps,
    } = check(sessionSchema, record, number);
    const { shop, goals } = await stores.open(seed, human);
    const goal = goals[index];
    if (goal === undefined)
      throw malformed(number, `goal_index ${index} is out of range, there are ${goals.length} goals`);
    const name = `record ${number} (seed ${seed}, goal ${index})`;
    const session = new ShopSession(shop, goal);
    tally.compare(name, 0, { goal: recorded, ...initial }, { goal: plainGoal(goal, human), ...shown(session) });
    steps.forEach((step, i) => {
      session.act(step.action);
      const { action: _, reward, ...recorded } = step;
      const expected = withoutNulls(recorded);
      const actual = { ...expected, ...shown(session), ...outcome(session) };
      const judged = reward === null ? expected : { ...expected, reward };
      tally.compare(name, i + 1, judged, { ...actual, reward: session.reward?.total ?? 0 });
    });
  }
  return tally.report();
}

/**
 * Searches again for recorded queries: terms, order of the hits, and scores as float32.
 *
 * @param dir folder of the catalogue that they were recorded in
 * @throws {ProxmoError} `data` that counts the record which is not of the right form; `file` if the catalogue cannot be
 * read.
 */
export async function replayQueries(records: Records, dir: string): Promise<ReplayReport> {
  const tally = new Tally();
  const products = readCatalogue(await readCatalogueFiles(dir, 'synthetic'));
  const index = indexProducts(products);
  for await (const [number, record] of numbered(records)) {
    const { query, tokens, hits } = check(querySchema, record, number);
    // Where the original found nothing, one hit would be one too many.
    const found = index
      .search(query, Math.max(1, hits.length))
      .map(({ document, score }) => [products[document]!.asin, score]);
    const expected = { hits: hits.map(([asin, score]) => [asin, Math.fround(score)]), ...(tokens && { tokens }) };
    tally.compare(`record ${number} (${query})`, 0, expected, { hits: found, tokens: analyze(query) });
  }
  return tally.report();
}

/** The shop with the goals of each seed, made once. */
class Stores {
  readonly #dir: string;
  readonly #open = new Map<string, Promise<{ readonly shop: Shop; readonly goals: GoalSet['goals'] }>>();
  readonly #catalogues = new Map<
    boolean,
    Promise<{ readonly products: readonly Product[]; readonly index: SearchIndex }>
  >();

  constructor(dir: string) {
    this.#dir = dir;
  }

  open(seed: number, human: boolean): Promise<{ readonly shop: Shop; readonly goals: GoalSet['goals'] }> {
    const key = `${seed} ${human}`;
    const opened = this.#open.get(key) ?? this.#draw(seed, human);
    this.#open.set(key, opened);
    return opened;
  }

  async #draw(seed: number, human: boolean): Promise<{ readonly shop: Shop; readonly goals: GoalSet['goals'] }> {
    const catalogue = this.#catalogues.get(human) ?? this.#read(human);
    this.#catalogues.set(human, catalogue);
    const { products, index } = await catalogue;
    const { goals, prices } = drawGoals(products, human ? 'human' : 'synthetic', seed);
    return { shop: new Shop(products, prices, index), goals };
  }

  async #read(human: boolean): Promise<{ readonly products: readonly Product[]; readonly index: SearchIndex }> {
    const products = readCatalogue(await readCatalogueFiles(this.#dir, human ? 'human' : 'synthetic'));
    return { products, index: indexProducts(products) };
  }
}

/** Counts comparisons and keeps the first difference. */
class Tally {
  #steps = 0;
  #equal = 0;
  #first: ReplayDifference | null = null;

  /** Compares the fields of `expected`. */
  compare(
    session: string,
    step: number,
    expected: Readonly<Record<string, unknown>>,
    actual: Readonly<Record<string, unknown>>,
  ): void {
    this.#steps++;
    const field = Object.keys(expected).find((key) => canonical(expected[key]) !== canonical(actual[key]));
    if (field === undefined) this.#equal++;
    else
      this.#first ??= { session, step, field, expected: canonical(expected[field]), actual: canonical(actual[field]) };
  }

  report(): ReplayReport {
    return { steps: this.#steps, equal: this.#equal, firstDifference: this.#first };
  }
}

/**
 * A text that is equal for equal values; texts stand for themselves. The order of keys does not count, that of lists
 * does.
 */
function canonical(value: unknown): string {
  if (typeof value === 'string') return value;
  const ordered = JSON.stringify(value, (_, part: unknown) => {
    const isRecord = typeof part === 'object' && part !== null && !Array.isArray(part);
    return isRecord ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part;
  });
  return ordered ?? 'nothing';
}

/** Without what was not recorded; that a goal has no options is a null that counts. */
function withoutNulls(record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(record).filter(([key, value]) => value !== null || key === 'r_option'));
}

/** The page, as records write it. */
function shown({ page }: ShopSession): z.infer<typeof pageSchema> {
  return { obs: page.text, available: { has_search_bar: page.hasSearchBar, clickables: [...page.clickables] } };
}

/** The purchase, as records write it; no more than `done` before it. */
function outcome({ reward, product, chosen, goal }: ShopSession): Readonly<Record<string, unknown>> {
  if (reward === null) return { done: false };
  return {
    done: true,
    bought: product?.asin,
    goal_product: product === goal.product,
    options: Object.fromEntries(chosen),
    r_att: reward.attributes,
    r_price: reward.price,
    r_option: reward.options,
    query_match: reward.queryMatch,
    category_match: reward.categoryMatch,
  };
}

/** A goal, as records write it. */
function plainGoal(
  { product, instruction, attributes, options, priceCap, weight }: Goal,
  human: boolean,
): Readonly<Record<string, unknown>> {
  return {
    asin: product.asin,
    category: product.category,
    query: product.query,
    name: product.title,
    product_category: product.productCategory,
    instruction_text: instruction,
    attributes,
    price_upper: priceCap,
    goal_options: human ? options.values : Object.fromEntries(options.values as readonly (readonly [string, string])[]),
    weight,
  };
}

/** Records with their numbers, counted from 1. */
async function* numbered(records: Records): AsyncGenerator<[number, unknown]> {
  let number = 0;
  for await (const record of records) yield [++number, record];
}

function check<S extends z.ZodType>(schema: S, record: unknown, number: number): z.infer<S> {
  return checked(schema, record, (problem) => malformed(number, problem));
}

function malformed(number: number, what: string): ProxmoError {
  return new ProxmoError(
    'data',
    `webshop replay: record ${number}: ${what}; give records in the form of the recorded sessions or queries.`,
  );
}
