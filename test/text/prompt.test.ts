import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PromptBuilder } from '../../src/text/prompt.ts';
import { thinkActionMessage, thinkActionWords } from '../../src/text/promptThinkAction.ts';
import type { PromptInput } from '../../src/text/promptTypes.ts';
import type { Tokenizer } from '../../src/text/tokenizer.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';

const turn: PromptInput = {
  instruction: 'put a mug in desk 1.',
  history: [
    { observation: 'You see nothing.', action: 'look' },
    { observation: 'You see a mug 1.', action: 'go to desk 1' },
    { observation: 'On the desk 1, you see a mug 2.', action: 'take mug 2 from desk 1' },
  ],
  step: 7,
  observation: 'You pick up the mug 2 from the desk 1.',
  admissibleActions: ['go to desk 2', 'help', 'look'],
};
const firstTurn: PromptInput = {
  ...turn,
  history: [],
  step: 0,
  observation: 'You see a desk 1. Your task is to: put a mug in desk 1.',
};
const tokenizer = WordTokenizer.build([JSON.stringify(turn), ...thinkActionWords()]);
const text = (ids: readonly number[]) => tokenizer.decode(ids);

/** One id a character and no markers: the least a tokenizer of another kind offers. */
const characters: Tokenizer = {
  vocabSize: 0x10000,
  padId: 0,
  endId: 1,
  encode: (value) => Array.from({ length: value.length }, (_, i) => value.charCodeAt(i)),
  decode: (ids) => String.fromCharCode(...Array.from(ids)),
};

describe('plain prompt', () => {
  test('is the parts of the turn, each behind one marker, and ends where the action goes', () => {
    expect(text(new PromptBuilder(tokenizer).build(turn).ids)).toBe(
      [
        '<task> put a mug in desk 1.',
        '<observation> You see a mug 1.',
        '<action> go to desk 1',
        '<observation> On the desk 1, you see a mug 2.',
        '<action> take mug 2 from desk 1',
        '<observation> You pick up the mug 2 from the desk 1.',
        '<option> go to desk 2',
        '<option> look',
        '<action>',
      ].join(' '),
    );
  });

  test('shows as many past turns as asked, and any action not left out by name', () => {
    const none = text(new PromptBuilder(tokenizer, { history: 0, omitActions: [] }).build(turn).ids);
    expect(none.match(/<observation>/g)).toHaveLength(1);
    expect(none).toContain('<option> help');
    expect(text(new PromptBuilder(tokenizer, { history: 9 }).build(turn).ids).match(/<action>/g)).toHaveLength(4);
  });

  test('has no options where the environment lists no actions', () => {
    expect(text(new PromptBuilder(tokenizer).build({ ...turn, admissibleActions: null }).ids)).not.toContain(
      '<option>',
    );
  });

  test('spells the markers where the vocabulary has none', () => {
    expect(characters.decode(new PromptBuilder(characters, { history: 1 }).build(turn).ids)).toBe(
      'Task: put a mug in desk 1.\nObservation: On the desk 1, you see a mug 2.\nAction: take mug 2 from desk 1\n' +
        'Observation: You pick up the mug 2 from the desk 1.\n- go to desk 2\n- look\nAction: ',
    );
  });
});

describe('highlight', () => {
  const build = (input: PromptInput, format: 'plain' | 'think-action') =>
    text(new PromptBuilder(tokenizer, { highlight: true, format, history: 1 }).build(input).ids);

  test('marks the words that the task names, in what is seen and on offer, and not in what the policy wrote', () => {
    expect(build({ ...turn, admissibleActions: ['go to desk 2', 'look'] }, 'plain')).toBe(
      [
        '<task> put a mug in desk 1.',
        '<observation> On the * desk 1, you see a * mug 2.',
        '<action> take mug 2 from desk 1',
        '<observation> You pick up the * mug 2 from the * desk 1.',
        '<option> go to * desk 2',
        '<option> look',
        '<action>',
      ].join(' '),
    );
  });

  test('leaves the instruction itself alone, so that the first turn states the task once', () => {
    const first = build(firstTurn, 'think-action');
    expect(first).toContain('You see a * desk 1. Your task is to: put a mug in desk 1.');
    expect(first.split(turn.instruction)).toHaveLength(2);
  });

  test('compares whole words without regard to case', () => {
    const seen = { ...turn, observation: 'Mug. Mugs. Desks. DESK 1. Put.', admissibleActions: null };
    expect(build(seen, 'plain')).toMatch(/<observation> \* Mug\. Mugs\. Desks\. \* DESK 1\. \* Put\. <action>$/);
    expect(build({ ...seen, instruction: '' }, 'plain')).not.toContain('*');
  });
});

