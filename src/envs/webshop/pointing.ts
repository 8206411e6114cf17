/** Pages of the shop in parts, for prompts that are written with pointers (`src/text/pointers.ts`). */
import type { PagePart, PointerStyle } from '../../text/pointers.ts';
import { type ReadPage, readPage, textBelowButtons } from './page.ts';
import { SEPARATOR } from './session.ts';

/** What pages are, and what is on the buttons that they show. */
const FRAME: readonly string[] = ['start', 'results', 'item', 'details', 'other', 'search', 'back', 'prev', 'next'];

/**
 * Buttons of an item and of its details have the same places on the list on every such page, so they need not be shown.
 */
const BUTTONS: readonly string[] = ['click[back to search]', 'click[< prev]', 'click[next >]'];

export const webshopPointers: PointerStyle = {
  words: FRAME,
  parts: (observation, offered) => {
    const actions = offered ?? [];
    const page = readPage(observation, actions);
    const buttons = actions.filter((action) => action.startsWith('search[') || BUTTONS.includes(action));
    return [
      { text: page.kind, frame: true },
      ...contentOf(page, observation),
      ...(page.kind === 'item' || page.kind === 'details' ? [] : buttons).map((action) => ({
        text: action.startsWith('search[') ? 'search' : action,
        frame: true,
        action,
      })),
    ];
  },
};

/** What a page shows besides its buttons, without the instruction. */
function contentOf(page: ReadPage, observation: string): readonly PagePart[] {
  if (page.kind === 'results')
    return page.listings.map(({ id, title, price }) => ({ text: withPrice(title, price), action: `click[${id}]` }));
  if (page.kind === 'item') {
    return [
      { text: withPrice(page.title, page.price) },
      ...[...page.options].flatMap(([name, values]) => [
        { text: name },
        ...values.map((value) => ({ text: value, action: `click[${value}]` })),
      ]),
    ];
  }
  if (page.kind === 'details') return [{ text: textBelowButtons(observation) }];
  return page.kind === 'start' ? [] : [{ text: observation.split(SEPARATOR).join(' ') }];
}

/** A page that was cut short may have lost its price. */
function withPrice(title: string, price: number): string {
  return Number.isFinite(price) ? `${title} $${price}` : title;
}
