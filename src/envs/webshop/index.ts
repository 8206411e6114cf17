/**
 * The shop task set: the WebShop simulator (Yao et al., "WebShop: Towards Scalable Real-World Web Interaction with
 * Grounded Language Agents", NeurIPS 2022) on WebShop's data files or on a self-made catalogue that ships with the
 * package. This file runs in a browser; `index.node.ts` adds reading data files from disk.
 *
 * Splits. With WebShop's data, goals 0 to 499 in the order of the seed are held out, for `seen` and `unseen` alike, and
 * the rest are for training: ProxMO's index ranges, but of one order, so no goal is in both (with fewer than 1,000
 * goals, the first half is held out). With the self-made catalogue, one product in five is held out for `unseen`, and
 * one goal in five of the others for `seen`. All products are in the shop in every split.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { Expert, Split, TaskSet } from '../environment.ts';
import { hashText } from '../random.ts';
import { chooseTasks } from '../taskLists.ts';
import { type CatalogueFiles, type Product, readCatalogue } from './catalogue.ts';
import { suggestedSearches, WebshopEnvironment, type WebshopTask } from './environment.ts';
import { WebshopExpert } from './expert.ts';
import { drawGoals, type Goal, type GoalKind } from './goals.ts';
import { type ResolvedOptions, resolveOptions, type WebshopOptions } from './options.ts';
import { webshopPointers } from './pointing.ts';
import { webshopThinkAction } from './prompt.ts';
import { makeCatalogue } from './selfMade.ts';
import { ShopSession } from './session.ts';
import { Shop } from './shop.ts';
import { shopWords } from './words.ts';

export type { WebshopTask } from './environment.ts';
export type { WebshopOptions } from './options.ts';

/** Held-out goals of WebShop's data. */
const HELD_OUT_GOALS = 500;
/** Share of held-out products, and of held-out goals of the others, in the self-made catalogue. */
const HELD_OUT_SHARE = 5;

/**
 * The shop task set; its environments answer at once, without promises. Task types are the departments: `beauty`,
 * `electronics` and so on.
 */
export class WebshopTaskSet implements TaskSet<WebshopTask> {
  readonly name = 'webshop';
  readonly types: readonly string[];
  readonly maxSteps: number;
  readonly thinkAction = webshopThinkAction;
  readonly pointers = webshopPointers;
  readonly #options: ResolvedOptions;
  readonly #shop: Shop;
  readonly #goals: readonly Goal[];
  readonly #tasks: readonly WebshopTask[];
  readonly #splits = new Map<Split, readonly WebshopTask[]>();

  constructor(products: readonly Product[], options: ResolvedOptions) {
    this.#options = options;
    this.maxSteps = options.maxSteps;
    const { goals, prices } = drawGoals(products, options.goals, options.seed);
    this.#goals = goals;
    this.#shop = new Shop(products, prices);
    this.#tasks = goals.map(({ product }, goal) => ({ id: `${goal}/${product.asin}`, type: product.category, goal }));
    this.types = [...new Set(this.#tasks.map(({ type }) => type))].sort();
  }

  tasks(split: Split, count: number, seed: number): readonly WebshopTask[] {
    return chooseTasks(this.name, split, this.allTasks(split), count, seed);
  }

  /** In the order of the goals. */
  allTasks(split: Split): readonly WebshopTask[] {
    const known = this.#splits.get(split) ?? this.#tasks.filter((task) => this.#isIn(split, task));
    this.#splits.set(split, known);
    return known;
  }

  createEnvironment(): WebshopEnvironment {
    return new WebshopEnvironment(this.#options, this.#shop, (task) => this.#goalOf(task));
  }

  createExpert(): Expert {
    return new WebshopExpert(this.maxSteps);
  }

  /**
   * The shortest way to a purchase worth 1, from knowing the goal's product; null where its options cannot match, or
   * searches or steps do not suffice.
   */
  solution(task: WebshopTask): readonly string[] | null {
    const goal = this.#goalOf(task);
    if (goal === undefined) return null;
    const ways = [...suggestedSearches(goal), `search[${goal.product.title.toLowerCase()}]`].map((search) =>
      this.#buyAfter(search, goal),
    );
    return ways.filter((way) => way !== null).sort((a, b) => a.length - b.length)[0] ?? null;
  }

  words(): readonly string[] {
    return shopWords(this.#shop.products, this.#goals, this.maxSteps);
  }

  #goalOf(task: WebshopTask): Goal | undefined {
    return this.#tasks[task.goal]?.id === task.id ? this.#goals[task.goal] : undefined;
  }

  #isIn(split: Split, { goal }: WebshopTask): boolean {
    if (this.#options.data !== undefined) {
      const heldOut = Math.min(HELD_OUT_GOALS, Math.floor(this.#goals.length / 2));
      return (split === 'train') === goal >= heldOut;
    }
    const { product, options } = this.#goals[goal]!;
    if (isHeldOut(`product ${product.asin}`)) return split === 'unseen';
    return split === (isHeldOut(`goal ${product.asin} ${options.values.join(' ')}`) ? 'seen' : 'train');
  }

  #buyAfter(search: string, goal: Goal): readonly string[] | null {
    const session = new ShopSession(this.#shop, goal);
    const actions: string[] = [];
    const act = (action: string): void => {
      session.act(action);
      actions.push(action);
    };
    const asin = goal.product.asin.toLowerCase();
    act(search);
    while (!session.page.clickables.includes(asin)) {
      if (actions.length > this.maxSteps) return null;
      act('click[next >]');
    }
    act(`click[${asin}]`);
    for (const value of valuesToChoose(goal)) act(`click[${value}]`);
    act('click[buy now]');
    return session.reward?.total === 1 && actions.length <= this.maxSteps ? actions : null;
  }
}

/** Values on the product's page that a goal asks for. */
function valuesToChoose({ product, options }: Goal): readonly string[] {
  if (options.kind === 'named') return options.values.map(([, value]) => value);
  const offered = new Set([...product.options.values()].flat());
  return options.values.filter((value) => offered.has(value));
}

function isHeldOut(key: string): boolean {
  return hashText(key) % HELD_OUT_SHARE === 0;
}

/** Reads the data files that the option `data` names. */
export type CatalogueReader = (path: string, goals: GoalKind) => Promise<CatalogueFiles>;

/**
 * The shop task set.
 *
 * @param readFiles reads data files; without it, the option `data` is refused
 * @throws {ProxmoError} `config` on options that are unknown or out of range; `file` on data files that are missing or
 * damaged.
 */
export async function createWebshopTaskSet(
  options: WebshopOptions = {},
  readFiles?: CatalogueReader,
): Promise<WebshopTaskSet> {
  const resolved = resolveOptions(options);
  const { data, goals, products } = resolved;
  if (data === undefined) return new WebshopTaskSet(makeCatalogue(products), resolved);
  if (readFiles === undefined)
    throw new ProxmoError('config', 'webshop: data files cannot be read here; leave out data, or run under Node.');
  const catalogue = readCatalogue(await readFiles(data, goals));
  const set = new WebshopTaskSet(catalogue, resolved);
  if (set.types.length === 0)
    throw new ProxmoError(
      'file',
      `webshop: the files in ${data} hold no goals; put the original files in their place.`,
    );
  return set;
}
