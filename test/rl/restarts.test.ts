/** Training again and again in one process leaves nothing behind: not on the device, nor in arrays of the host. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect, it } from 'vitest';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { Policy, tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { loadRun } from '../../src/rl/run.node.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { tinyConfig, tinyEngine, trainTiny, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-restarts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);
/** `PROXMO_RESTARTS=50` tries more. */
const restarts = Number(process.env.PROXMO_RESTARTS ?? 3);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of array buffers that something still holds. */
async function arrayBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().arrayBuffers;
}

it(`grows by nothing in ${restarts} restarts`, { timeout: 240_000 }, async () => {
  await using engine = await tinyEngine();
  const { gpu } = engine;
  const run = (name: number) =>
    trainTiny(join(folder, `run ${name}`), tinyConfig(world, { warmStart: { tasks: 4 } }), { engine });
  await run(0);
  const [device, arrays] = [gpu.allocations.bytes, await arrayBytes()];
  for (let restart = 1; restart <= restarts; restart++) await run(restart);
  expect(gpu.allocations.bytes - device, JSON.stringify(gpu.memory().holders.slice(0, 5))).toBe(0);
  expect((await arrayBytes()) - arrays).toBeLessThanOrEqual(0);
  expect(engine.memory.variables).toBe(0);
  expect(engine.memory.bindGroups).toBe(0);
});

it('gives back what a loaded run, a trainer and a policy hold', async () => {
  const engine = await tinyEngine();
  const config = tinyConfig(world);
  const dir = join(folder, 'run 0');
  const held = () => engine.memory.variables;
  const loaded = await loadRun(engine, dir);
  expect(held()).toBeGreaterThan(0);
  loaded.destroy();
  await loaded.trainer.taskSet.close?.();
  expect(held()).toBe(0);

  const taskSet = await createNamedTaskSet(world, {});
  const sourceOf = () => wordPolicySource(config, tokenizerFor(taskSet));
  {
    await using trainer = new Trainer(engine, config, taskSet, sourceOf());
    await trainer.iterate(0);
    expect(held()).toBeGreaterThan(0);
  }
  expect(held()).toBe(0);

  const source = sourceOf();
  engine.clear(source.model.slab.variable);
  const own = held();
  {
    await using policy = new Policy(engine, config, source, taskSet);
    await policy.player.generator.generate([{ prompt: [1, 2], episode: 0, turn: 0 }], policy.trainingControls);
    expect(held()).toBeGreaterThan(own);
  }
  // The weights were there before.
  expect(held()).toBe(own);
  engine.destroy();
  expect(held()).toBe(0);
  expect(engine.gpu.memory()).toEqual({ bytes: 0, holders: [] });
});
