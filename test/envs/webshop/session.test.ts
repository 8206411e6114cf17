/** Visits: pages string by string, where clicks lead, and recorded visits of the original. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCatalogue } from '../../../src/envs/webshop/catalogue.ts';
import { drawGoals } from '../../../src/envs/webshop/goals.ts';
import { replayQueries, replaySessions } from '../../../src/envs/webshop/replay.node.ts';
import { parseAction, ShopSession } from '../../../src/envs/webshop/session.ts';
import { Shop } from '../../../src/envs/webshop/shop.ts';
import { CATALOGUE, GOLDEN, hasRecordings, needsRecordings, readLines } from './recorded.ts';
import { CHAIR, tinyFiles } from './tinyShop.ts';

const products = readCatalogue(tinyFiles());

/** A visit with a goal of the first product, after some actions. */
function visit(...actions: readonly string[]): ShopSession {
  const { goals, prices } = drawGoals(products, 'synthetic', 1);
  const goal = goals.find(({ instruction }) => instruction.includes('black | gold, and size: small'))!;
  const session = new ShopSession(new Shop(products, prices), goal);
  for (const action of actions) session.act(action);
  return session;
}

/** What a page says after the instruction. */
function below(session: ShopSession): readonly string[] {
  const parts = session.page.text.split(' [SEP] ');
  return parts.slice(parts.indexOf(session.goal.instruction) + 1);
}

const OPEN_LAMP = ['search[lamp]', 'click[b0lamp0001]'] as const;

describe('pages', () => {
  it('start with the search', () => {
    const { page, goal } = visit();
    expect(page).toEqual({
      text: `WebShop [SEP] Instruction: [SEP] ${goal.instruction} [SEP] Search`,
      clickables: ['search'],
      hasSearchBar: true,
    });
  });

  it('list what a search found', () => {
    const session = visit('search[LAMP wood]');
    expect(below(session)).toEqual([
      ...['Back to Search', 'Page 1 (Total results: 2)', 'Next >'],
      ...['B0LAMP0001', 'Brightwell Desk Lamp', '$24.5', 'B0CHAIR001', 'Oakfield Chair', '$80.0 to $120.0'],
    ]);
    expect(session.page).toMatchObject({
      clickables: ['back to search', 'next >', 'b0lamp0001', 'b0chair001'],
      hasSearchBar: false,
    });
  });

  it('show a product with its options, and not which are chosen', () => {
    const session = visit(...OPEN_LAMP);
    const { page } = session;
    expect(below(session)).toEqual([
      ...[
        'Back to Search',
        '< Prev',
        'color',
        'black | gold',
        'peppermint cookie',
        'size',
        'small',
        'large',
        'Brightwell Desk Lamp',
      ],
      ...['Price: $24.5', 'Rating: N.A.', 'Description', 'Features', 'Reviews', 'Buy Now'],
    ]);
    expect(page.clickables).toEqual([
      ...['back to search', '< prev', 'description', 'features', 'reviews', 'buy now'],
      ...['black | gold', 'peppermint cookie', 'small', 'large'],
    ]);
    session.act('click[small]');
    expect(session.page).toEqual(page);
    expect(session.chosen).toEqual(new Map([['size', 'small']]));
  });

  it.each([
    ['description', ['A lamp for long evenings.']],
    ['features', ['Warm light', '', 'Solid base']],
    ['reviews', []],
  ])('show the %s', (name, texts) => {
    const session = visit(...OPEN_LAMP, `click[${name}]`);
    expect(below(session)).toEqual(['Back to Search', '< Prev', ...texts]);
    expect(session.page.clickables).toEqual(['back to search', '< prev']);
  });

  it('leave out an empty description', () => {
    expect(below(visit('search[oakfield]', 'click[b0chair001]', 'click[description]'))).toEqual([
      'Back to Search',
      '< Prev',
    ]);
  });

  it('hold ten products each, and none past the end', () => {
    const chairs = Array.from({ length: 12 }, (_, i) => ({ ...CHAIR, asin: `B${i + 10}` }));
    const catalogue = readCatalogue(tinyFiles({ products: chairs }));
    const goal = drawGoals(products, 'synthetic', 1).goals[0]!;
    const session = new ShopSession(new Shop(catalogue, new Array<number>(12).fill(1)), goal);
    session.act('search[chair]');
    expect(session.page.clickables).toHaveLength(2 + 10);
    session.act('click[next >]');
    expect(session.page.clickables).toEqual(['back to search', '< prev', 'next >', 'b20', 'b21']);
    session.act('click[next >]');
    expect(below(session)).toEqual(['Back to Search', 'Page 3 (Total results: 12)', '< Prev', 'Next >']);
    session.act('click[< prev]');
    expect(session.page.clickables).toContain('b20');
  });
});

