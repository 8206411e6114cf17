/** What purchases are worth. */
import { describe, expect, it } from 'vitest';
import { type Product, readCatalogue } from '../../../src/envs/webshop/catalogue.ts';
import type { Goal } from '../../../src/envs/webshop/goals.ts';
import { titleNouns } from '../../../src/envs/webshop/nouns.ts';
import { type Reward, rewardOf } from '../../../src/envs/webshop/reward.ts';
import { needsRecordings, PURCHASES, readLines } from './recorded.ts';
import { ATTRIBUTES, LAMP, tinyFiles } from './tinyShop.ts';

/** The lamp with other texts. */
function lamp(
  changes: Readonly<Record<string, unknown>> = {},
  attributes: readonly string[] = ['warm light', 'easy assemble'],
): Product {
  const files = tinyFiles({
    products: [{ ...LAMP, ...changes }],
    attributes: { [LAMP.asin]: { ...ATTRIBUTES[LAMP.asin], attributes } },
  });
  return readCatalogue(files)[0]!;
}

const GOAL: Goal = {
  product: lamp(),
  instruction: '',
  attributes: ['easy assemble', 'warm light'],
  options: {
    kind: 'named',
    values: [
      ['color', 'black | gold'],
      ['size', 'small'],
    ],
  },
  priceCap: 30,
  weight: 1,
};

function buy(
  product: Product,
  options: Readonly<Record<string, string>>,
  goal: Partial<Goal> = {},
  price = 24.5,
): Reward {
  return rewardOf({ product, options: new Map(Object.entries(options)), price }, { ...GOAL, ...goal });
}

const WANTED = { color: 'black | gold', size: 'small' };

describe('the reward', () => {
  it('is 1 for all that was asked for', () => {
    expect(buy(lamp(), WANTED)).toEqual({
      total: 1,
      type: 1,
      queryMatch: true,
      categoryMatch: true,
      titleScore: 1,
      attributes: 1,
      options: 1,
      price: true,
    });
  });

  it('counts attributes, options and the price alike', () => {
    expect(buy(lamp(), { size: 'small' })).toMatchObject({ total: 4 / 5, options: 1 / 2 });
    expect(buy(lamp(), {}, {}, 30.01)).toMatchObject({ total: 2 / 5, price: false });
    expect(buy(lamp(), {}, {}, 30)).toMatchObject({ total: 3 / 5, price: true });
    expect(buy(lamp({}, ['dark']), WANTED, { attributes: ['heavy duty', 'warm light'] })).toMatchObject({
      total: 4 / 5,
      attributes: 1 / 2,
    });
  });

  it('has no share of options where none are asked for', () => {
    expect(buy(lamp(), { size: 'large' }, { options: { kind: 'values', values: [] } })).toMatchObject({
      total: 1,
      options: null,
    });
  });

  it.each(['title', 'bullets', 'description'])('finds an attribute in the %s too', (where) => {
    const texts = {
      title: { name: 'Desk Lamp Heavy Duty' },
      bullets: { small_description: ['x', 'is HEAVY', 'DUTY so'] },
      description: { full_description: 'A heavy duty lamp' },
    };
    expect(buy(lamp(texts[where as keyof typeof texts]), WANTED, { attributes: ['heavy duty'] }).attributes).toBe(1);
  });

  it('reduces chosen values to colours, which named options resist', () => {
    const cookie = (options: Goal['options']): number | null =>
      buy(lamp(), { color: 'peppermint cookie' }, { options }).options;
    expect(cookie({ kind: 'named', values: [['color', 'peppermint cookie']] })).toBe(0);
    expect(cookie({ kind: 'values', values: ['peppermint cookie'] })).toBe(1);
    expect(cookie({ kind: 'values', values: ['mint green'] })).toBe(0);
    expect(cookie({ kind: 'named', values: [['color', 'mint']] })).toBe(1);
    expect(buy(lamp(), { color: 'dark blue' }, { options: { kind: 'values', values: ['blue sky'] } }).options).toBe(1);
  });
});

describe('the kind of product', () => {
  const other = { query: 'shelves', product_category: 'Home › Storage', name: 'Pine Shelf' };

  it.each([
    ['the same query', { ...other, query: 'desk lamps', name: 'Brightwell Shelf' }, 1],
    ['two parts of the path', { ...other, product_category: 'Home › Lighting › Shelves', name: 'Brightwell Shelf' }, 1],
    ['more than a fifth of the nouns', { ...other, name: 'Lamp Desk' }, 1],
    ['less', { ...other, name: 'Desk' }, 0.5],
    ['no word in common', other, 0],
    ['no word in common, though the query is the same', { ...other, query: 'desk lamps' }, 0],
  ])('is measured by %s', (_, changes, type) => {
    const product = lamp({ name: 'Brightwell Oak Brass Iron Glass Lamp Desk' });
    expect(buy(lamp(changes), WANTED, { product }).type).toBe(type);
  });

  it('is worth a tenth where one noun in more than ten is shared', () => {
    const long = lamp({ name: 'Lamp Oak Brass Iron Glass Desk Shelf Table Chair Rug Vase Clock' });
    expect(buy(lamp({ name: 'Lamp' }), WANTED, { product: long })).toMatchObject({ type: 0.1, titleScore: 1 / 12 });
  });

  it('counts titles without nouns as a fifth alike', () => {
    expect(buy(lamp({ name: 'Pine Shelf' }), WANTED, { product: lamp({ name: '' }) })).toMatchObject({
      titleScore: 0.2,
      type: 1,
    });
  });
});

describe('titleNouns', () => {
  it.each([
    [
      'Letter I Birthday Cake Candles Set with Holders (96 Pack)',
      ['letter', 'birthday', 'cake', 'candles', 'set', 'holders', 'pack'],
    ],
    ["Women's Long-Sleeve Shirt, 12x16 in, 100% Cotton", ['women', 'long', 'sleeve', 'shirt', 'cotton']],
    ['Larkwell leather sandal, slip resistant', ['larkwell', 'leather', 'sandal', 'slip']],
    ['Walking Shoes and Socks For Running', ['shoes', 'socks', 'running']],
    ['40mm Band 4GB RAM', ['band', 'gb', 'ram']],
    ['', []],
  ])('of %j', (title, nouns) => {
    expect(titleNouns(title)).toEqual(nouns);
  });

  it('are as many as in recorded purchases of the original, save one', needsRecordings, () => {
    interface Purchase {
      readonly goal: { readonly name: string };
      readonly reward_info: { readonly title_score: number };
    }
    const names = ['1_12', '1_13', '1_15', '1_17', '1_18', '1_21', '1_23', '1_6', '1_7'];
    const purchases = names.map((name) => readLines<Purchase>(`${PURCHASES}20220427_${name}.jsonl`).at(-1)!);
    // A score is a number of shared nouns over the number of the goal's.
    const agreeing = purchases.filter(({ goal, reward_info: { title_score: score } }) => {
      const shared = score * titleNouns(goal.name).length;
      return Math.abs(shared - Math.round(shared)) < 1e-9;
    });
    expect(agreeing.length).toBe(8);
  });
});
