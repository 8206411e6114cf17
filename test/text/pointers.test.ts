/** Prompts written with pointers: places in the task and on the list of actions in place of words. */
import { describe, expect, it } from 'vitest';
import { ActionConstraints } from '../../src/rl/actionConstraint.ts';
import { createMemory } from '../../src/rl/episodeMemory.ts';
import { type PointerStyle, PointerWriting, pointerWords } from '../../src/text/pointers.ts';
import { PromptBuilder } from '../../src/text/prompt.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';

/** Lines: a heading, then things that can be taken. */
const style: PointerStyle = {
  words: ['shelf', 'door'],
  parts: (observation, offered) =>
    observation.split('\n').map((text, line) => {
      const action = offered?.find((each) => each === `take ${text}`);
      return { text, frame: line === 0, ...(action === undefined ? {} : { action }) };
    }),
};
const tokenizer = WordTokenizer.build(pointerWords(style));
const writing = new PointerWriting(tokenizer, style);
const text = (ids: readonly number[]) => tokenizer.decode(ids).trim();

const instruction = "Find me men's shirts in Dark Blue, and size: 4, and price lower than 50.00 dollars";
const see = (observation: string, offered: readonly string[] | null = null, earlier: readonly string[] = []) =>
  text(
    writing.observation(
      { instruction, observation, offered },
      earlier.map((each) => ({ observation: each, offered })),
    ),
  );

describe('a task', () => {
  it('is the places of its words, its clauses and its amount', () => {
    expect(text(writing.task(instruction))).toBe(
      '<task0> <task1> <task2> <task3> <task4>, <task5>: <task6>, <task7> <task8> <amount>',
    );
  });

  it('names a word that comes twice alike, and no more words than there are pointers for', () => {
    expect(text(writing.task('red mug, red mugs'))).toBe('<task0> <task1>, <task0> <task1>');
    const long = Array.from({ length: 66 }, (_, i) => `w${String.fromCharCode(97 + (i % 26)).repeat(1 + (i % 7))}${i}`);
    expect(text(writing.task(long.join(' ')))).toMatch(/<task62> <task63>$/);
  });
});

describe('an observation', () => {
  it('shows each word of the task once by its place, whatever its case and number, and how many there are', () => {
    expect(see('Shelf\nA MAN and Shirt with long sleeves, a shirt for the men')).toBe('shelf <task2> <task1> <names2>');
    expect(see('Shelf\nA MAN and a mug')).toBe('shelf');
  });

  it('names actions behind what they are about, and says where the task names all of it', () => {
    expect(see('shelf\ndark blue\nblue dark\nblue', ['take blue', 'take dark blue', 'take blue dark'])).toBe(
      'shelf <task3> <task4> <names2> <named1> <task4> <task3> <names2> <action2> <task4> <names1> <named0>',
    );
  });

  it('compares amounts of money with that of the task, and leaves them out where it names none', () => {
    expect(see('shelf\nshirt $50.0 $50.01')).toBe('shelf <task2> <names1> <within> <above>');
    const without = { instruction: 'a shirt', observation: 'shelf\nshirt $9.5', offered: null };
    expect(text(writing.observation(without, []))).toBe('shelf <task0> <names1>');
  });

  it('is its first part, and that it was there, where it is the last of its kind', () => {
    expect(see('shelf\nblue', null, ['door\nblue'])).toBe('shelf <task4> <names1>');
    expect(see('shelf\nblue', null, ['door\nblue', 'shelf\nblue'])).toBe('shelf <again>');
    expect(see('shelf\nblue', null, ['shelf\nblue', 'door\nblue'])).toBe('shelf <again>');
    expect(see('shelf\nblue', ['look', 'take blue'], ['shelf\nblue'])).toBe('shelf <again> <named1>');
    expect(see('shelf\nblue', null, ['shelf\nblue', 'shelf\nmug'])).toBe('shelf <task4> <names1>');
  });

  it('leaves out actions of which nothing is to be said', () => {
    expect(see('shelf\nmug\nblue', ['take mug', 'take blue'])).toBe('shelf <task4> <names1> <named1>');
  });

  it('cannot fake a pointer', () => {
    expect(see('<action1>\n<task0> <amount> <again>')).not.toMatch(/<action|<task|<amount|<again/);
  });
});

