/** Runs of supervised fine-tuning on disk: what they learn, what they leave, and that they go on with the same bits. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type LiveProgress, liveProgressSchema } from '../../../src/rl/liveProgress.ts';
import { sftRun } from '../../../src/rl/sft/run.node.ts';
import type { SftEvent } from '../../../src/rl/sft/supervisedRun.node.ts';
import { openRun } from '../../../src/runs/run.ts';
import { lastTensors } from '../../support/checkpoints.ts';
import { type SftWorld, sftSettings, sftWorld, trainSft } from '../../support/sftRun.ts';
import { tinyEngine } from '../../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-sft-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let world: SftWorld;
beforeAll(async () => {
  world = await sftWorld(folder);
});
const settings = (over: object = {}) => sftSettings(world, over);

/** All that must be the same in a run that never stopped. */
async function essenceOf(dir: string) {
  const run = await openRun(dir);
  const metrics = (await run.readMetrics()).map(({ kind, iteration, loss, gradientNorm, learningRate }) => ({
    kind,
    iteration,
    loss,
    gradientNorm,
    learningRate,
  }));
  return { tensors: await lastTensors(run), metrics };
}

describe.each([
  ['adapters', {}],
  ['all weights', { lora: null, training: { epochs: 4, batchChats: 3, learningRate: 1e-2, warmup: 0 } }],
])('fine-tuning of %s', (name, over) => {
  const whole = join(folder, `whole ${name}`);

  it('lowers the loss on chats that were held out, and leaves what it trained', async () => {
    const summary = await trainSft(whole, settings(over));
    expect(summary.steps).toBe(12);
    expect(summary.before!.loss).toBeGreaterThan(3);
    expect(summary.after!.loss).toBeLessThan(0.75 * summary.before!.loss);
    expect(summary.data).toMatchObject({ chats: 9, heldOut: 3, skipped: 0, cut: 0, changed: 0 });
    expect(readdirSync(join(whole, summary.trained))).toContain(
      name === 'adapters' ? 'adapter_model.safetensors' : 'model.safetensors',
    );
    const kinds = (await essenceOf(whole)).metrics.map(({ kind, iteration }) => `${kind} ${iteration}`);
    expect(kinds).toEqual([
      'eval 0',
      ...Array.from({ length: 12 }, (_, step) => [
        `train ${step + 1}`,
        ...((step + 1) % 3 === 0 ? [`eval ${step + 1}`] : []),
      ]).flat(),
    ]);
  });

  it.each([1, 3, 5])('goes on with the same bits after a stop in step %d', async (step) => {
    const stopped = join(folder, `stopped ${name} ${step}`);
    const controller = new AbortController();
    const halted = trainSft(stopped, settings(over), {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.kind === 'step' && event.outcome.step === step) controller.abort();
      },
    });
    await expect(halted).rejects.toThrow(`Step ${step} of 12 is saved; go on with: proxmo sft --resume ${stopped}`);
    await trainSft(stopped, settings(over), { resume: true });
    expect(await essenceOf(stopped)).toEqual(await essenceOf(whole));
  });
});

it('trains embedding, head and norms too, and goes on from what it saved', async () => {
  const dir = join(folder, 'ends');
  const lora = { rank: 4, alpha: 8, targets: ['q_proj', 'embed_tokens'], modulesToSave: ['lm_head', 'model.norm'] };
  const training = { epochs: 2, batchChats: 3, learningRate: 2e-2, warmup: 0 };
  const summary = await trainSft(dir, settings({ lora, training }));
  expect(summary.after!.loss).toBeLessThan(0.9 * summary.before!.loss);
  const from = join(dir, summary.trained);
  const next = settings({ lora: { from }, training: { ...training, steps: 1 } });
  const again = await trainSft(join(folder, 'ends again'), next);
  expect(Math.abs(again.before!.loss - summary.after!.loss)).toBeLessThan(1e-4);
});

