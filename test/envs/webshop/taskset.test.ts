/** The shop task set: options, splits, episodes, the expert, solutions, words. */
import { describe, expect, it } from 'vitest';
import { checkTaskSet } from '../../../src/envs/check.ts';
import type { Split, Turn } from '../../../src/envs/environment.ts';
import type { WebshopEnvironment } from '../../../src/envs/webshop/environment.ts';
import { createWebshopTaskSet as createInNode } from '../../../src/envs/webshop/index.node.ts';
import {
  createWebshopTaskSet,
  type WebshopOptions,
  type WebshopTask,
  type WebshopTaskSet,
} from '../../../src/envs/webshop/index.ts';
import { resolveOptions } from '../../../src/envs/webshop/options.ts';
import { makeCatalogue } from '../../../src/envs/webshop/selfMade.ts';
import { WordTokenizer } from '../../../src/text/wordTokenizer.ts';
import { CATALOGUE, needsRecordings } from './recorded.ts';
import { tinyFiles } from './tinyShop.ts';

const SPLITS: readonly Split[] = ['train', 'seen', 'unseen'];

const shop = await createWebshopTaskSet();

function playExpert(set: WebshopTaskSet, environment: WebshopEnvironment, task: WebshopTask): Turn[] {
  const expert = set.createExpert();
  const first = environment.reset(task);
  expert.reset(first.instruction);
  const turns: Turn[] = [first];
  while (!turns.at(-1)!.done) turns.push(environment.step(expert.act(turns.at(-1)!)));
  return turns;
}

