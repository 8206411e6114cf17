/** The vocabulary of the household: every word that its observations, instructions and commands can contain. */
import { literalTexts } from '../textgame/index.ts';
import { FURNISHINGS, LAMP, MOST_OF_A_THING, MOST_PLACES_IN_A_ROOM, type RoomKind } from './catalogue.ts';
import { householdLogic, UNKNOWN_COMMAND } from './domain.ts';
import type { ResolvedOptions } from './options.ts';
import { INSTRUCTION_TEXTS } from './tasks.ts';

/** Words, numbers and punctuation marks, each once, in alphabetical order. */
export function householdWords({ receptacles, commands }: ResolvedOptions): readonly string[] {
  const isHouse = receptacles > MOST_PLACES_IN_A_ROOM;
  const kinds = (Object.keys(FURNISHINGS) as RoomKind[]).filter((kind) => (kind === 'house') === isHouse);
  const furnishings = kinds.map((kind) => FURNISHINGS[kind]);
  const places = furnishings.flatMap(({ fixed, storage }) => [...fixed, ...storage]);
  const things = furnishings.flatMap((furnishing) => furnishing.things);
  const most = Math.max(MOST_OF_A_THING, ...places.map((place) => place.most));
  const texts = [
    ...literalTexts(householdLogic(commands)),
    ...INSTRUCTION_TEXTS,
    UNKNOWN_COMMAND,
    LAMP,
    ...kinds,
    ...[...places, ...things].map(({ name }) => name),
    ...Array.from({ length: most }, (_, i) => String(i + 1)),
  ];
  return [...new Set(texts.flatMap(splitWords))].sort();
}

/** Words, numbers and punctuation marks of a text. */
function splitWords(text: string): readonly string[] {
  return text.toLowerCase().match(/[a-z]+|\d+|[^\sa-z\d]/g) ?? [];
}
