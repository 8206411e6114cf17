/**
 * The shop as an environment. Observations are the original's pages, character for character.
 *
 * Actions. The shop takes any search and every click that its page offers. The list of admissible actions holds the
 * clicks and, where the page has a search bar, searches that can be read off the instruction: the whole of it without
 * its price clause, and without its options too. A small policy can learn to copy them; any other search is carried out
 * as well. Elsewhere a search is carried out but not listed, so that a policy that copies keeps to the page. The button
 * "Search" does nothing, as in the original, and is not listed.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { Environment, Task, Turn } from '../environment.ts';
import { type Goal, withoutPriceClause } from './goals.ts';
import type { ResolvedOptions } from './options.ts';
import type { Reward } from './reward.ts';
import { ShopSession } from './session.ts';
import type { Shop } from './shop.ts';

/** A goal to shop for. */
export interface WebshopTask extends Task {
  /** Index of the goal in the order that the seed gives. */
  readonly goal: number;
}

type Settings = Pick<ResolvedOptions, 'maxSteps' | 'shaping' | 'winReward'>;

export class WebshopEnvironment implements Environment<WebshopTask> {
  readonly #settings: Settings;
  readonly #shop: Shop;
  readonly #findGoal: (task: WebshopTask) => Goal | undefined;
  #session: ShopSession | null = null;
  #steps = 0;
  #turn: Turn | null = null;

  /** @param findGoal gives the goal of a task; undefined for a task of another task set. */
  constructor(settings: Settings, shop: Shop, findGoal: (task: WebshopTask) => Goal | undefined) {
    this.#settings = settings;
    this.#shop = shop;
    this.#findGoal = findGoal;
  }

  /** @throws {ProxmoError} `environment` if the task is not of this task set. */
  reset(task: WebshopTask): Turn & { readonly instruction: string } {
    const goal = this.#findGoal(task);
    if (goal === undefined)
      throw new ProxmoError('environment', `webshop: no task ${task.id}; take tasks from the same task set.`);
    this.#session = new ShopSession(this.#shop, goal);
    this.#steps = 0;
    this.#turn = this.#show(this.#session);
    return { ...this.#turn, instruction: goal.instruction };
  }

  /** @throws {ProxmoError} `environment` before the first reset. */
  step(action: string): Turn {
    if (this.#session === null || this.#turn === null)
      throw new ProxmoError('environment', 'webshop: step before reset; call reset first.');
    if (this.#turn.done) return this.#turn;
    this.#steps++;
    this.#session.act(action);
    this.#turn = this.#show(this.#session);
    return this.#turn;
  }

  #show(session: ShopSession): Turn {
    const { reward, page, goal } = session;
    const score = reward?.total ?? 0;
    const done = reward !== null || this.#steps >= this.#settings.maxSteps;
    const success = score === 1;
    const { shaping, winReward } = this.#settings;
    return {
      observation: page.text,
      admissibleActions: [...(page.hasSearchBar ? suggestedSearches(goal) : []), ...clicks(page.clickables)],
      reward: shaping === 'score' ? score : success ? winReward : 0,
      done,
      success,
      ...(done && { score, components: componentsOf(reward) }),
    };
  }
}

function clicks(clickables: readonly string[]): string[] {
  return clickables.filter((name) => name !== 'search').map((name) => `click[${name}]`);
}

/** Searches made of the words of an instruction, the longest first. */
export function suggestedSearches({ instruction, options, product }: Goal): readonly string[] {
  const whole = withoutPriceClause(instruction);
  // Synthetic instructions begin with the product's sentence; its options follow.
  const short = options.kind === 'named' && product.instruction !== null ? product.instruction.text : whole;
  return [...new Set([whole, short])].map((query) => `search[${query.toLowerCase().replaceAll('\n', ' ')}]`);
}

/** What the score consists of; all 0 where nothing was bought. */
function componentsOf(reward: Reward | null): Readonly<Record<string, number>> {
  return {
    bought: reward === null ? 0 : 1,
    type: reward?.type ?? 0,
    attributes: reward?.attributes ?? 0,
    // A goal without options has none to miss.
    options: reward === null ? 0 : (reward.options ?? 1),
    price: reward?.price ? 1 : 0,
    query: reward?.queryMatch ? 1 : 0,
    category: reward?.categoryMatch ? 1 : 0,
    title: reward?.titleScore ?? 0,
  };
}
