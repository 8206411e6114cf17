/** `proxmo generate --prompts`: many prompts, answered side by side, in their order. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { parsePrompts } from '../../../src/cli/generate/prompts.ts';
import { chatModel } from '../../support/chatModel.ts';
import { proxmo } from '../../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-prompts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('reads texts, prompts and conversations, with their lines', () => {
  const text = '"go"\n\n{"prompt": "on", "id": 7}\r\n{"messages": [{"role": "user", "content": "x"}], "id": "a"}\n';
  expect(parsePrompts(text, 'f', true)).toEqual([
    { line: 1, prompt: 'go' },
    { line: 3, id: 7, prompt: 'on' },
    { line: 4, id: 'a', messages: [{ role: 'user', content: 'x' }] },
  ]);
});

it.each([
  ['"a"\n{"prompt": "b"', 'f, line 2 is not JSON; write a prompt a line'],
  ['"a"\n\n3', 'f, line 3: '],
  ['{"prompt": "b", "promt": 1}', 'f, line 1: '],
  ['{"messages": []}', 'f, line 1: '],
  ['""', 'f, line 1: the prompt is empty'],
  ['{"messages": [{"role": "user", "content": "x"}]}', 'f, line 1: messages need --chat'],
  [' \n', 'f has no prompts'],
])('refuses %j', (text, message) => {
  expect(() => parsePrompts(text, 'f', false)).toThrow(message);
});

it('answers as if each were alone, and in their order', async () => {
  const model = await chatModel(join(folder, 'model'));
  const prompts = ['go', 'take the mug', 'on', 'look at it', 'go'];
  const file = join(folder, 'prompts.jsonl');
  writeFileSync(file, prompts.map((prompt, id) => `${JSON.stringify({ prompt, id })}\n`).join(''));
  const args = ['generate', '--model', model, '--max-tokens', '6', '--temperature', '0'];
  const { code, stdout, stderr } = await proxmo([...args, '--prompts', file, '--batch', '2']);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^5 prompts, \d+ new tokens in [\d.]+ s/m)]);
  const answers = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(answers.map(({ line, id }) => [line, id])).toEqual(prompts.map((_, id) => [id + 1, id]));
  for (const index of [1, 3]) {
    const alone = await proxmo([...args, '--prompt', prompts[index]!, '--json']);
    expect(answers[index].text).toBe(JSON.parse(alone.stdout).replies[0].text);
  }
  // A prompt that the model cannot take is told with its line, before anything is answered.
  writeFileSync(file, `"go"\n${JSON.stringify('x '.repeat(400))}\n`);
  const gpt2 = join(import.meta.dirname, '..', '..', 'fixtures', 'gguf', 'gpt2.gguf');
  const long = await proxmo(['generate', '--model', gpt2, '--max-tokens', '6', '--prompts', file]);
  expect([long.code, long.stdout]).toEqual([1, '']);
  expect(long.stderr).toMatch(
    /prompts\.jsonl, line 2: the prompt has \d+ tokens, and with a reply of 6 the model takes/,
  );
  expect((await proxmo([...args, '--prompts', file, '--prompt', 'x'])).code).toBe(2);
});