function play(environment: WebshopEnvironment, task: WebshopTask, actions: readonly string[]): Turn {
  let turn: Turn = environment.reset(task);
  for (const action of actions) turn = environment.step(action);
  return turn;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('options', () => {
  it("have ProxMO's setting as defaults", () => {
    expect(resolveOptions({})).toEqual({
      goals: 'synthetic',
      products: 600,
      seed: 0,
      maxSteps: 15,
      shaping: 'win',
      winReward: 10,
    });
  });

  it.each([
    [{ datum: 'x' }, 'datum'],
    [{ goals: 'real' }, 'goals'],
    [{ goals: 'human' }, 'human goals come with'],
    [{ data: 'x', products: 600 }, 'leave out products or data'],
    [{ products: 499 }, 'products'],
    [{ seed: -1 }, 'seed'],
    [{ maxSteps: 0 }, 'maxSteps'],
    [{ shaping: 'none' }, 'shaping'],
    [{ winReward: '10' }, 'winReward'],
  ])('refuse %j', (options, message) => {
    expect(() => resolveOptions(options)).toThrow(message);
  });

  it('cannot read data files in a browser, and can with a reader', async () => {
    await expect(createWebshopTaskSet({ data: 'folder' })).rejects.toThrow('data files cannot be read here');
    const set = await createWebshopTaskSet({ data: 'folder', goals: 'human' }, async () => tinyFiles());
    expect(set.allTasks('train')).toEqual([{ id: '0/B0LAMP0001', type: 'garden', goal: 0 }]);
    const empty = createWebshopTaskSet({ data: 'folder' }, async () => tinyFiles({ attributes: {} }));
    await expect(empty).rejects.toThrow('hold no goals');
    await expect(createInNode({ data: '/nowhere' })).rejects.toMatchObject({ code: 'file' });
  });
});

describe('an episode', () => {
  it('reads like this', () => {
    const environment = shop.createEnvironment();
    const task = shop.tasks('train', 3, 1)[2]!;
    const { instruction, observation } = environment.reset(task);
    const lines = [instruction, observation];
    for (const action of shop.solution(task)!) lines.push(`> ${action}`, environment.step(action).observation);
    // The instruction is left out of pages below, and what comes after the first few strings.
    const shown = lines.map((line) =>
      line.replaceAll(`[SEP] ${instruction} `, '').split(' [SEP] ').slice(0, 10).join(' [SEP] '),
    );
    expect(shown).toMatchInlineSnapshot(`
      [
        "Find me slim fit, regular collar sweaters with hand wash with color: grey, and size: tiny, and price lower than 120.00 dollars",
        "WebShop [SEP] Instruction: [SEP] Search",
        "> search[find me slim fit, regular collar sweaters with hand wash with color: grey, and size: tiny]",
        "Instruction: [SEP] Back to Search [SEP] Page 1 (Total results: 50) [SEP] Next > [SEP] 95502 [SEP] Larkwell cotton sweater, hand wash [SEP] $91.0 [SEP] 31898 [SEP] Oakhurst wool sweater, slim fit [SEP] $72.0 to $74.0",
        "> click[95502]",
        "Instruction: [SEP] Back to Search [SEP] < Prev [SEP] color [SEP] grey [SEP] beige [SEP] size [SEP] large [SEP] tiny [SEP] huge",
        "> click[grey]",
        "Instruction: [SEP] Back to Search [SEP] < Prev [SEP] color [SEP] grey [SEP] beige [SEP] size [SEP] large [SEP] tiny [SEP] huge",
        "> click[tiny]",
        "Instruction: [SEP] Back to Search [SEP] < Prev [SEP] color [SEP] grey [SEP] beige [SEP] size [SEP] large [SEP] tiny [SEP] huge",
        "> click[buy now]",
        "Thank you for shopping with us!",
      ]
    `);
  });

  it('offers searches at the start, and elsewhere the clicks of the page', () => {
    const environment = shop.createEnvironment();
    const task = shop.tasks('train', 1, 1)[0]!;
    const first = environment.reset(task);
    const whole = first.instruction.replace(/, and price lower than .*/, '').toLowerCase();
    expect(first.admissibleActions).toEqual([`search[${whole}]`, `search[${whole.replace(/ with \w+: .*/, '')}]`]);
    const results = environment.step(first.admissibleActions![0]!);
    expect(results.admissibleActions!.slice(0, 2)).toEqual(['click[back to search]', 'click[next >]']);
    expect(results.admissibleActions).toHaveLength(12);
    expect(environment.step('search[mugs]').observation).toContain('Page 1');
  });

  it.each([
    [{}, 10, 0],
    [{ winReward: 1 }, 1, 0],
    [{ shaping: 'score' }, 1, 0.25],
  ] as const)('is rewarded as %j says', async (options, win, part) => {
    const set = await createWebshopTaskSet(options);
    const environment = set.createEnvironment();
    const task = set.allTasks('train').find((candidate) => set.solution(candidate)!.length === 5)!;
    const solution = set.solution(task)!;
    const won = play(environment, task, solution);
    expect(won).toMatchObject({
      reward: win,
      done: true,
      success: true,
      score: 1,
      components: { bought: 1, type: 1, attributes: 1, options: 1, price: 1 },
    });
    const poor = play(environment, task, [solution[0]!, solution[1]!, 'click[buy now]']);
    expect(poor).toMatchObject({ done: true, success: false });
    expect(poor.score).toBeLessThan(1);
    expect(poor.score).toBeGreaterThan(part);
    expect(poor.reward).toBe(options === undefined || part === 0 ? 0 : poor.score);
  });

  it('ends without a purchase when the steps are used up, and then stays as it is', () => {
    const environment = shop.createEnvironment();
    const task = shop.tasks('train', 1, 1)[0]!;
    const turn = play(environment, task, new Array<string>(15).fill('click[search]'));
    expect(turn).toMatchObject({
      reward: 0,
      done: true,
      success: false,
      score: 0,
      components: { bought: 0, type: 0, price: 0 },
    });
    expect(environment.step(shop.solution(task)![0]!)).toBe(turn);
    expect(play(environment, task, new Array<string>(14).fill('wait'))).toMatchObject({ done: false });
    expect(play(environment, task, []).score).toBeUndefined();
  });

  it('needs a reset first, and a task of its own set', () => {
    expect(() => shop.createEnvironment().step('search[mug]')).toThrow('call reset first');
    const task = shop.tasks('train', 1, 1)[0]!;
    expect(() => shop.createEnvironment().reset({ ...task, id: `${task.goal}/other` })).toThrow(
      'take tasks from the same task set',
    );
  });
});

describe('splits', () => {
  it('share neither goals nor, for unseen ones, products', () => {
    const ids = SPLITS.map((split) => shop.allTasks(split).map(({ id }) => id));
    expect(new Set(ids.flat()).size).toBe(ids.flat().length);
    const products = ids.map((list) => new Set(list.map((id) => id.split('/')[1]!)));
    expect([...products[2]!].filter((asin) => products[0]!.has(asin) || products[1]!.has(asin))).toEqual([]);
    expect([...products[1]!].filter((asin) => products[0]!.has(asin)).length).toBeGreaterThan(150);
    expect(ids.map((list) => list.length)).toEqual([2300, 565, 717]);
  });

  it.each(SPLITS)('%s gives tasks in an order fixed by the seed, types in turn', (split) => {
    const tasks = shop.tasks(split, 100, 1);
    expect(tasks.slice(0, 10).map(({ type }) => type)).toEqual([...shop.types, ...shop.types]);
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(100);
    expect(shop.tasks(split, 100, 1)).toEqual(tasks);
    expect(shop.tasks(split, 50, 1)).toEqual(tasks.slice(0, 50));
    expect(shop.tasks(split, 100, 2)).not.toEqual(tasks);
    expect(shop.tasks(split, shop.allTasks(split).length, 1)).toHaveLength(shop.allTasks(split).length);
    expect(() => shop.tasks(split, 9999, 1)).toThrow(`webshop: the ${split} split has`);
  });
});

describe('the self-made catalogue', () => {
  const products = makeCatalogue(600);

  it('is the same every time, and has products like this', () => {
    expect(makeCatalogue(600)).toEqual(products);
    expect(products[12]).toMatchInlineSnapshot(`
      {
        "asin": "96748",
        "attributes": [
          "non stick",
          "dishwasher safe",
          "heat resistant",
          "oven proof",
        ],
        "bullets": [
          "non stick, dishwasher safe",
          "heat resistant, oven proof",
          "made of or with glass",
        ],
        "category": "home",
        "description": "glass mug by Nordwick: non stick, dishwasher safe, heat resistant and oven proof.",
        "humanInstructions": [],
        "instruction": {
          "attributes": [
            "non stick",
            "dishwasher safe",
            "heat resistant",
          ],
          "text": "Find me non stick, dishwasher safe mugs with heat resistant",
        },
        "options": Map {
          "color" => [
            "green",
            "grey",
            "purple",
          ],
          "size" => [
            "medium",
            "huge",
          ],
        },
        "priceText": "$8.0",
        "prices": [
          8,
        ],
        "productCategory": "Home › Kitchen › mugs",
        "query": "mugs",
        "title": "Nordwick glass mug, non stick",
      }
    `);
  });

  it.each([500, 12_000])('has ids of its own for %d products', (count) => {
    const ids = makeCatalogue(count).map(({ asin }) => asin);
    expect(new Set(ids).size).toBe(count);
    for (const id of ids) expect(id).toMatch(/^\d{5,6}$/);
  });

  it('can meet every goal in full', () => {
    const all = SPLITS.flatMap((split) => shop.allTasks(split));
    expect(all.filter((_, i) => i % 9 === 0).filter((task) => shop.solution(task) === null)).toEqual([]);
  });

  it('tells right values from wrong ones', () => {
    const environment = shop.createEnvironment();
    for (const task of shop.tasks('train', 100, 5)) {
      const solution = shop.solution(task)!;
      const values = solution.slice(solution.findIndex((action) => /^click\[\d{5}\]$/.test(action)) + 1, -1);
      if (values.length === 0) continue;
      const before = play(environment, task, solution.slice(0, -1));
      const wrong = before.admissibleActions!.slice(6).filter((action) => !values.includes(action));
      for (const action of wrong) {
        const bought = play(environment, task, [...solution.slice(0, -1), action, 'click[buy now]']);
        expect(bought.score, `${task.id} ${action}`).toBeLessThan(1);
      }
    }
  });
});

describe('the expert', () => {
  it.each(['train', 'unseen'] as const)('does most tasks of the self-made shop: %s', (split) => {
    const environment = shop.createEnvironment();
    const last = shop.tasks(split, 300, 3).map((task) => playExpert(shop, environment, task).at(-1)!);
    expect(mean(last.map(({ success }) => (success ? 1 : 0)))).toBeGreaterThan(0.97);
    expect(mean(last.map(({ score }) => score!))).toBeGreaterThan(0.98);
  });

  it('buys the best it has seen when steps are few', async () => {
    const hurried = await createWebshopTaskSet({ maxSteps: 6 });
    const environment = hurried.createEnvironment();
    const last = hurried.tasks('train', 100, 3).map((task) => playExpert(hurried, environment, task).at(-1)!);
    expect(last.every(({ components }) => components!.bought === 1)).toBe(true);
    expect(mean(last.map(({ score }) => score!))).toBeGreaterThan(0.9);
  });

  it('goes on from wherever other actions have led', () => {
    const environment = shop.createEnvironment();
    for (const task of shop.tasks('train', 40, 4)) {
      const expert = shop.createExpert();
      const first = environment.reset(task);
      expert.reset(first.instruction);
      let turn: Turn = first;
      let taken: string | null = null;
      for (let step = 0; !turn.done; step++) {
        const wanted = expert.act(turn, taken);
        const actions = turn.admissibleActions!;
        expect(actions).toContain(wanted);
        taken = step % 4 === 1 ? actions[(step * 7 + task.goal) % actions.length]! : wanted;
        turn = environment.step(taken);
      }
    }
  });
});

describe('words', () => {
  it('are all that a policy reads and writes', () => {
    const words = shop.words();
    const tokenizer = WordTokenizer.build(words);
    const known = new Set(words);
    // A letter or digit of its own that is no word was spelled in bytes.
    const isSpelled = (id: number): boolean =>
      /^[\p{L}\p{N}]$/u.test(tokenizer.decode([id])) && !known.has(tokenizer.decode([id]));
    const spelled = (text: string): boolean => tokenizer.encode(text).some(isSpelled);
    const environment = shop.createEnvironment();
    for (const task of shop.tasks('train', 100, 2)) {
      const turns = playExpert(shop, environment, task);
      const texts = [
        environment.reset(task).instruction,
        ...turns.flatMap(({ observation, admissibleActions }) => [observation, ...admissibleActions!]),
      ];
      expect(texts.filter(spelled)).toEqual([]);
    }
    expect(words.length).toBeLessThan(1250);
  });

  it('keep pages short', () => {
    const tokenizer = WordTokenizer.build(shop.words());
    expect(tokenizer.encode('[SEP] 10000 [SEP] $38.0 [SEP]')).toHaveLength(5);
    const environment = shop.createEnvironment();
    const turns = shop.tasks('train', 100, 2).flatMap((task) => playExpert(shop, environment, task));
    expect(mean(turns.map(({ observation }) => tokenizer.encode(observation).length))).toBeLessThan(110);
  });
});

describe("WebShop's data", needsRecordings, () => {
  const open = (options: WebshopOptions = {}): Promise<WebshopTaskSet> => createInNode({ data: CATALOGUE, ...options });

  it('keeps the contract, in words that cover every text', async () => {
    expect((await checkTaskSet(await open(), { tasks: 20 })).findings.filter(({ holds }) => !holds)).toEqual([]);
  });

  it('holds out the first 500 goals', async () => {
    const set = await open();
    expect(set.types).toEqual(['beauty', 'electronics', 'fashion', 'garden', 'grocery']);
    expect(SPLITS.map((split) => set.allTasks(split).map(({ goal }) => goal))).toEqual([
      Array.from({ length: 6410 }, (_, i) => 500 + i),
      Array.from({ length: 500 }, (_, i) => i),
      Array.from({ length: 500 }, (_, i) => i),
    ]);
  });

  it('is shopped in with success by the expert and the solutions', async () => {
    const set = await open();
    const environment = set.createEnvironment();
    const tasks = set.tasks('seen', 200, 1);
    const last = tasks.map((task) => playExpert(set, environment, task).at(-1)!);
    expect(mean(last.map(({ success }) => (success ? 1 : 0)))).toBeGreaterThan(0.7);
    expect(mean(last.map(({ score }) => score!))).toBeGreaterThan(0.85);
    const solutions = tasks.map((task) => ({ task, solution: set.solution(task) }));
    expect(solutions.filter(({ solution }) => solution !== null).length).toBeGreaterThan(180);
    for (const { task, solution } of solutions)
      if (solution !== null) expect(play(environment, task, solution)).toMatchObject({ success: true });
  });

  it('has human goals', async () => {
    const set = await open({ goals: 'human', seed: 7 });
    expect(SPLITS.map((split) => set.allTasks(split).length)).toEqual([7, 6, 6]);
  });
});