describe('an action', () => {
  const offered = Array.from({ length: 120 }, (_, i) => `take thing ${i}`);

  it('is read as it was written, whatever it is', () => {
    const actions = [...offered, 'search[a b]', '<action3>', 'take thing 0 ', '<end>', 'é\n'];
    for (const action of actions) expect(writing.read(writing.action(action, offered), offered)).toBe(action);
  });

  it('is one token where it is on the list', () => {
    const written = offered.map((action) => writing.action(action, offered));
    expect(written.slice(0, 100).every(({ length }) => length === 1)).toBe(true);
    expect(new Set(written.map(String)).size).toBe(120);
  });

  it('that is not on offer is no pointer to another', () => {
    const [pointer = -1] = writing.action('take thing 5', offered);
    expect(writing.read([pointer], ['look'])).toBe('<action5>');
    expect(writing.read([pointer, pointer], offered)).not.toContain('take');
  });

  it('is all that a bound reply can be', () => {
    const { start } = new ActionConstraints(tokenizer, 'plain', writing).of(['look', 'take blue'])!;
    const firsts = [...start!.tokensAt(0)];
    expect(firsts.map((id) => tokenizer.decode([id])).sort()).toEqual(['<action0>', '<action1>']);
    for (const id of firsts) expect([...start!.tokensAt(start!.next(0, id))]).toEqual([tokenizer.endId]);
  });
});

describe('a prompt', () => {
  const options = { pointers: style, showActions: false };
  const offered = ['take blue', 'take red', 'help'];

  it('has past actions by their places on the list of their own turn', () => {
    const past = { observation: 'shelf\nblue', action: 'take red', offered };
    const turn = {
      instruction,
      history: [past],
      step: 1,
      observation: 'door',
      admissibleActions: ['help', 'take red'],
    };
    const { ids } = new PromptBuilder(tokenizer, options).build(turn);
    expect(text(ids)).toMatch(
      /<observation> shelf <task4> <names1> <named0> <action> <action1> <observation> door <action>$/,
    );
  });

  it('lists actions by what they say and where they stand on the whole list', () => {
    const turn = { instruction, history: [], step: 0, observation: 'door', admissibleActions: ['help', 'take blue'] };
    const { ids } = new PromptBuilder(tokenizer, { ...options, showActions: true }).build(turn);
    expect(text(ids)).toMatch(/<observation> door <option> <task4> <names1> <action1> <action>$/);
  });

  it('says that something stands before only where it stands in the same context', () => {
    const prompts = new PromptBuilder(tokenizer, { ...options, maxTokens: 48 });
    const memory = createMemory('transcript', prompts, [tokenizer.endId]);
    const pages = ['shelf\nblue', 'door', 'shelf\nblue', 'door', 'shelf\nblue', 'door', 'shelf\nblue'];
    const readings = pages.map((observation) => {
      const { tokens, context } = memory.read({ instruction, observation, admissibleActions: offered });
      memory.wrote([...prompts.writing.action('take red', offered), tokenizer.endId], 'take red');
      return { context, shown: text(tokens) };
    });
    expect(new Set(readings.map(({ context }) => context)).size).toBeGreaterThan(1);
    for (const context of new Set(readings.map((reading) => reading.context))) {
      const whole = readings.flatMap((reading) => (reading.context === context ? reading.shown : [])).join(' ');
      const first = whole.indexOf('<task4> <names1> <named0>');
      expect(first).toBeGreaterThan(0);
      expect(whole.indexOf('shelf <again>') < 0 || whole.indexOf('shelf <again>') > first, whole).toBe(true);
    }
  });
});
