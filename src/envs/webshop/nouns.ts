/**
 * The nouns of a product title. The original takes the words that spaCy's `en_core_web_sm` tags as noun or proper noun.
 * A neural tagger has no place here, so this is an approximation, made for titles. The tagger takes nearly every
 * capitalised word of a title for a name, so words are nouns unless something speaks against it. What speaks against
 * it: being a number, a function word, an adverb in -ly, a verb form or, in lower case, an adjective.
 *
 * The lists below were set with nine recorded purchases of the original shop at hand; for eight of them, the nouns of
 * the goal's title are as many as the recorded score says. How well it does on other titles is not known.
 *
 * It only matters when another product than the goal's is bought, and then only by three thresholds: see `reward.ts`.
 * Words are cut as spaCy cuts them: at white space, punctuation, hyphens and slashes between letters, and between a
 * number and its unit.
 */

/** Nouns of a title in lower case, in order, with repetitions. */
export function titleNouns(title: string): string[] {
  const words = cutWords(title);
  return words.filter((word, i) => isNoun(word, words[i + 1])).map((word) => word.toLowerCase());
}

const UNIT = '(?:km|m|dm|cm|mm|ft|kg|g|mg|lb|oz|m/s|mph|hPa|Pa|mbar|mb|MB|kb|KB|gb|GB|tb|TB|T|G|M|K)';
const afterNumber = new RegExp(`^(\\d+(?:\\.\\d+)?)(${UNIT})$`);

function cutWords(title: string): string[] {
  return title
    .replace(/['’]s(?![\p{L}\d])/gu, ' ')
    .split(/[^\p{L}\p{N}\-'’/.+*&_]+/u)
    .flatMap((word) => word.split(/(?<=\p{L})[-–—/~](?=\p{L})|(?<=\p{Ll})\.(?=\p{Lu})/u))
    .map((word) => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, ''))
    .flatMap((word) => afterNumber.exec(word)?.slice(1) ?? [word])
    .filter((word) => word !== '');
}

function wordSet(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

/**
 * Articles, pronouns, prepositions, conjunctions, auxiliaries, numerals and other words that are never nouns in titles.
 */
const FUNCTION_WORDS = wordSet(`
  a an the this that these those some any each every all both either neither no not other another such same own i you he she it we they
  me him her us them my your his its our their who whom whose which what about above across after against along among around as at
  before behind below beneath beside between beyond by down during except for from in inside into like near of off on onto out outside
  over per since than through throughout to toward under until unless up upon via vs w with within without and or nor but so yet if
  because while when where how why then there here too also very more most much many less least few only just even again ever be am is
  are was were been being do does did done have has had can could will would shall should may might must one two three four five six
  seven eight nine ten eleven twelve twenty first second third easy free x`);

/** Words in -ing that name things. */
const THINGS_IN_ING = wordSet(`
  bedding building ceiling clothing coating covering decking dressing earring engraving evening flooring frosting gelding hairdressing
  icing king lighting living lining morning offering opening packaging painting piercing pudding railing ring seasoning setting shelving
  sibling sling spring stocking string stuffing thing wedding wing wiring`);

/** Adjectives that their ending does not give away. */
const ADJECTIVES = wordSet(`
  big black blue bright brown casual cheap clean clear cold comfy cool cozy crisp cute daily dark deep double dry dual elegant extra
  fast fine firm flat fresh full funny gentle good great green grey gray happy hard healthy heavy high hot huge large long loose low
  main male female mini modern natural new nice old organic perfect pink plain plus portable pretty pure purple quick quiet rare raw
  real red regular retro rich round royal safe sheer short silky simple single slim small smart smooth soft solid special square
  standard steady straight strong sturdy super sweet tall tan thick thin tiny tight tough ultra unisex warm wet white whole wide wild
  yellow young resistant transparent different excellent permanent independent vintage stainless synthetic multi waterproof wireless
  french italian japanese american chinese german indian mexican`);

/** Verbs that stand in titles in lower case. */
const VERBS = wordSet(`
  add adjust apply bring buy carry choose come cover enjoy fit fits find get give go help helps hold holds keep keeps last let look make
  makes need prevent prevents promote promotes protect protects provide provides put reduce reduces remove removes repair repairs
  restore restores see send show take turn use used want wear works`);

const ADJECTIVE_ENDING = /(?:able|ible|ful|less|ous|ive|ish|proof|free|ic|ical|ary|al)$/;

/** Nouns that end like adjectives. */
const THINGS_LIKE_ADJECTIVES = wordSet(`
  animal arrival cable ceramic cereal clinic cosmetic crystal dictionary elastic fabric festival fish garlic journal library material
  medal metal mineral music oval pedal picnic plastic portal radish sandal signal table vegetable terminal topic total`);

/** `40`, `12x16`, `81T90002UX`. */
const NUMBER_OR_CODE = /^(?:[\d.,/+*x-]+|\d+[A-Z\d]+)$/;
const LENGTH_UNITS = wordSet('km m dm cm mm ft');

function isNoun(word: string, next: string | undefined): boolean {
  const lower = word.toLowerCase();
  if (NUMBER_OR_CODE.test(word) || LENGTH_UNITS.has(word) || FUNCTION_WORDS.has(lower)) return false;
  if (/ly$/.test(lower) && !/^(?:fly|family|jelly|belly|lily|assembly|supply)$/.test(lower)) return false;
  const capitalised = word !== lower;
  if (lower.length > 4 && lower.endsWith('ing') && !THINGS_IN_ING.has(lower)) {
    // `Walking Shoes`: a verb form, save where it stands for the thing itself.
    return capitalised && next === undefined;
  }
  if (capitalised) return !/^(?:compatible|friendly|short|wireless)$/.test(lower);
  if (ADJECTIVES.has(lower) || VERBS.has(lower)) return false;
  if (lower.length <= 4 || THINGS_LIKE_ADJECTIVES.has(lower)) return true;
  return !(lower.endsWith('ed') || ADJECTIVE_ENDING.test(lower));
}
