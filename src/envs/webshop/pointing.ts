/** Pages of the shop in parts, for prompts that are written with pointers (`src/text/pointers.ts`). */
import type { PagePart, PointerStyle } from '../../text/pointers.ts';
import { type ReadPage, readPage, textBelowButtons } from './page.ts';
import { SEPARATOR } from './session.ts';

/** What pages are, and what is on their buttons. */
const FRAME = ['start', 'results', 'item', 'details', 'other', 'search', 'back', 'prev', 'next'] as const;
const ITEM_BUTTONS = ['description', 'features', 'reviews', 'buy'] as const;

const BUTTONS: readonly string[] = [
  'back to search',
  '< prev',
  'next >',
  'description',
  'features',
  'reviews',
  'buy now',
];

export const webshopPointers: PointerStyle = {
  words: [...FRAME, ...ITEM_BUTTONS],
  parts: (observation, offered) => {
    const actions = offered ?? [];
    const page = readPage(observation, actions);
    return [
      { text: page.kind, frame: true },
      ...contentOf(page, observation),
      ...actions.filter(isButton).map((action) => ({ text: action.replace(' to search', ''), frame: true, action })),
    ];
  },
};

function isButton(action: string): boolean {
  return action.startsWith('search[') || BUTTONS.includes(action.slice('click['.length, -1));
}

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
