/** A run that trains adapters, through the commands: evaluated, watched, asked, and exported as adapters and merged. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSource } from '../../src/cli/generate/source.ts';
import { measureLogits } from '../../src/cli/model/measure.ts';
import { AdapterFolder } from '../../src/models/peft.node.ts';
import { openPretrained } from '../../src/models/pretrained.node.ts';
import { loadPretrained } from '../../src/nn/decoderWeights.ts';
import { loadAdapters } from '../../src/nn/loraWeights.ts';
import { packReplies, replyBucket, replyGraph } from '../../src/nn/replies.ts';
import type { Transformer } from '../../src/nn/transformer.ts';
import { loadRunModel } from '../../src/rl/run.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { proxmo } from '../support/cli.ts';
import { sequenceOf } from '../support/sequences.ts';
import { vowelWorld } from '../support/vowelWorld.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-adapter-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const base = join(import.meta.dirname, '..', 'fixtures', 'gguf', 'llama.gguf');
const world = join(folder, 'doors.mjs');
writeFileSync(world, vowelWorld('abcdef'));

const dir = join(folder, 'run');
const settings = [
  'lora.rank=2',
  'lora.targets=all-linear',
  'prompt.maxTokens=64',
  'sampling.constrained=false',
  'sampling.maxNewTokens=4',
  'warmStart.tasks=0',
  'training.iterations=2',
  'training.learningRate=0.05',
  'training.pool=2',
  'training.tasks=2',
  'training.groupSize=4',
  'evaluation.split=train',
  'evaluation.tasks=2',
].flatMap((setting) => ['--set', setting]);

beforeAll(async () => {
  const { code, stderr } = await proxmo([
    'train',
    '--preset',
    'small',
    '--env',
    world,
    '--model',
    base,
    ...settings,
    '--out',
    dir,
  ]);
  expect(stderr).toContain('iteration 2/2');
  expect(code).toBe(0);
}, 120_000);

it('is evaluated, watched and asked', async () => {
  expect(JSON.parse((await proxmo(['eval', dir, '--json'])).stdout)).toMatchObject({ iteration: 2, episodes: 2 });
  expect((await proxmo(['play', dir])).stdout).toMatch(/^door: /);
  const ask = async (model: string) =>
    (await proxmo(['generate', '--model', model, '--prompt', 'look', '--json', '--max-tokens', '8'])).stdout;
  expect(JSON.parse(await ask(dir)).replies[0].logProb).not.toBe(JSON.parse(await ask(base)).replies[0].logProb);
});

it('speaks with its adapters in its weights, so that a token takes no kernel more, unless those are rounded', async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const [spoken, trained] = [await openSource(engine, dir), (await loadRunModel(engine, dir)).source];
  expect(spoken.model.adapters).toBeNull();
  expect(distance(await logitsOf(engine, spoken.model), await logitsOf(engine, trained.model))).toBeLessThan(1e-4);
  if (engine.gpu.profile.features.has('shader-f16'))
    expect((await openSource(engine, dir, 'f16')).model.adapters).not.toBeNull();
});

it('is exported as adapters, and as whole weights with them merged', async () => {
  const [adapters, merged] = [join(folder, 'adapters'), join(folder, 'merged')];
  expect((await proxmo(['model', 'export', dir, adapters])).stdout).toContain(
    `the adapters (PEFT) for ${base} of ${dir} after iteration 2`,
  );
  const { stdout } = await proxmo(['model', 'export', dir, merged, '--merge']);
  expect(stdout).toContain('in float32, adapters merged');
  expect(existsSync(join(merged, 'tokenizer.json'))).toBe(true);
  expect(JSON.parse(readFileSync(join(adapters, 'adapter_config.json'), 'utf8'))).toMatchObject({
    peft_type: 'LORA',
    base_model_name_or_path: base,
    r: 2,
    lora_alpha: 32,
  });

  for (const [form, library] of [
    [adapters, 'peft'],
    [merged, 'transformers'],
  ])
    expect(readFileSync(join(form!, 'README.md'), 'utf8')).toMatch(new RegExp(`^---\\nlibrary_name: ${library}\\n`));

  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const load = async (path: string) => {
    const opened = await openPretrained(path);
    const model = await loadPretrained(engine, opened.model, opened.weights, path);
    await opened.close();
    return { hf: opened.model, model };
  };
  const untouched = await load(base);
  const saved = await AdapterFolder.open(adapters);
  const withSaved = untouched.model.withAdapters(
    await loadAdapters(engine, untouched.hf, saved.config, saved, adapters),
  );
  await saved.close();
  const trained = await logitsOf(engine, (await loadRunModel(engine, dir)).source.model);
  expect(await logitsOf(engine, withSaved)).toEqual(trained);
  expect(distance(await logitsOf(engine, (await load(merged)).model), trained)).toBeLessThan(1e-4);
  expect(distance(await logitsOf(engine, untouched.model), trained)).toBeGreaterThan(1e-2);
});

it('is exported as GGUF files, of whole weights and of adapters', async () => {
  const [merged, adapters] = [join(folder, 'merged.gguf'), join(folder, 'adapters.gguf')];
  expect((await proxmo(['model', 'export', dir, merged, '--gguf', '--merge'])).stdout).toContain(
    `${merged}: the policy in float32, adapters merged, of ${dir}`,
  );
  expect((await proxmo(['model', 'export', dir, adapters, '--gguf'])).stdout).toContain(
    `${adapters}: the adapters (GGUF) for ${base} of ${dir} after iteration 2`,
  );
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const opened = await openPretrained(merged);
  const tokenizer = await opened.loadTokenizer();
  const original = await openPretrained(base);
  expect(tokenizer.encode('look at the desk')).toEqual((await original.loadTokenizer()).encode('look at the desk'));
  const model = await loadPretrained(engine, opened.model, opened.weights, merged);
  await Promise.all([opened.close(), original.close()]);
  const trained = await logitsOf(engine, (await loadRunModel(engine, dir)).source.model);
  expect(distance(await logitsOf(engine, model), trained)).toBeLessThan(1e-4);
});

it('is inspected, and its policy verified against what was computed with its export', async () => {
  const { stdout } = await proxmo(['model', 'inspect', dir]);
  expect(stdout).toMatch(/checkpoint +after iteration 2/);
  expect(stdout).toMatch(/trained +adapters of rank 2 on 14 projections/);
  expect(stdout).toMatch(/family +llama/);
  const { trained, parameters } = JSON.parse((await proxmo(['model', 'inspect', dir, '--json'])).stdout);
  expect(trained).toMatchObject({ iteration: 2, model: base, adapters: { projections: 14, ranks: [2] } });
  expect(trained.trained.parameters).toBeLessThan(parameters);

  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const ids = [3, 4, 5, 6, 7];
  const rowOf = async (model: Transformer) => [...(await measureLogits(engine, model, [ids], [4]))];
  const expectedOf = async (model: Transformer) => {
    const file = join(folder, 'expected.json');
    writeFileSync(file, JSON.stringify({ input_ids: [ids], logits_positions: [4], logits: [[await rowOf(model)]] }));
    return ['model', 'verify', dir, '--expected', file, '--adapter', testAdapters.at(-1)!];
  };
  const trainedModel = (await loadRunModel(engine, dir)).source.model;
  expect((await proxmo(await expectedOf(trainedModel))).code).toBe(0);
  const untouched = await proxmo(await expectedOf(trainedModel.withoutAdapters()));
  expect(untouched.stderr).toContain(`${dir} does not compute what the reference computed: logits`);
});

it.each([
  [
    ['--gguf'],
    `--gguf makes a file, and ${join(folder, 'never')} does not end with .gguf; name it ${join(folder, 'never')}.gguf.`,
  ],
  [['--dtype', 'float16'], 'Adapters are saved in float32; leave out --dtype, or add --merge to save whole weights.'],
  [
    ['--dtype', 'int8', '--merge'],
    "option '--dtype <name>' argument 'int8' is invalid. Allowed choices are float32, float16, bfloat16.",
  ],
])('export %j is a mistake', async (args, message) => {
  const never = join(folder, 'never');
  const { code, stderr } = await proxmo(['model', 'export', dir, never, ...args]);
  expect([code, stderr]).toEqual([2, `proxmo: ${message}\n`]);
  expect(existsSync(never)).toBe(false);
});

async function logitsOf(engine: Engine, model: Transformer): Promise<ArrayLike<number>> {
  const pairs = [{ prompt: [3, 4, 5, 6], reply: [7, 8] }].map(sequenceOf);
  const bucket = replyBucket(pairs);
  const { logits } = replyGraph(model, bucket);
  const program = await engine.compile({ name: 'logits', outputs: { logits }, optionalInputs: ['targets'] });
  return (await program.run(packReplies(pairs, bucket))).logits.subarray(0, 2 * model.config.vocabSize);
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), 0);
}
