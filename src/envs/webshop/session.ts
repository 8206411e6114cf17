/**
 * A visit to the shop: pages, and what a click or a search leads to. Pages are shown in the original's text mode: their
 * visible strings joined by ` [SEP] `.
 *
 *   start ──search──▶ results ──product──▶ item ──description, features, reviews──▶ sub-page
 *                     next, prev ◀──prev── item ◀──prev── sub-page       item ──buy now──▶ done
 *
 * `search[…]` is taken on every page, `click[…]` if the page has it; anything else changes nothing. "Back to Search"
 * starts over.
 */
import type { Product } from './catalogue.ts';
import type { Goal } from './goals.ts';
import { strip } from './pythonText.ts';
import { type Reward, rewardOf } from './reward.ts';
import type { Shop } from './shop.ts';

export interface Page {
  readonly text: string;
  /** What can be clicked, in lower case, in the order of the page. */
  readonly clickables: readonly string[];
  readonly hasSearchBar: boolean;
}

/** Products on a page of results. */
const PRODUCTS_PER_PAGE = 10;

const SUB_PAGES = ['description', 'features', 'reviews'] as const;
type SubPage = (typeof SUB_PAGES)[number];

/** Where the customer is. */
type Place =
  | { readonly kind: 'start' }
  | { readonly kind: 'results'; readonly found: readonly Product[]; readonly page: number }
  | {
      readonly kind: 'item' | SubPage;
      readonly found: readonly Product[];
      readonly page: number;
      readonly product: Product;
    };

const NOTHING_CHOSEN: ReadonlyMap<string, string> = new Map();

export class ShopSession {
  readonly #shop: Shop;
  readonly goal: Goal;
  #place: Place = { kind: 'start' };
  #chosen = NOTHING_CHOSEN;
  #reward: Reward | null = null;
  #page: Page | null = null;

  constructor(shop: Shop, goal: Goal) {
    this.#shop = shop;
    this.goal = goal;
  }

  /** The page as it is shown now; after the purchase, a page of thanks. */
  get page(): Page {
    this.#page ??= this.#reward === null ? showPage(this.#place, this.goal) : DONE_PAGE;
    return this.#page;
  }

  /** What the purchase was worth; null before it. */
  get reward(): Reward | null {
    return this.#reward;
  }

  /** The product whose pages the customer is on. */
  get product(): Product | null {
    return 'product' in this.#place ? this.#place.product : null;
  }

  /** Values chosen so far, by name of option. */
  get chosen(): ReadonlyMap<string, string> {
    return this.#chosen;
  }

  act(action: string): void {
    if (this.#reward !== null) return;
    const { name, argument } = parseAction(action);
    if (name === 'search') this.#search(argument);
    else if (name === 'click' && argument !== 'search' && this.page.clickables.includes(argument))
      this.#click(argument);
  }

  #search(query: string): void {
    this.#go({ kind: 'results', found: this.#shop.search(query), page: 1 }, NOTHING_CHOSEN);
  }

  #click(target: string): void {
    const place = this.#place;
    if (target === 'back to search' || place.kind === 'start') this.#go({ kind: 'start' }, NOTHING_CHOSEN);
    else if (place.kind === 'results') this.#clickResults(target, place);
    else if (place.kind === 'item') this.#clickItem(target, place);
    else this.#go({ ...place, kind: 'item' });
  }

  #clickResults(target: string, place: Place & { kind: 'results' }): void {
    const { found, page } = place;
    if (target === 'next >') this.#go({ ...place, page: page + 1 });
    else if (target === '< prev') this.#go({ ...place, page: page - 1 });
    else
      this.#go({
        kind: 'item',
        found,
        page,
        product: productsOn(place).find(({ asin }) => asin.toLowerCase() === target)!,
      });
  }

  #clickItem(target: string, place: Place & { kind: 'item' | SubPage }): void {
    const { found, page, product } = place;
    const subPage = SUB_PAGES.find((name) => name === target);
    if (target === 'buy now') {
      this.#reward = rewardOf({ product, options: this.#chosen, price: this.#shop.priceOf(product) }, this.goal);
      this.#page = null;
    } else if (target === '< prev') this.#go({ kind: 'results', found, page }, NOTHING_CHOSEN);
    else if (subPage !== undefined) this.#go({ ...place, kind: subPage });
    else {
      // Where two options share a value, the page knows it as the later one's.
      const name = [...product.options.keys()].findLast((option) => product.options.get(option)!.includes(target))!;
      this.#chosen = new Map(this.#chosen).set(name, target);
    }
  }

  #go(place: Place, chosen = this.#chosen): void {
    this.#place = place;
    this.#chosen = chosen;
    this.#page = null;
  }
}