describe('think-action prompt', () => {
  const build = (input: PromptInput) =>
    characters.decode(new PromptBuilder(characters, { format: 'think-action' }).build(input).ids);

  test('numbers past turns by step, and lists actions in quotes without help', () => {
    const message = build(turn);
    expect(message).toContain('Your task is to: put a mug in desk 1.\n');
    expect(message).toContain('Steps taken so far: 7.');
    expect(message).toContain(
      "[Observation 6: 'You see a mug 1.', Action 6: 'go to desk 1']\n" +
        "[Observation 7: 'On the desk 1, you see a mug 2.', Action 7: 'take mug 2 from desk 1']\n",
    );
    expect(message).toContain('at step 8 and what you see is: You pick up the mug 2 from the desk 1.\n');
    expect(message).toContain("['go to desk 2'\n 'look']");
    for (const tag of ['<think>', '</think>', '<action>', '</action>']) expect(message).toContain(tag);
  });

  test('on the first turn states the task once, in the observation or before it', () => {
    expect(build(firstTurn).split(turn.instruction)).toHaveLength(2);
    expect(build({ ...firstTurn, observation: 'You see a desk 1.' })).toContain(
      'Your task is to: put a mug in desk 1.',
    );
    expect(build(firstTurn)).not.toContain('Steps taken');
  });

  test("goes through the caller's chat template", () => {
    const messages: string[] = [];
    const encodeMessage = (message: string) => {
      messages.push(message);
      return [1, 2, 3];
    };
    expect(new PromptBuilder(tokenizer, { format: 'think-action', history: 3, encodeMessage }).build(turn).ids).toEqual(
      [1, 2, 3],
    );
    expect(messages).toEqual([thinkActionMessage({ ...turn, admissibleActions: ['go to desk 2', 'look'] })]);
  });

  test('its own words are known to a vocabulary built from them', () => {
    const { ids } = new PromptBuilder(tokenizer, { format: 'think-action' }).build(turn);
    expect(text(ids)).toBe(
      `${thinkActionMessage({ ...turn, history: turn.history.slice(1), admissibleActions: ['go to desk 2', 'look'] })} <action>`,
    );
    const letters = new Set(tokenizer.encode('q w x z').filter((id) => tokenizer.decode([id]) !== ' '));
    expect(ids.filter((id) => letters.has(id))).toEqual([]);
  });
});

describe('budget', () => {
  const full = new PromptBuilder(tokenizer).build(turn);
  const cut = (maxTokens: number, input = turn) => new PromptBuilder(tokenizer, { maxTokens }).build(input);

  test('a prompt that fits is whole', () => {
    expect(full.truncated).toBe(false);
    expect(cut(full.ids.length)).toEqual(full);
  });

  test('the oldest past turn goes first, then the end of the observation, then the last actions', () => {
    expect(cut(full.ids.length - 1)).toMatchObject({
      truncated: true,
      dropped: { history: 1, observation: 0, actions: 0 },
    });
    expect(text(cut(full.ids.length - 1).ids)).not.toContain('You see a mug 1.');
    const bare = new PromptBuilder(tokenizer, { history: 0 }).build(turn).ids.length;
    expect(cut(bare).dropped).toEqual({ history: 2, observation: 0, actions: 0 });
    expect(cut(bare - 1).dropped).toEqual({ history: 2, observation: ' 1.'.length, actions: 0 });
    const least = cut(bare - 8);
    expect(least.dropped.actions).toBe(0);
    expect(text(least.ids)).toContain('<observation> You pick up <option>');
    expect(text(cut(bare - 9).ids)).toContain('<observation> You pick up <option> go to desk 2 <action>');
    expect(text(cut(10).ids)).toBe('<task> put a mug in desk 1. <observation> <action>');
  });

  test('the task is never cut', () => {
    expect(() => cut(9)).toThrow('the task alone needs 10 tokens but at most 9 are allowed; raise maxTokens');
  });

  test('every prompt keeps to its budget, is whole where that fits, and says where it is not', () => {
    const parts = fc
      .array(fc.constantFrom('mug', 'desk', 'You see', 'a b c d', '', '\n'), { maxLength: 6 })
      .map((list) => list.join(' '));
    const input = fc.record({
      instruction: fc.constant('look'),
      history: fc.array(fc.record({ observation: parts, action: parts }), { maxLength: 3 }),
      step: fc.constant(5),
      observation: parts,
      admissibleActions: fc.option(fc.array(parts, { maxLength: 5 })),
    });
    fc.assert(
      fc.property(
        input,
        fc.integer({ min: 4, max: 60 }),
        fc.constantFrom(tokenizer, characters),
        (shown, maxTokens, kind) => {
          const least = new PromptBuilder(kind).build({ ...shown, history: [], observation: '', admissibleActions: [] })
            .ids.length;
          const whole = new PromptBuilder(kind).build(shown).ids;
          const prompt = new PromptBuilder(kind, { maxTokens: Math.max(least, maxTokens) }).build(shown);
          expect(prompt.ids.length).toBeLessThanOrEqual(Math.max(least, maxTokens));
          expect(prompt.truncated).toBe(whole.length > Math.max(least, maxTokens));
          if (!prompt.truncated) expect(prompt.ids).toEqual(whole);
        },
      ),
    );
  });
});

describe('bad input', () => {
  test.each([{ history: -1 }, { history: 1.5 }, { maxTokens: 0 }, { maxTokens: Number.NaN }])(
    'refuses options %o',
    (options) => {
      expect(() => new PromptBuilder(tokenizer, options)).toThrow('Prompt:');
    },
  );

  test('refuses more past turns than steps', () => {
    expect(() => new PromptBuilder(tokenizer).build({ ...turn, step: 2 })).toThrow('3 past turns at step 2');
  });
});
