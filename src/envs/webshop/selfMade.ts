/**
 * The self-made catalogue: products in the structure of WebShop's, from the words of `stock.ts` and a seed. It ships
 * with the package and runs in a browser. Pages are shorter than the original's and vocabulary is small, so that a
 * small policy can learn to shop. Titles name maker, material, kind and one attribute in lower case, ids are numbers
 * (they read the same in a title and on a button) and prices whole dollars. Every goal can be met in full, and most
 * goals by few products.
 */
import { RandomStream } from '../random.ts';
import type { Product } from './catalogue.ts';
import { formatFloat } from './pythonText.ts';
import { BRANDS, DEPARTMENTS, type Department, type Group, type Kind } from './stock.ts';

/** A kind of product where it is sold. */
interface Shelf {
  readonly department: Department;
  readonly group: Group;
  readonly kind: Kind;
}

const SHELVES: readonly Shelf[] = DEPARTMENTS.flatMap((department) =>
  department.groups.flatMap((group) => group.kinds.map((kind) => ({ department, group, kind }))),
);

const SEED = 1;

/** Attributes of a product, and how many of them its instruction asks for. */
const ATTRIBUTES = 4;
const ASKED_ATTRIBUTES = 3;
/** Most values that an option of a product has. */
const MOST_VALUES = 4;
/** One product in so many has a price range. */
const RANGE_SHARE = 10;

/**
 * `count` products, all kinds in turn; a longer catalogue begins with the products of a shorter one where their ids
 * have as many digits.
 */
export function makeCatalogue(count: number): Product[] {
  const first = 10 ** Math.max(4, String(count).length);
  const random = new RandomStream(SEED, first);
  return Array.from({ length: count }, (_, index) =>
    makeProduct(SHELVES[index % SHELVES.length]!, String(first + scatter(index, first)), random),
  );
}

/** A prime that divides no power of ten and is not three. */
const STRIDE = 104_729;

/** Spreads ids over [0, 9 · first), without repetition. */
function scatter(index: number, first: number): number {
  return (index * STRIDE) % (9 * first);
}

function makeProduct({ department, group, kind }: Shelf, asin: string, random: RandomStream): Product {
  const brand = random.pick(BRANDS);
  const material = random.pick(kind.materials);
  const attributes = random.shuffle(group.attributes).slice(0, ATTRIBUTES);
  const options = new Map(Object.entries(kind.options).map(([name, pool]) => [name, chooseValues(pool, random)]));
  const prices = choosePrices(kind, random);
  const [a, b, c, d] = attributes as [string, string, string, string];
  const asked = random.shuffle(attributes).slice(0, ASKED_ATTRIBUTES);
  return {
    asin,
    category: department.name,
    query: kind.query,
    productCategory: `${department.title} › ${group.name} › ${kind.query}`,
    title: `${brand} ${material} ${kind.noun}, ${a}`,
    description: `${material} ${kind.noun} by ${brand}: ${a}, ${b}, ${c} and ${d}.`,
    bullets: [`${a}, ${b}`, `${c}, ${d}`, `made of or with ${material}`],
    prices,
    priceText: prices.map((price) => `$${formatFloat(price)}`).join(' to '),
    options,
    attributes,
    instruction: { text: `Find me ${asked[0]}, ${asked[1]} ${kind.query} with ${asked[2]}`, attributes: asked },
    humanInstructions: [],
  };
}

/** Two or more values, in the order of the pool. */
function chooseValues(pool: readonly string[], random: RandomStream): readonly string[] {
  const count = 2 + random.below(Math.min(pool.length, MOST_VALUES) - 1);
  const chosen = new Set(random.shuffle(pool).slice(0, count));
  return pool.filter((value) => chosen.has(value));
}

function choosePrices({ price: [low, high] }: Kind, random: RandomStream): readonly number[] {
  const price = low + random.below(high - low + 1);
  const isRange = random.below(RANGE_SHARE) === 0;
  return isRange ? [price, price + 1 + random.below(10)] : [price];
}
