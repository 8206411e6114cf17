/**
 * A hand-written customer. It knows nothing of a goal but the instruction and nothing of a product but what pages show.
 * It searches for the instruction without its price clause, opens the products that rank high and whose titles fit,
 * compares their options and prices, and reads the features of those that might do. It buys the first product that has
 * all that is asked for, or the best one seen when steps run short.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { Expert, Turn } from '../environment.ts';
import { type Listing, type ReadPage, readPage, textBelowButtons } from './page.ts';
import { chooseValues, coverage, readWish, type Wish } from './wish.ts';

/** A product that was opened. */
interface Candidate {
  readonly id: string;
  /** The page of results that lists it. */
  readonly page: number;
  /** Values to choose, by name of option. */
  readonly choices: ReadonlyMap<string, string>;
  /** Share of the named options that it has; halved where it costs too much. */
  readonly share: number;
  /** What was read of it. */
  text: string;
  /** How well it fits, from 0 to 1. */
  fit: number;
  featuresRead: boolean;
}

type ItemPage = ReadPage & { kind: 'item' };
type ResultsPage = ReadPage & { kind: 'results' };

/** Pages of results that are looked through. */
const MOST_PAGES = 2;
/** Fit of a product that is bought without looking further. */
const GOOD_FIT = 0.9;
/** What a place further down the list counts against a title, as a share of the wish. */
const RANK_PENALTY = 0.2;
/** Steps to look at one more product: the click, its features, and the way back. */
const LOOK = 4;

export class WebshopExpert implements Expert {
  readonly #maxSteps: number;
  #wish: Wish = readWish('');
  #steps = 0;
  #lastAction: string | null = null;
  #resultsPage = 1;
  readonly #seen = new Map<string, Candidate>();
  /** The product whose pages are shown. */
  #current: Candidate | null = null;
  /** Values chosen on its page. */
  #chosen = new Set<string>();
  /** The product to buy, once that is decided. */
  #decided: Candidate | null = null;

  /** @param maxSteps steps of an episode, which the expert keeps to */
  constructor(maxSteps: number) {
    this.#maxSteps = maxSteps;
  }

  reset(instruction: string): void {
    this.#wish = readWish(instruction);
    this.#steps = 0;
    this.#lastAction = null;
    this.#resultsPage = 1;
    this.#seen.clear();
    this.#current = null;
    this.#chosen = new Set();
    this.#decided = null;
  }

  act({ observation, admissibleActions }: Turn, taken: string | null = this.#lastAction): string {
    if (admissibleActions === null)
      throw new ProxmoError('environment', 'The webshop expert needs the list of admissible actions.');
    const page = readPage(observation, admissibleActions);
    this.#takeNotes(page, taken);
    const action = this.#decide(page, observation, admissibleActions);
    this.#lastAction = action;
    this.#steps++;
    return action;
  }

  get #stepsLeft(): number {
    return this.#maxSteps - this.#steps;
  }

  /** Where the last action led. */
  #takeNotes(page: ReadPage, taken: string | null): void {
    if (page.kind === 'results') this.#resultsPage = page.number;
    if (page.kind === 'start' || page.kind === 'results') {
      this.#current = null;
      this.#chosen = new Set();
    }
    const clicked = taken === null ? undefined : /^click\[(.*)\]$/s.exec(taken)?.[1];
    if (page.kind !== 'item' || clicked === undefined) return;
    if (this.#current === null) this.#current = this.#seen.get(clicked) ?? this.#judge(clicked, page);
    else if ([...page.options.values()].some((values) => values.includes(clicked))) this.#chosen.add(clicked);
  }

  #decide(page: ReadPage, observation: string, actions: readonly string[]): string {
    switch (page.kind) {
      case 'start':
        return actions[0]!;
      case 'results':
        return this.#openProduct(page);
      case 'item':
        return this.#handleItem(page);
      case 'details':
        if (this.#current !== null) this.#read(this.#current, observation);
        return 'click[< prev]';
      default:
        throw new ProxmoError('environment', 'The webshop expert does not know this page; it plays the shop alone.');
    }
  }

  #openProduct(page: ResultsPage): string {
    const best = this.#best();
    const canLook = best === null || this.#stepsLeft >= LOOK + this.#stepsToBuy(best, page.number);
    if (this.#decided === null && canLook) {
      const next = this.#mostPromising(page.listings);
      if (next !== null) return `click[${next.id}]`;
      if (page.number < MOST_PAGES && page.listings.length > 0) return 'click[next >]';
    }
    if (best === null) return page.listings.length > 0 ? `click[${page.listings[0]!.id}]` : 'click[back to search]';
    this.#decided ??= best;
    const { id, page: where } = this.#decided;
    if (where === page.number) return `click[${id}]`;
    return where < page.number ? 'click[< prev]' : 'click[next >]';
  }

  /**
   * Of the products not seen yet that are not too dear, the one whose title has most of the wish; places up the list
   * count more.
   */
  #mostPromising(listings: readonly Listing[]): Listing | null {
    let best: Listing | null = null;
    let most = Number.NEGATIVE_INFINITY;
    listings.forEach((listing, rank) => {
      if (this.#seen.has(listing.id) || listing.price > this.#wish.cap) return;
      const promise = coverage(this.#wish, listing.title) - rank * RANK_PENALTY;
      if (promise <= most) return;
      best = listing;
      most = promise;
    });
    return best;
  }

  #handleItem(page: ItemPage): string {
    const candidate = this.#current;
    if (candidate === null) return 'click[< prev]';
    const open = [...candidate.choices].filter(([name, value]) => page.options.has(name) && !this.#chosen.has(value));
    if (this.#decided !== candidate && this.#chosen.size === 0 && candidate.fit < GOOD_FIT) {
      const mightDo = candidate.share === 1 && !candidate.featuresRead;
      if (mightDo && this.#stepsLeft >= open.length + 3) return 'click[features]';
      const best = this.#best()!;
      const canLook = this.#stepsLeft > LOOK + this.#stepsToBuy(best, candidate.page);
      const canTurnBack = best !== candidate && this.#stepsLeft > this.#stepsToBuy(best, candidate.page);
      if (canLook || canTurnBack) return 'click[< prev]';
    }
    this.#decided = candidate;
    return open.length > 0 ? `click[${open[0]![1]}]` : 'click[buy now]';
  }

  /** Steps to a purchase from a page of results. */
  #stepsToBuy({ page, choices }: Candidate, from: number): number {
    return Math.abs(page - from) + 1 + choices.size + 1;
  }

  #best(): Candidate | null {
    return [...this.#seen.values()].reduce<Candidate | null>(
      (best, next) => (best === null || next.fit > best.fit ? next : best),
      null,
    );
  }

  #judge(id: string, { title, price, options }: ItemPage): Candidate {
    const { choices, share } = chooseValues(this.#wish, options);
    const text = [title, ...[...options].flatMap(([name, values]) => [name, ...values])].join(' ');
    const affordable = price <= this.#wish.cap ? share : share / 2;
    const candidate: Candidate = {
      id,
      page: this.#resultsPage,
      choices,
      share: affordable,
      text,
      fit: 0,
      featuresRead: false,
    };
    this.#rate(candidate);
    this.#seen.set(id, candidate);
    return candidate;
  }

  #read(candidate: Candidate, observation: string): void {
    candidate.text += ` ${textBelowButtons(observation)}`;
    candidate.featuresRead = true;
    this.#rate(candidate);
  }

  #rate(candidate: Candidate): void {
    candidate.fit = candidate.share * coverage(this.#wish, candidate.text);
  }
}