/**
 * Name and argument of an action, as the original's pattern `(.+)\[(.+)\]` takes them from its beginning: up to the
 * last bracket that opens before the last one that closes, on the first line. An empty name for anything that is not an
 * action; the argument is in lower case and not empty.
 */
export function parseAction(action: string): { readonly name: string; readonly argument: string } {
  const line = action.split('\n', 1)[0]!;
  const end = line.lastIndexOf(']');
  const start = end < 2 ? -1 : line.lastIndexOf('[', end - 2);
  return start < 1
    ? { name: '', argument: '' }
    : { name: line.slice(0, start), argument: line.slice(start + 1, end).toLowerCase() };
}

/** What stands between the strings of a page. */
export const SEPARATOR = ' [SEP] ';

function productsOn({
  found,
  page,
}: {
  readonly found: readonly Product[];
  readonly page: number;
}): readonly Product[] {
  return found.slice((page - 1) * PRODUCTS_PER_PAGE, page * PRODUCTS_PER_PAGE);
}

function showPage(place: Place, { instruction }: Goal): Page {
  const head = ['Instruction:', instruction];
  if (place.kind === 'start')
    return { text: joinTexts(['WebShop', ...head, 'Search']), clickables: ['search'], hasSearchBar: true };
  const top = [...head, 'Back to Search'];
  if (place.kind === 'results') return resultsPage(place, top);
  if (place.kind === 'item') return itemPage(place.product, top);
  const text = subPageTexts(place.kind, place.product);
  return {
    text: joinTexts([...top, '< Prev', ...text]),
    clickables: ['back to search', '< prev'],
    hasSearchBar: false,
  };
}

function resultsPage(place: Place & { kind: 'results' }, top: readonly string[]): Page {
  const products = productsOn(place);
  const buttons = place.page > 1 ? ['< Prev', 'Next >'] : ['Next >'];
  const listed = products.flatMap(({ asin, title, priceText }) => [asin, title, priceText]);
  return {
    text: joinTexts([...top, `Page ${place.page} (Total results: ${place.found.length})`, ...buttons, ...listed]),
    clickables: distinct(
      ['Back to Search', ...buttons, ...products.map(({ asin }) => asin)].map((name) => name.toLowerCase()),
    ),
    hasSearchBar: false,
  };
}

function itemPage({ title, priceText, options }: Product, top: readonly string[]): Page {
  const choices = [...options].flatMap(([name, values]) => [name, ...values]);
  const about = [title, `Price: ${priceText}`, 'Rating: N.A.', 'Description', 'Features', 'Reviews', 'Buy Now'];
  return {
    text: joinTexts([...top, '< Prev', ...choices, ...about]),
    clickables: distinct(['back to search', '< prev', ...SUB_PAGES, 'buy now', ...[...options.values()].flat()]),
    hasSearchBar: false,
  };
}

/**
 * There are no reviews. A bullet stands behind a space on its page, so an empty one is a string there, where an empty
 * description is none.
 */
function subPageTexts(kind: SubPage, { description, bullets }: Product): readonly string[] {
  if (kind === 'description') return [description];
  return kind === 'features' ? bullets.map((bullet) => ` ${bullet}`) : [];
}

const DONE_PAGE: Page = { text: 'Thank you for shopping with us!', clickables: [], hasSearchBar: false };

/** Empty strings are not on a page, nor are those of white space alone with a line break in it. */
function joinTexts(texts: readonly string[]): string {
  const visible = texts.filter((text) => text !== '' && !/^[ \t\f\r]*\n[ \t\f\r\n]*$/.test(text));
  return visible.map(strip).join(SEPARATOR);
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
