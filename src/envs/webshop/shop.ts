/** The shop: a catalogue with its search and its prices, shared by all visits. */
import { type Product, searchText } from './catalogue.ts';
import type { Document } from './postings.ts';
import { SearchIndex } from './search.ts';

/** Most products that a search finds. */
const MOST_RESULTS = 50;

/** Searches that are remembered: episodes of a group begin with the same one. */
const REMEMBERED_SEARCHES = 1024;

export class Shop {
  readonly products: readonly Product[];
  readonly #index: SearchIndex;
  readonly #prices: ReadonlyMap<Product, number>;
  readonly #searches = new Map<string, readonly Product[]>();

  /** @param prices what each product costs when it is bought, in the order of the products */
  constructor(products: readonly Product[], prices: readonly number[], index: SearchIndex = indexProducts(products)) {
    this.products = products;
    this.#index = index;
    this.#prices = new Map(products.map((product, i) => [product, prices[i]!]));
  }

  /** The products that fit a query best, at most 50. */
  search(query: string): readonly Product[] {
    let found = this.#searches.get(query);
    if (found === undefined) {
      if (this.#searches.size >= REMEMBERED_SEARCHES) this.#searches.clear();
      found = this.#index.search(query, MOST_RESULTS).map(({ document }) => this.products[document]!);
      this.#searches.set(query, found);
    }
    return found;
  }

  /** In dollars; within the range where the page shows one. */
  priceOf(product: Product): number {
    return this.#prices.get(product)!;
  }
}

/** The search over a catalogue; it depends on nothing else, so shops with other prices can share it. */
export function indexProducts(products: readonly Product[]): SearchIndex {
  return new SearchIndex(products.map((product): Document => ({ id: product.asin, text: searchText(product) })));
}
