/** `proxmo generate`, and runs that start from a pretrained model: train, eval, play, resume, export. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { answer } from '../../src/cli/generate/answer.ts';
import { openSource } from '../../src/cli/generate/source.ts';
import { openDevice } from '../../src/gpu/device.node.ts';
import { encodeText } from '../../src/rl/generate/generateText.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters } from '../support/adapters.ts';
import { proxmo } from '../support/cli.ts';
import { hfFixture } from '../support/hfFixtures.ts';
import { rowsIn, rowsPath } from '../support/recordedRows.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-generate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fixtures = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures');
const gguf = join(fixtures, 'gguf', 'llama.gguf');

describe('generate', () => {
  it('prints text to standard output and figures to standard error', async () => {
    const { code, stdout, stderr } = await proxmo([
      'generate',
      '--model',
      gguf,
      '--prompt',
      'the cat',
      '--max-tokens',
      '6',
      '--seed',
      '4',
    ]);
    expect(code).toBe(0);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(stderr).toMatch(
      /^\d+ prompt tokens, \d new tokens in [\d.]+ s \([\d.]+ tokens\/s\), the first after [\d.]+ s\n$/m,
    );
  });

  it('gives the same text as JSON, for as many samples as asked for', async () => {
    const prompt = join(folder, 'prompt.txt');
    writeFileSync(prompt, 'the cat');
    const args = ['generate', '--model', gguf, '--prompt-file', prompt, '--max-tokens', '6', '--seed', '4'];
    const streamed = await proxmo(args);
    const { code, stdout } = await proxmo([...args, '--json', '--samples', '3']);
    expect(code).toBe(0);
    const { replies, promptTokens, newTokens } = JSON.parse(stdout);
    expect(replies).toHaveLength(3);
    expect(streamed.stdout).toBe(`${replies[0].text}\n`);
    expect(promptTokens).toBeGreaterThan(0);
    expect(newTokens).toBe(replies.flatMap(({ tokens }: { tokens: number[] }) => tokens).length);
  });

  it('reads the prompt from standard input', async () => {
    const args = ['generate', '--model', gguf, '--max-tokens', '3', '--seed', '4'];
    const named = await proxmo([...args, '--prompt', 'the cat']);
    const piped = await proxmo([...args, '--prompt-file', '-'], { input: 'the cat' });
    expect([piped.code, piped.stdout]).toEqual([0, named.stdout]);
  });

  it('ends a reply that nobody reads any more', async () => {
    const gpu = await openDevice(testAdapters[0]);
    const engine = new Engine(gpu);
    const source = await openSource(engine, gguf);
    const tokensOf = async (isRead: () => boolean) => {
      const { answers } = await answer(engine, source, encodeText(source, 'the cat'), {
        controls: { seed: 4, temperature: 1, topP: 1, topK: 0 },
        maxTokens: 24,
        stop: [],
        samples: 1,
        turn: 0,
        onText: () => undefined,
        isRead,
      });
      return answers[0]!.tokens.length;
    };
    const whole = await tokensOf(() => true);
    expect(await tokensOf(() => false)).toBeLessThan(whole);
    gpu.destroy();
  });

  it.each([
    [
      ['--prompt', 'x', '--model', join(folder, 'absent')],
      1,
      /absent cannot be opened: there is no such file or folder \(ENOENT\); give the folder of a Hugging Face model/,
    ],
    [['--model', gguf], 2, /There is no prompt; give --prompt or --prompt-file/],
    [['--model', gguf, '--prompt', 'x', '--top-p', '0'], 2, /--top-p.* It must be a number above 0 and at most 1/],
    [
      ['--model', gguf, '--prompt', 'x', '--chat'],
      2,
      /has no chat template, so it holds no conversations; leave out --chat/,
    ],
    [['--model', hfFixture('gpt2'), '--prompt', 'x'], 1, /gpt2 has no tokenizer\.json/],
    [['--prompt', 'x'], 2, /required option '--model <path>'/],
  ] as const)('%j is a mistake', async (args, code, message) => {
    const result = await proxmo(['generate', ...args]);
    expect(result.stderr).toMatch(message);
    expect([result.code, result.stdout]).toEqual([code, '']);
  });
});

describe('a run that starts from a pretrained model', () => {
  const model = join(folder, 'model.gguf');
  cpSync(gguf, model);
  const dir = join(folder, 'run');
  const settings = [
    'environment.options.receptacles=4',
    'environment.options.objects=3',
    'environment.options.maxSteps=3',
    'environment.options.types=[pick,look]',
    'prompt.maxTokens=400',
    'prompt.history=0',
    'sampling.constrained=true',
    'sampling.maxNewTokens=40',
    'sampling.blockSize=8',
    'warmStart.tasks=0',
    'training.tasks=1',
    'training.groupSize=2',
    'training.pool=1',
    'evaluation.tasks=2',
    'checkpoints.every=1',
  ].flatMap((setting) => ['--set', setting]);
  const train = (out: string, iterations: number) =>
    proxmo([
      'train',
      '--model',
      model,
      '--env',
      'household',
      ...settings,
      '--set',
      `training.iterations=${iterations}`,
      '--out',
      out,
    ]);
  const weights = (run: string) => readFileSync(join(run, 'checkpoints', '000002', 'weights.safetensors'));

  it('trains, and remembers the model and its hash', async () => {
    const { code, stderr } = await train(dir, 2);
    expect(stderr).toContain('iteration 2/2');
    expect(code).toBe(0);
    expect(JSON.parse(readFileSync(join(dir, 'model.json'), 'utf8'))).toEqual({
      path: model,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(existsSync(join(dir, 'tokenizer.json'))).toBe(false);
    const lines = readFileSync(join(dir, 'metrics.jsonl'), 'utf8').trim().split('\n');
    for (const { kind, samplerMismatch, validShare } of lines.map((line) => JSON.parse(line))) {
      if (kind === 'train') expect([samplerMismatch < 1e-4, validShare]).toEqual([true, 1]);
    }
    expect(JSON.stringify(rowsIn(rowsPath(dir, 1)))).not.toContain('"bound"');
  });

  it('goes on after a stop with the same bits', async () => {
    const first = join(folder, 'stopped');
    expect((await train(first, 1)).code).toBe(0);
    const config = join(first, 'config.yaml');
    writeFileSync(config, readFileSync(config, 'utf8').replace('iterations: 1', 'iterations: 2'));
    expect((await proxmo(['train', '--resume', first])).code).toBe(0);
    expect(weights(first).equals(weights(dir))).toBe(true);
  });

  it('is evaluated, watched, asked and exported', async () => {
    expect(JSON.parse((await proxmo(['eval', dir, '--json'])).stdout)).toMatchObject({ iteration: 2, episodes: 2 });
    const played = JSON.parse((await proxmo(['play', dir, '--json'])).stdout);
    expect(Object.keys(played[0].steps[0])).not.toContain('bound');
    const asked = await proxmo(['generate', '--model', dir, '--prompt', 'look', '--max-tokens', '3']);
    expect([asked.code, asked.stderr]).toEqual([0, expect.stringContaining('3 new tokens')]);
    const out = join(folder, 'exported');
    const exported = await proxmo(['model', 'export', dir, out]);
    expect(exported.code, exported.stderr).toBe(0);
    expect(existsSync(join(out, 'tokenizer.json'))).toBe(true);
    expect((await proxmo(['model', 'inspect', out, '--json'])).stdout).toContain('"family": "llama"');
  });

  it('is refused where the model is no longer what it was', async () => {
    const bytes = readFileSync(model);
    writeFileSync(model, Buffer.concat([bytes, Buffer.from([0])]));
    const { code, stderr } = await proxmo(['eval', dir]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/is not the model that .* began with: its files have changed/),
    ]);
  });
});