describe('clicks', () => {
  it('go back from a sub-page to the product, with the choice kept, and from there to the results, with the choice lost', () => {
    const session = visit(...OPEN_LAMP, 'click[small]', 'click[features]', 'click[< prev]');
    expect(session.page.clickables).toContain('buy now');
    expect(session.chosen.size).toBe(1);
    session.act('click[< prev]');
    expect(below(session)[1]).toBe('Page 1 (Total results: 1)');
    session.act('click[b0lamp0001]');
    expect(session.chosen.size).toBe(0);
  });

  it('start over with "Back to Search" on every page', () => {
    for (const actions of [['search[lamp]'], OPEN_LAMP, [...OPEN_LAMP, 'click[features]']]) {
      expect(visit(...actions, 'click[back to search]').page).toEqual(visit().page);
    }
  });

  it('replace the value of an option', () => {
    expect(visit(...OPEN_LAMP, 'click[small]', 'click[LARGE]').chosen).toEqual(new Map([['size', 'large']]));
  });

  it('choose for the later of two options that share a value', () => {
    const shared = { ...CHAIR, customization_options: { top: [{ value: 'oak' }], legs: [{ value: 'oak' }] } };
    const catalogue = readCatalogue(tinyFiles({ products: [shared] }));
    const session = new ShopSession(new Shop(catalogue, [1]), drawGoals(products, 'synthetic', 1).goals[0]!);
    for (const action of ['search[oakfield]', 'click[b0chair001]', 'click[oak]']) session.act(action);
    expect(session.chosen).toEqual(new Map([['legs', 'oak']]));
    expect(session.page.clickables.filter((name) => name === 'oak')).toHaveLength(1);
  });

  it('search from every page', () => {
    expect(visit(...OPEN_LAMP, 'click[small]', 'search[chair]').page).toEqual(visit('search[chair]').page);
  });

  it('end with the purchase', () => {
    const session = visit(...OPEN_LAMP, 'click[small]', 'click[black | gold]', 'click[buy now]');
    expect(session.reward).toMatchObject({ total: 1, options: 1, price: true });
    expect(session.page).toEqual({ text: 'Thank you for shopping with us!', clickables: [], hasSearchBar: false });
    session.act('search[chair]');
    expect(session.reward).toMatchObject({ total: 1 });
  });

  it.each([
    'foo',
    'click[lamp]',
    'search[]',
    'click[search]',
    'think[hello]',
    'Click[search]',
    ' search[x]',
    'search[x',
    '',
  ])('that are none change nothing: %j', (action) => {
    expect(visit(action).page).toEqual(visit().page);
  });
});

describe('parseAction', () => {
  it.each([
    ['search[Red Mug]', 'search', 'red mug'],
    ['click[red] and more', 'click', 'red'],
    ['click[a] or click[b]', 'click[a] or click', 'b'],
    ['click[a[b]c]', 'click[a', 'b]c'],
    ['click[a[]', 'click', 'a['],
    ['click[< prev]\nclick[next >]', 'click', '< prev'],
    ['a[b][c]', 'a[b]', 'c'],
    ['search[a\nb]', '', ''],
    ['nothing', '', ''],
  ])('reads %j', (action, name, argument) => {
    expect(parseAction(action)).toEqual({ name, argument });
  });

  it('reads any text as the pattern of the original does', () => {
    const brackets = fc.string({ unit: fc.constantFrom('a', ' ', '[', ']', '\n', '\r', 'Ä') });
    fc.assert(
      fc.property(fc.oneof(brackets, fc.string({ unit: 'binary' })), (text) => {
        const match = /^([^\n]+)\[([^\n]+)\]/.exec(text);
        expect(parseAction(text)).toEqual({ name: match?.[1] ?? '', argument: match?.[2]?.toLowerCase() ?? '' });
      }),
    );
  });

  it('takes no long time for long replies', () => {
    const start = process.cpuUsage();
    parseAction('['.repeat(200_000));
    parseAction('[]'.repeat(200_000));
    expect(process.cpuUsage(start).user).toBeLessThan(1_000_000);
  });
});

describe('visits of the original', needsRecordings, () => {
  const records = hasRecordings
    ? readLines<{ initial: { obs: string }; steps: { obs: string; reward: number | null }[] }>(
        `${GOLDEN}sessions.jsonl.gz`,
      )
    : [];

  it('have the same goals, pages, clickables and rewards', async () => {
    expect(await replaySessions(records, CATALOGUE)).toEqual({ steps: 238, equal: 238, firstDifference: null });
  });

  it('are told apart by one character of a page, and by a reward', async () => {
    const page = structuredClone(records[0]!);
    page.steps[1]!.obs += '.';
    expect(await replaySessions([page], CATALOGUE)).toMatchObject({
      steps: 15,
      equal: 14,
      firstDifference: { session: 'record 1 (seed 0, goal 501)', step: 2, field: 'obs' },
    });
    const purchase = structuredClone(records[0]!);
    purchase.steps.at(-1)!.reward = 0.5;
    expect(await replaySessions([purchase], CATALOGUE)).toMatchObject({
      firstDifference: { field: 'reward', expected: '0.5', actual: '1' },
    });
  });

  it('may leave out what was not recorded, and tell of searches that found nothing', async () => {
    const record = structuredClone(records[0]!);
    Object.assign(record.steps[0]!, { bought: null, r_price: null, available: null });
    expect(await replaySessions([record], CATALOGUE)).toMatchObject({ steps: 15, equal: 15 });
    expect(await replayQueries([{ query: 'the', hits: [] }], CATALOGUE)).toMatchObject({ equal: 1 });
    expect(await replayQueries([{ query: 'shoes', hits: [] }], CATALOGUE)).toMatchObject({
      equal: 0,
      firstDifference: { field: 'hits' },
    });
  });

  it('must be of the right form', async () => {
    const malformed = [records[0], { ...records[0], steps: [{}] }];
    await expect(replaySessions(malformed, CATALOGUE)).rejects.toMatchObject({
      code: 'data',
      message: expect.stringContaining('record 2: `steps.0.action`'),
    });
    await expect(replaySessions([{ ...records[0], goal_index: 9999 }], CATALOGUE)).rejects.toThrow(
      'there are 6910 goals',
    );
    await expect(replayQueries([{ query: 'x' }], CATALOGUE)).rejects.toThrow('record 1: `hits`');
  });
});
