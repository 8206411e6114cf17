/** Replies as text while they grow: whole characters, no end token, nothing beyond a stop string. */
import { describe, expect, it } from 'vitest';
import { converse } from '../../../src/cli/generate/conversation.ts';
import { ReplyText } from '../../../src/rl/generate/replyText.ts';
import { WordTokenizer } from '../../../src/text/wordTokenizer.ts';

const tokenizer = WordTokenizer.build(['go to the desk now']);

/** The pieces that were shown for blocks of tokens, and what the reply came to. */
function show(blocks: readonly (readonly number[])[], stop: readonly string[] = []) {
  const pieces: string[] = [];
  const reply = new ReplyText(tokenizer, [tokenizer.endId], stop, (piece) => pieces.push(piece));
  const stoppedAt = blocks.findIndex((tokens) => reply.push(tokens));
  reply.finish();
  expect(pieces.join('')).toBe(reply.text);
  return { pieces, text: reply.text, reason: reply.finishReason, stoppedAt };
}

const one = (text: string) => tokenizer.encode(text).map((token) => [token]);

describe('the text of a reply', () => {
  it('never shows half a character', () => {
    const { pieces, text } = show(one('go 🙂é'));
    expect(text).toBe('go 🙂é');
    expect(pieces.every((piece) => !piece.includes('\uFFFD'))).toBe(true);
    expect(pieces).toContain('🙂');
  });

  it('leaves out the end token', () => {
    expect(show([tokenizer.encode('go to'), [...tokenizer.encode('the'), tokenizer.endId]])).toMatchObject({
      reason: 'end',
      stoppedAt: -1,
    });
    expect(show([[tokenizer.endId]]).text).toBe('');
  });

  it('ends before a stop string that lies across blocks', () => {
    const blocks = one('go to the desk now');
    expect(show(blocks, ['the desk'])).toMatchObject({ text: 'go to ', reason: 'stop', stoppedAt: 3 });
  });

  it('shows at the end what might have begun a stop string', () => {
    expect(show(one('go to the'), ['the desk'])).toMatchObject({ text: 'go to the', reason: 'length', stoppedAt: -1 });
  });
});

it('holds a conversation: answers become part of what is read next', async () => {
  async function* lines() {
    yield* ['hello', '  ', 'and now?'];
  }
  const read: string[] = [];
  await converse(lines(), 'be brief', async (messages, turn) => {
    read.push(messages.map(({ role, content }) => `${role}: ${content}`).join(' | '));
    return `answer ${turn}`;
  });
  expect(read).toEqual([
    'system: be brief | user: hello',
    'system: be brief | user: hello | assistant: answer 0 | user: and now?',
  ]);
});
