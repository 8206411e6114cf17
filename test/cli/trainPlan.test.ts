/** `proxmo train --plan`, what a budget of memory stops, and settings of adapters that cannot be. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { hfFixture } from '../support/hfFixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-plan-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const out = join(folder, 'run');
const gguf = join(import.meta.dirname, '..', 'fixtures', 'gguf', 'llama.gguf');
const set = (...settings: string[]) => settings.flatMap((setting) => ['--set', setting]);

describe('--plan', () => {
  it('prints the memory of each part, and makes nothing', async () => {
    const { code, stdout } = await proxmo(['train', '--model', gguf, '--preset', 'pretrained', '--plan', '--out', out]);
    expect(code).toBe(0);
    for (const part of ['weights', 'adapters', 'gradients', 'moments', 'KV cache', 'activations', 'logits', 'total'])
      expect(stdout).toMatch(new RegExp(`^${part} +[\\d.]+ MiB$`, 'm'));
    expect(stdout).toMatch(/^reference +0\.0 MiB$/m);
    expect(stdout).toMatch(/Micro-batches of 4096 tokens fit, and up to \d+ would\.$/m);
    expect(existsSync(out)).toBe(false);
  });

  it('needs no weights, only the configuration and the headers', async () => {
    const { code, stdout } = await proxmo([
      'train',
      '--model',
      hfFixture('qwen2'),
      '--preset',
      'pretrained',
      '--plan',
      '--json',
    ]);
    const plan = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(plan).toMatchObject({
      microBatchTokens: 4096,
      fits: true,
      tooLarge: null,
      limits: { total: null },
      parts: { reference: 0 },
    });
    expect(plan.total).toBe(Object.values<number>(plan.parts).reduce((sum, bytes) => sum + bytes, 0));
    expect(plan).not.toHaveProperty('shared');
  });

  it('fails where the budget is too small, with what fits', async () => {
    const args = ['train', '--preset', 'small', '--plan', '--json', ...set('engine.memory=60')];
    const { code, stdout, stderr } = await proxmo(args);
    const { fits, largestMicroBatch, limits } = JSON.parse(stdout);
    expect([code, fits, limits.total]).toEqual([1, false, 60 * 2 ** 20]);
    expect(stderr).toMatch(
      new RegExp(
        `engine.memory allows 60.0 MiB; lower optimiser.microBatchTokens from 8192 to ${largestMicroBatch}\\.`,
      ),
    );
    expect((await proxmo([...args, ...set(`optimiser.microBatchTokens=${largestMicroBatch}`)])).code).toBe(0);
  });
});

it.each([
  [
    ['--preset', 'pretrained'],
    /`lora` \(the preset\) is {}: adapters need a pretrained model; name one as model, or set lora to null\./,
  ],
  [
    ['--model', gguf, ...set('lora.targets=[c_attn]')],
    /targets name no projection "c_attn"; a llama model has q_proj, k_proj, v_proj/,
  ],
  [['--model', gguf, ...set('lora.rank=0')], /`lora\.rank` \(--set lora\.rank=0\) must be at least 1, not 0\./],
  [['--model', gguf, ...set('lora.dropout=1')], /`lora\.dropout` .* must be less than 1, not 1\./],
  [['--model', gguf, ...set('lora.alpa=1')], /`lora\.alpa` .* did you mean `lora\.alpha`\?/],
  [
    ['--model', gguf, ...set('optimiser.checkpointing=blocks')],
    /must be "none" or "block", not "blocks"; did you mean "block"\?/,
  ],
  [['--model', gguf, ...set('engine.memory=0')], /`engine\.memory` .* must be more than 0, not 0\./],
  [
    ['--model', gguf, ...set('engine.memory=1')],
    /The run needs [\d.]+ MiB, but engine\.memory allows 1\.0 MiB; no micro-batch fits, so lower/,
  ],
] as const)('%j is refused before anything is there', async (args, message) => {
  const { code, stdout, stderr } = await proxmo(['train', ...args, '--out', out]);
  expect(stderr).toMatch(message);
  expect([code, stdout, existsSync(out)]).toEqual([1, '', false]);
});
