/**
 * The vocabulary of a shop: the words and numbers of its pages, instructions and actions. What a policy reads or copies
 * as one thing is one word: prices as pages write them (`$38.0`), caps as instructions do (`50.00`), ids, and the
 * openings of actions.
 */
import type { Product } from './catalogue.ts';
import type { Goal } from './goals.ts';

const SHOP_TEXTS = [
  'WebShop Instruction: Search Back to Search Page Total results: Next > < Prev Price: to Rating: N.A. Description Features Reviews Buy Now',
  'back to search next prev description features reviews buy now',
  'Thank you for shopping with us!',
  'and price lower than dollars with',
];

/** Words that hold punctuation. */
const WHOLE_WORDS = ['[SEP]', 'search[', 'click['];

/** Most results of a search, and so the highest number that a page of results counts to. */
const HIGHEST_COUNT = 50;

/** Each once, in alphabetical order. */
export function shopWords(products: readonly Product[], goals: readonly Goal[], maxSteps: number): readonly string[] {
  const words = new Set<string>(WHOLE_WORDS);
  const add = (text: string): void => {
    for (const word of splitUnits(text)) words.add(word);
  };
  const addWhole = (text: string): void => {
    for (const word of text.split(' ')) words.add(word);
  };
  SHOP_TEXTS.forEach(add);
  // Pages can be turned as long as there are steps.
  for (let i = 0; i <= Math.max(HIGHEST_COUNT, maxSteps + 1); i++) words.add(String(i));
  for (const product of products) {
    for (const text of productTexts(product)) add(text);
    for (const id of [product.asin, product.asin.toLowerCase()]) words.add(id);
    addWhole(product.priceText);
  }
  for (const { instruction } of goals) {
    add(instruction);
    add(instruction.toLowerCase());
    const cap = /(\d+\.\d\d) dollars$/.exec(instruction);
    if (cap !== null) words.add(cap[1]!);
  }
  return [...words].sort();
}

function productTexts({ title, description, bullets, options }: Product): readonly string[] {
  return [title, description, ...bullets, ...[...options].flatMap(([name, values]) => [name, ...values])];
}

/** Runs of letters, runs of digits, and other characters but white space. */
function splitUnits(text: string): readonly string[] {
  return text.match(/[\p{L}\p{M}]+|\p{N}+|[^\s\p{L}\p{M}\p{N}]/gu) ?? [];
}
