/** The vocabulary of ALFWorld: every word that observations, instructions and commands of its games can contain. */
import { type GameLogic, literalTexts } from '../textgame/index.ts';

/**
 * What objects and receptacles are called: the classes of ALFRED's scenes, `sink` and `bathtub` with and without their
 * basins.
 */
const NAMES = `
  alarmclock apple armchair baseballbat basketball bathtub bathtubbasin bed blinds book boots bowl box bread butterknife cabinet candle cart
  cd cellphone chair cloth coffeemachine coffeetable countertop creditcard cup curtains desk desklamp diningtable dishsponge drawer dresser
  egg faucet floorlamp footstool fork fridge garbagecan glassbottle handtowel handtowelholder houseplant kettle keychain knife ladle lamp
  laptop laundryhamper laundryhamperlid lettuce lightswitch loc microwave mirror mug newspaper ottoman painting pan papertowel
  papertowelroll pen pencil peppershaker pillow plate plunger poster pot potato remotecontrol safe saltshaker scrubbrush shelf showercurtain
  showerdoor showerglass showerhead sidetable sink sinkbasin soapbar soapbottle sofa spatula spoon spraybottle statue stoveburner stoveknob
  teddybear television tennisracket tissuebox toaster toilet toiletpaper toiletpaperhanger toiletpaperroll tomato towel towelholder tvstand
  vase watch wateringcan window winebottle`;

/** Things that are carried about and are nothing more: no tool, and no place for others. */
export const carriedThings = `
  alarmclock apple baseballbat basketball book bowl bread butterknife candle cd cellphone cloth creditcard cup
  dishsponge egg fork glassbottle handtowel kettle keychain knife ladle laptop lettuce mug newspaper pan pen pencil
  peppershaker pillow plate plunger pot potato remotecontrol saltshaker soapbar soapbottle spatula spoon spraybottle
  statue teddybear tennisracket tissuebox toiletpaper tomato towel vase watch wateringcan winebottle`
  .trim()
  .split(/\s+/);

/** The words of the sentences that state tasks. */
const SENTENCES = `
  put a clean hot cool in. put some on. clean heat cool some and put it in. put two in. find two and put them in.
  look at under the. examine the with the.`;

/** Highest number of an object, and of a place in the wording of old releases, with some to spare. */
const MOST_OF_A_KIND = 99;

/** Words, numbers and punctuation marks, each once, in the order of code units. */
export function alfworldWords(logic: GameLogic): readonly string[] {
  const numbers = Array.from({ length: MOST_OF_A_KIND }, (_, i) => String(i + 1));
  const texts = [...literalTexts(logic), NAMES, SENTENCES, 'Nothing happens.', ...numbers];
  return [...new Set(texts.flatMap((text) => text.match(/[A-Za-z]+|\d+|[^\sA-Za-z\d]/g) ?? []))].sort();
}
