/** Goals: what they ask for, how they are drawn, and that they are the original's. */
import { describe, expect, it } from 'vitest';
import { readCatalogue } from '../../../src/envs/webshop/catalogue.ts';
import { readCatalogueFiles } from '../../../src/envs/webshop/data.node.ts';
import { drawGoals, type Goal, withoutPriceClause } from '../../../src/envs/webshop/goals.ts';
import { CATALOGUE, GOLDEN, needsRecordings, readJson } from './recorded.ts';
import { CHAIR, LAMP, tinyFiles } from './tinyShop.ts';

const products = readCatalogue(tinyFiles());

describe('synthetic goals', () => {
  const { goals, prices } = drawGoals(products, 'synthetic', 1);

  it('ask for every combination of options, names in alphabetical order', () => {
    const wishes = goals.map(({ instruction }) => withoutPriceClause(instruction)).sort();
    expect(wishes).toEqual([
      'Find me chairs with wood frame',
      'Find me easy assemble desk lamps with warm light with color: black | gold, and size: large',
      'Find me easy assemble desk lamps with warm light with color: black | gold, and size: small',
      'Find me easy assemble desk lamps with warm light with color: peppermint cookie, and size: large',
      'Find me easy assemble desk lamps with warm light with color: peppermint cookie, and size: small',
    ]);
    expect(goals.find(({ instruction }) => instruction.includes('black | gold, and size: small'))).toMatchObject({
      attributes: ['easy assemble', 'warm light'],
      options: {
        kind: 'named',
        values: [
          ['color', 'black | gold'],
          ['size', 'small'],
        ],
      },
    });
  });

  it('have a cap above the price, the same for all goals of a product, and say so', () => {
    for (const { product, priceCap, instruction } of goals) {
      const price = prices[products.indexOf(product)]!;
      expect([20, 30, 40].map((above) => Math.floor(price / 10) * 10 + above)).toContain(priceCap);
      expect(instruction).toMatch(new RegExp(`, and price lower than ${priceCap}\\.00 dollars$`));
    }
    expect(
      new Set(goals.filter(({ product }) => product.asin === LAMP.asin).map(({ priceCap }) => priceCap)).size,
    ).toBe(1);
  });

  it('weigh more the rarer their attributes are', () => {
    const weights = new Map(goals.map(({ product, weight }) => [product.asin, weight]));
    expect(weights).toEqual(
      new Map([
        [LAMP.asin, 0.25],
        [CHAIR.asin, 1],
      ]),
    );
  });

  it('have no cap where no multiple of ten is left', () => {
    const dear = readCatalogue(tinyFiles({ products: [{ ...CHAIR, pricing: '$985' }] }));
    expect(drawGoals(dear, 'synthetic', 1).goals).toMatchObject([
      { instruction: 'Find me chairs with wood frame', priceCap: 1_000_000 },
    ]);
  });

  it('depend on the seed alone, in prices, caps and order', () => {
    expect(drawGoals(products, 'synthetic', 1)).toEqual({ goals, prices });
    const orders = [1, 2, 3].map((seed) =>
      JSON.stringify(drawGoals(products, 'synthetic', seed).goals.map(({ instruction }) => instruction)),
    );
    expect(new Set(orders).size).toBe(3);
    expect(prices[0]).toBe(24.5);
    expect(prices[1]).toBeGreaterThanOrEqual(80);
    expect(prices[1]).toBeLessThanOrEqual(120);
  });
});

describe('human goals', () => {
  it('leave out instructions without attributes, and full stops at the end', () => {
    const { goals } = drawGoals(products, 'human', 1);
    expect(goals).toMatchObject([
      { attributes: ['warm light'], options: { kind: 'values', values: ['small'] }, weight: 1 },
    ]);
    expect(goals[0]!.instruction).toMatch(/^i need a small desk lamp, and price lower than [456]0\.00 dollars$/);
  });
});

describe('goals of the original', needsRecordings, () => {
  interface Recorded {
    readonly n: number;
    readonly prices_multi: readonly (readonly [asin: string, price: number])[];
    readonly goals: readonly unknown[];
  }

  const asRecorded = ({ product, instruction, attributes, options, priceCap, weight }: Goal): unknown => ({
    asin: product.asin,
    category: product.category,
    query: product.query,
    name: product.title,
    product_category: product.productCategory,
    instruction_text: instruction,
    attributes,
    price_upper: priceCap,
    goal_options: options.kind === 'named' ? Object.fromEntries(options.values) : options.values,
    weight,
  });

  it.each([
    ['seed0_human0', 'synthetic', 0],
    ['seed1000_human0', 'synthetic', 1000],
    ['seed7_human1', 'human', 7],
  ] as const)('%s', async (name, kind, seed) => {
    const recorded = readJson<Record<string, Recorded>>(`${GOLDEN}goals.json.gz`)[name]!;
    const catalogue = readCatalogue(await readCatalogueFiles(CATALOGUE, kind));
    const { goals, prices } = drawGoals(catalogue, kind, seed);
    expect(goals.length).toBe(recorded.n);
    expect(goals.slice(0, recorded.goals.length).map(asRecorded)).toEqual(recorded.goals);
    const priceOf = new Map(catalogue.map(({ asin }, i) => [asin, prices[i]]));
    expect(recorded.prices_multi.map(([asin]) => [asin, priceOf.get(asin)])).toEqual(recorded.prices_multi);
  });
});