it('says in progress.json what it does, and how long it still takes', async () => {
  const dir = join(folder, 'progress');
  const seen: LiveProgress[] = [];
  const look = () => seen.push(liveProgressSchema.parse(JSON.parse(readFileSync(join(dir, 'progress.json'), 'utf8'))));
  // Each state is written at once where a second has passed.
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 2000));
  await trainSft(dir, settings(), { onEvent: ({ kind }) => (kind === 'step' ? look() : undefined) });
  clock.mockRestore();
  expect(seen.map(({ iteration, phase }) => `${phase} ${iteration}`)).toEqual(
    Array.from({ length: 12 }, (_, step) => `fine-tuning ${step + 1}`),
  );
  expect(seen[3]).toMatchObject({ done: 1 / 3, stage: { share: 1 / 3 }, run: { share: 4 / 12 } });
  expect(seen[3]!.detail).toMatch(/^loss \d/);
  expect(seen[3]!.run.seconds).toBeGreaterThan(seen[10]!.run.seconds!);
  expect(existsSync(join(dir, 'progress.json'))).toBe(false);
});

it('leaves nothing on the device', async () => {
  const engine = await tinyEngine();
  await sftRun(engine, { dir: join(folder, 'freed'), config: settings({ training: { steps: 1 } }), version: '1' });
  expect(engine.memory.variables).toBe(0);
});

it('goes back to its last checkpoint where it was killed, and puts aside what came after', async () => {
  const [whole, killed] = [join(folder, 'whole adapters'), join(folder, 'killed')];
  const config = settings({ checkpoints: { every: 2, minutes: 0 } });
  const died = trainSft(killed, config, {
    onEvent: (event) => {
      if (event.kind === 'step' && event.outcome.step === 5) throw new Error('killed');
    },
  });
  await expect(died).rejects.toThrow('killed');
  rmSync(join(killed, 'checkpoints', '000005'), { recursive: true });
  await trainSft(killed, config, { resume: true });
  expect(await essenceOf(killed)).toEqual(await essenceOf(whole));
  expect(readFileSync(join(killed, 'aside', '001', 'metrics.jsonl'), 'utf8')).toContain('"iteration":5');
});

it('goes on for more epochs, and refuses other settings and other chats', async () => {
  const dir = join(folder, 'longer');
  await trainSft(dir, settings({ training: { epochs: 1, batchChats: 3 } }));
  const longer = settings({ training: { epochs: 2, batchChats: 3 } });
  const other = settings({ training: { epochs: 2, batchChats: 2 } });
  await expect(trainSft(dir, other, { resume: true })).rejects.toThrow('training.batchChats was 3 and is 2');
  const told: string[] = [];
  const onEvent = (event: SftEvent) => event.kind === 'warning' && told.push(event.text);
  expect((await trainSft(dir, longer, { resume: true, onEvent })).steps).toBe(6);
  expect(told).toEqual([expect.stringContaining('The learning rate follows the number of steps')]);
  const shorter = settings({ training: { steps: 2, batchChats: 3 } });
  await expect(trainSft(dir, shorter, { resume: true })).rejects.toThrow('come to 2 steps, but');
  const chats = readFileSync(world.data, 'utf8');
  writeFileSync(world.data, chats.replace('green', 'blue'));
  await expect(trainSft(dir, longer, { resume: true })).rejects.toThrow('its chats have changed');
  writeFileSync(world.data, chats);
});

it('leaves no folder where nothing could begin', async () => {
  const dir = join(folder, 'nothing');
  const empty = join(folder, 'empty.jsonl');
  writeFileSync(empty, '');
  await expect(trainSft(dir, settings({ data: { path: empty } }))).rejects.toThrow(`${empty} is empty`);
  const small = settings({ engine: { memory: 0.1 } });
  await expect(trainSft(dir, small)).rejects.toThrow(
    /engine.memory allows 0.1 MiB; no micro-batch fits, so lower data.maxTokens, or take a smaller model\.$/,
  );
  expect(readdirSync(folder)).not.toContain('nothing');
});

it('trains adapters on the packed matrices of a GGUF file, and leaves those as they are', async () => {
  const data = join(folder, 'pairs.jsonl');
  const pairs = Array.from({ length: 8 }, () => ({ prompt: 'go', completion: 'look' }));
  writeFileSync(data, pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''));
  const model = join(import.meta.dirname, '..', '..', 'fixtures', 'gguf', 'qwen2.gguf');
  const training = { steps: 6, batchChats: 3, learningRate: 5e-2 };
  const config = settings({ model, precision: 'packed', data: { path: data, heldOut: 0.25 }, training });
  const { before, after, trained } = await trainSft(join(folder, 'packed'), config);
  expect(after!.loss).toBeLessThan(before!.loss);
  expect(trained).toBe('adapters');
  await expect(trainSft(join(folder, 'whole packed'), settings({ ...config, lora: null }))).rejects.toThrow(
    'Packed weights cannot be trained themselves',
  );
});
