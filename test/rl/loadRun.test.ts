/** A run that cannot be made ready to act leaves nothing open. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { loadRun, trainRun } from '../../src/rl/run.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-load-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes `closed` to its log when it is closed. */
const environment = `
import { appendFileSync } from 'node:fs';
export default ({ log }, { defineTaskSet }) => {
  const set = defineTaskSet({
    name: 'doors',
    maxSteps: 1,
    tasks: Array.from({ length: 10 }, (_, n) => ({ id: String(n), type: 'only' })),
    instruction: () => 'go.',
    *play() {
      return { observation: 'over.', success: (yield { observation: 'well?', actions: ['left', 'right'] }) === 'left' };
    },
  });
  return { ...set, close: async () => appendFileSync(log, 'closed ') };
};`;

it('closes its task set when the trainer cannot be made', async () => {
  const [module, log, dir] = [join(folder, 'doors.mjs'), join(folder, 'log'), join(folder, 'run')];
  writeFileSync(module, environment);
  writeFileSync(log, '');
  const config = trainConfigSchema.parse({
    environment: { name: module, options: { log } },
    prompt: { maxTokens: 64 },
    policy: { dModel: 8, layers: 1, heads: 1, kvHeads: 1, headDim: 8, dFf: 8 },
    sampling: { maxNewTokens: 2, blockSize: 2 },
    warmStart: { tasks: 0 },
    training: { iterations: 0, pool: 2, tasks: 2, groupSize: 2 },
    optimiser: { microBatchTokens: 256 },
    evaluation: { tasks: 2 },
  });
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  await trainRun(engine, { dir, config, version: '1' });
  expect(readFileSync(log, 'utf8')).toBe('closed ');

  const { trainer } = await loadRun(engine, dir);
  expect(readFileSync(log, 'utf8')).toBe('closed ');
  await trainer.taskSet.close?.();

  const file = join(dir, 'config.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('maxTokens: 64', 'maxTokens: 400000000'));
  await expect(loadRun(engine, dir)).rejects.toThrow('The device binds');
  expect(readFileSync(log, 'utf8')).toBe('closed closed closed ');
});
