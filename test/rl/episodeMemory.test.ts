import { describe, expect, it } from 'vitest';
import { contextSequences, createMemory, type MemoryForm } from '../../src/rl/episodeMemory.ts';
import { PromptBuilder, type PromptOptions } from '../../src/text/prompt.ts';
import { WordTokenizer } from '../../src/text/wordTokenizer.ts';

const tokenizer = WordTokenizer.build('put a mug in desk you see nothing go to look 1 2 3 4'.split(' '));
const text = (ids: readonly number[]) => tokenizer.decode(ids).replace(/\s+/g, ' ').trim();

/** Goes to a desk in every turn, and sees nothing. */
function play(form: MemoryForm, turns: number, options: PromptOptions = {}, cutTurn = -1) {
  const memory = createMemory(form, new PromptBuilder(tokenizer, { showActions: false, ...options }), [
    tokenizer.endId,
  ]);
  return Array.from({ length: turns }, (_, turn) => {
    const reading = memory.read({
      instruction: 'put a mug in desk 1',
      observation: `you see nothing ${turn}`,
      admissibleActions: ['look', 'go to desk 1'],
    });
    const words = tokenizer.encode(`go to desk ${turn}`);
    const reply = turn === cutTurn ? words : [...words, tokenizer.endId];
    memory.wrote(reply, `go to desk ${turn}`);
    return { prompt: reading.tokens, context: reading.context, reply, truncated: reading.truncated };
  });
}

describe('a transcript', () => {
  it('begins with the task and goes on with what is new', () => {
    const turns = play('transcript', 3);
    expect(turns.map(({ prompt }) => text(prompt))).toEqual([
      '<task> put a mug in desk 1 <observation> you see nothing 0 <action>',
      '<observation> you see nothing 1 <action>',
      '<observation> you see nothing 2 <action>',
    ]);
    expect(turns.map(({ context }) => context)).toEqual([0, 0, 0]);
  });

  it('is one sequence, in which each reply is where it was written', () => {
    const turns = play('transcript', 3);
    const [sequence, ...others] = contextSequences(turns);
    expect(others).toEqual([]);
    expect(Array.from(sequence!.tokens)).toEqual(turns.flatMap(({ prompt, reply }) => [...prompt, ...reply]));
    for (const [index, { start, length }] of sequence!.replies.entries())
      expect(Array.from(sequence!.tokens).slice(start, start + length)).toEqual(turns[index]!.reply);
  });

  it('shows the actions on offer, and the task again, where it is asked to', () => {
    const [, second] = play('transcript', 2, { showActions: true, repeatTask: true });
    expect(text(second!.prompt)).toBe(
      '<observation> you see nothing 1 <option> look <option> go to desk 1 <task> put a mug in desk 1 <action>',
    );
  });

  it('goes on from its last turns when it is full, with what they ended with', () => {
    // 14 tokens open it, a turn takes 6 and a reply 5.
    const turns = play('transcript', 9, { maxTokens: 60 });
    const full = turns.findIndex(({ context }) => context === 1);
    const before = turns.slice(0, full).reduce((sum, { prompt, reply }) => sum + prompt.length + reply.length, 0);
    expect(before + 6).toBeGreaterThan(60);
    const { prompt } = turns[full]!;
    expect(prompt.length).toBeLessThanOrEqual(30);
    expect(prompt.length).toBeGreaterThan(30 - 11);
    expect(text(prompt)).toBe(
      `<task> put a mug in desk 1 <observation> you see nothing ${full - 1} <action> go to desk ${full - 1} <end> ` +
        `<observation> you see nothing ${full} <action>`,
    );
    expect(contextSequences(turns)).toHaveLength(turns.at(-1)!.context + 1);
  });

  it('takes the whole budget for a turn that half of it cannot hold', () => {
    const [first, second] = play('transcript', 2, { maxTokens: 20 });
    expect([first!.context, second!.context]).toEqual([0, 1]);
    expect(text(second!.prompt)).toBe('<task> put a mug in desk 1 <observation> you see nothing 1 <action>');
    expect(second!.truncated).toBe(false);
  });

  it('refuses a budget that cannot hold the task', () => {
    expect(() => play('transcript', 1, { maxTokens: 5 })).toThrow('the task alone needs');
  });
});

describe('a window', () => {
  it('is a context of its own in every turn', () => {
    const turns = play('window', 3, { history: 1 });
    expect(turns.map(({ context }) => context)).toEqual([0, 1, 2]);
    expect(contextSequences(turns)).toHaveLength(3);
    expect(text(turns[2]!.prompt)).toBe(
      '<task> put a mug in desk 1 <observation> you see nothing 1 <action> go to desk 1 <observation> you see nothing 2 <action>',
    );
  });
});
