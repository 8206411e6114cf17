/** `proxmo generate --chat`: variables and tools of the template, end tokens, and the model's own way of sampling. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samplingOf } from '../../../src/cli/generate/sampling.ts';
import { encodeConversation, openSource } from '../../../src/cli/generate/source.ts';
import { openDevice } from '../../../src/gpu/device.node.ts';
import { openPolicyModel } from '../../../src/rl/policySource.node.ts';
import { Engine } from '../../../src/tensor/engine.ts';
import { testAdapters } from '../../support/adapters.ts';
import { chatModel } from '../../support/chatModel.ts';
import { proxmo } from '../../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-chat-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let model: string;
const tools = join(folder, 'tools.json');
beforeAll(async () => {
  model = await chatModel(join(folder, 'model'), {
    'generation_config.json': JSON.stringify({ do_sample: true, temperature: 0.7, top_k: 20, repetition_penalty: 1.1 }),
  });
  writeFileSync(tools, '[{"name": "look"}]');
});

const ask = (...more: string[]) =>
  proxmo(['generate', '--model', model, '--chat', '--prompt', 'go', '--max-tokens', '2', ...more]);

describe('the template', () => {
  it('gets variables and tools', async () => {
    const gpu = await openDevice(testAdapters[0]);
    const source = await openSource(new Engine(gpu), model);
    const textOf = (settings: Parameters<typeof encodeConversation>[3]) =>
      source.tokenizer.decode(encodeConversation(source, [{ role: 'user', content: 'go' }], model, settings));
    const plain = '<|im_start|>user go<|im_end|><|im_start|>assistant ';
    expect(textOf({})).toBe(plain);
    expect(textOf({ variables: { enable_thinking: true } })).toBe(`${plain}<think>`);
    expect(textOf({ tools: [{ name: 'look' }] })).toBe(`<tools>[{"name": "look"}]</tools>${plain}`);
    // What a run was trained with stays, where nothing else is said.
    const trained = { ...source, chat: { variables: { enable_thinking: true } } };
    const ids = (settings: Parameters<typeof encodeConversation>[3]) =>
      encodeConversation(trained, [{ role: 'user', content: 'go' }], model, settings);
    expect(source.tokenizer.decode(ids({}))).toBe(`${plain}<think>`);
    expect(source.tokenizer.decode(ids({ variables: { enable_thinking: false } }))).toBe(plain);
    gpu.destroy();
  });

  it('gets in training what prompt.template and prompt.tools say, in follow-ups, too', async () => {
    const gpu = await openDevice(testAdapters[0]);
    const prompt = { template: { enable_thinking: true }, tools: [{ name: 'look' }] } as never;
    const open = (settings: object) =>
      openPolicyModel(new Engine(gpu), model, { lora: null, seed: 1, prompt: settings as never });
    const { tokenizer, encodeMessage, encodeFollowUp, endTokens } = await open(prompt);
    expect(tokenizer.decode(encodeMessage!('go'))).toMatch(/^<tools>.*<\|im_start\|>assistant <think>$/s);
    expect(tokenizer.decode(encodeFollowUp!('on', true))).toBe(
      '<|im_start|>user on<|im_end|><|im_start|>assistant <think>',
    );
    // `<|endoftext|>` is named nowhere, and known by its text.
    expect(endTokens.map((id) => tokenizer.decode([id]))).toEqual(['<|endoftext|>', '<|im_end|>']);
    await expect(open({ template: { enable_thinkin: true } })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('the chat template reads no `enable_thinkin`'),
    });
    gpu.destroy();
  });

  it.each([
    [['--template-var', 'enable_thinking'], 2, /--template-var enable_thinking is not name=value/],
    [['--template-var', 'enable_thinkin=true'], 1, /reads no `enable_thinkin`, so it would change nothing/],
    [['--template-var', 'messages=[]'], 1, /a variable cannot be called `messages`; that is an option of its own/],
    [['--tools', join(folder, 'absent.json')], 1, /absent\.json cannot be read/],
    [['--tools', import.meta.filename], 1, /chat\.test\.ts is not JSON; give a list of tools/],
  ])('%j is a mistake', async (args, code, message) => {
    const result = await ask(...args);
    expect(result.stderr).toMatch(message);
    expect([result.code, result.stdout]).toEqual([code, '']);
  });

  it('needs --chat', async () => {
    const args = ['generate', '--model', model, '--prompt', 'go'];
    for (const more of [
      ['--tools', tools],
      ['--template-var', 'enable_thinking=true'],
      ['--system', 'x'],
    ])
      expect((await proxmo([...args, ...more])).stderr).toContain(`${more[0]} needs --chat.`);
  });
});

describe('sampling', () => {
  const own = { temperature: 0.7, topK: 20, unsupported: ['min_p 0.1'], from: 'generation_config.json' };

  it('is that of the options, else of the model, else plain', () => {
    expect(samplingOf({ seed: 3 }, { sampling: own })).toEqual({
      controls: { seed: 3, temperature: 0.7, topP: 1, topK: 20 },
      notes: [
        'sampling: temperature 0.7 (generation_config.json), top-p 1 (default), top-k 20 (generation_config.json)',
        'not supported and left out, from generation_config.json: min_p 0.1',
      ],
    });
    expect(samplingOf({ seed: 3, topK: 0, temperature: 2 }, { sampling: own }).controls).toEqual({
      seed: 3,
      temperature: 2,
      topP: 1,
      topK: 0,
    });
    expect(samplingOf({ seed: 3, temperature: 0 }, {}).notes).toEqual(['sampling: temperature 0 (--temperature)']);
  });

  it('is told on standard error, and is what samples', async () => {
    const { code, stderr, stdout } = await ask('--top-k', '5', '--json', '--tools', tools);
    expect(code).toBe(0);
    expect(stderr).toContain(
      'sampling: temperature 0.7 (generation_config.json), top-p 1 (default), top-k 5 (--top-k)\n',
    );
    expect(stderr).toContain('left out, from generation_config.json: repetition_penalty 1.1\n');
    expect(JSON.parse(stdout).sampling).toEqual({ temperature: 0.7, topP: 1, topK: 5 });
  });
});
