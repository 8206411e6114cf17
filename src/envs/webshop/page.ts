/**
 * Pages as a customer reads them: the text of an observation taken apart again. Nothing is known here but what the page
 * shows.
 */
import { SEPARATOR } from './session.ts';

/** A product in a list of results. */
export interface Listing {
  /** Its id, in lower case, as the click names it. */
  readonly id: string;
  readonly title: string;
  /** In dollars; the lower bound of a range. */
  readonly price: number;
}

export type ReadPage =
  | { readonly kind: 'start' | 'details' | 'other' }
  | { readonly kind: 'results'; readonly listings: readonly Listing[]; readonly number: number }
  | {
      readonly kind: 'item';
      readonly title: string;
      readonly price: number;
      readonly options: ReadonlyMap<string, readonly string[]>;
    };

/** @param actions what the page lets its customer do */
export function readPage(observation: string, actions: readonly string[]): ReadPage {
  const parts = observation.split(SEPARATOR);
  const clicks = new Set(
    actions.flatMap((action) => (action.startsWith('click[') ? [action.slice('click['.length, -1)] : [])),
  );
  if (actions.some((action) => action.startsWith('search['))) return { kind: 'start' };
  if (clicks.has('buy now')) return readItem(parts, clicks);
  if (clicks.has('next >')) return readResults(parts, clicks);
  return { kind: clicks.has('< prev') ? 'details' : 'other' };
}

/** What a page says under its buttons. */
export function textBelowButtons(observation: string): string {
  const parts = observation.split(SEPARATOR);
  return parts.slice(parts.indexOf('< Prev') + 1).join(' ');
}

function readResults(parts: readonly string[], clicks: ReadonlySet<string>): ReadPage {
  const listings: Listing[] = [];
  const first = parts.indexOf('Next >') + 1;
  const heading = parts.find((part) => /^Page \d+ \(/.test(part)) ?? '';
  for (let i = first; i < parts.length; ) {
    const id = parts[i]!.toLowerCase();
    let end = i + 1;
    while (end < parts.length && !clicks.has(parts[end]!.toLowerCase())) end++;
    listings.push({ id, title: parts.slice(i + 1, end - 1).join(' '), price: readPrice(parts[end - 1]!) });
    i = end;
  }
  return { kind: 'results', listings, number: Number(/\d+/.exec(heading)?.[0] ?? 1) };
}

/** Options stand between the button back and the title, each name before its values; only the values can be clicked. */
function readItem(parts: readonly string[], clicks: ReadonlySet<string>): ReadPage {
  const priceAt = parts.findLastIndex((part) => part.startsWith('Price: '));
  const options = new Map<string, string[]>();
  let title = '';
  let values: string[] = [];
  for (const part of parts.slice(parts.indexOf('< Prev') + 1, priceAt)) {
    if (clicks.has(part) && options.size > 0) values.push(part);
    else {
      title = part;
      options.set(part, (values = []));
    }
  }
  // The last string that cannot be clicked is the title.
  options.delete(title);
  return { kind: 'item', title, price: readPrice(parts[priceAt] ?? ''), options };
}

function readPrice(text: string): number {
  return Number(/\$([\d.]+)/.exec(text)?.[1] ?? Number.POSITIVE_INFINITY);
}
