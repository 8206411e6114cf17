/**
 * Training that starts from a pretrained model: it learns, samples what it trains, and binds replies to the actions on
 * offer where asked to.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defineTaskSet } from '../../src/envs/define.ts';
import type { TaskSet } from '../../src/envs/environment.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { openPolicyModel } from '../../src/rl/policySource.node.ts';
import { type IterationResult, Trainer } from '../../src/rl/trainer.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const model = join(import.meta.dirname, '..', 'fixtures', 'gguf', 'llama.gguf');

/** One step a task: the action wins or does not. */
function oneStep(actions: readonly string[] | null, isRight: (action: string) => boolean): TaskSet {
  return defineTaskSet({
    name: 'one step',
    tasks: ['a', 'b', 'c', 'd'].map((id) => ({ id, type: 'one' })),
    maxSteps: 1,
    instruction: () => 'do',
    *play() {
      const action = yield { observation: 'now', actions };
      return { observation: 'over', success: isRight(action) };
    },
  });
}

const settings = (sampling: object, others: object = {}) =>
  trainConfigSchema.parse({
    model,
    ...others,
    prompt: { maxTokens: 64 },
    sampling: { maxNewTokens: 8, blockSize: 4, ...sampling },
    warmStart: { tasks: 0 },
    training: { iterations: 8, pool: 2, tasks: 2, groupSize: 16, miniBatches: 2, learningRate: 1e-3 },
    evaluation: { split: 'train', tasks: 2 },
  });

async function train(taskSet: TaskSet, config: ReturnType<typeof settings>) {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const trainer = new Trainer(engine, config, taskSet, await openPolicyModel(engine, model, config));
  await trainer.warmStart();
  const results: IterationResult[] = [];
  for (let iteration = 0; iteration < config.training.iterations; iteration++)
    results.push(await trainer.iterate(iteration));
  return { engine, trainer, results };
}

const successes = (results: readonly IterationResult[]) => results.map(({ metrics }) => metrics.success);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('a pretrained model', () => {
  it('learns to say what is rewarded', async () => {
    const world = oneStep(null, (action) => /[aeiou]/.test(action));
    const { results } = await train(world, settings({ maxNewTokens: 3 }));
    const course = successes(results);
    expect(course[0]).toBeLessThan(0.8);
    expect(mean(course.slice(-3))).toBeGreaterThan(0.9);
    for (const { metrics } of results) expect(metrics.samplerMismatch).toBeLessThan(5e-5);
  });

  it('bound to the actions on offer says one of them, and learns which', async () => {
    const actions = ['press left', 'press right', 'wait'];
    const world = oneStep(actions, (action) => action === 'press right');
    const { results, trainer } = await train(world, settings({ constrained: true, maxNewTokens: 12 }));
    const course = successes(results);
    expect(course[0]).toBeLessThan(0.8);
    expect(mean(course.slice(-3))).toBeGreaterThan(0.9);
    for (const { metrics, episodes } of results) {
      expect(metrics.validShare).toBe(1);
      // The trainer's distribution is the constrained one too: over all tokens, log-probabilities would differ by some
      // nats.
      expect(metrics.samplerMismatch).toBeLessThan(1e-5);
      for (const { steps } of episodes) expect(actions).toContain(steps[0]!.action);
    }
    // Actions that are no more than one way on: three choices at most.
    expect(results[0]!.metrics.entropy).toBeLessThan(Math.log(3));
    expect((await trainer.evaluate()).success).toBe(1);
  });

  it('learns by its adapters alone, with recomputed blocks', async () => {
    const world = oneStep(null, (action) => /[aeiou]/.test(action));
    const config = settings(
      { maxNewTokens: 3 },
      { lora: { rank: 4, alpha: 8 }, optimiser: { checkpointing: 'block' } },
    );
    const { engine, trainer, results } = await train(world, {
      ...config,
      training: { ...config.training, learningRate: 2e-2 },
    });
    const course = successes(results);
    expect(course[0]).toBeLessThan(0.8);
    expect(mean(course.slice(-3))).toBeGreaterThan(0.9);
    for (const { metrics } of results) expect(metrics.samplerMismatch).toBeLessThan(5e-5);
    // The base is as it was, and is the reference: the KL term grows, and nothing is kept twice.
    const { model: untouched } = await openPolicyModel(engine, model);
    const { model: policy } = trainer.policy;
    expect(await engine.read(policy.slab.variable)).toEqual(await engine.read(untouched.slab.variable));
    expect(trainer.referenceWeights).toBeNull();
    expect(results[0]!.metrics.kl).toBeLessThan(results.at(-1)!.metrics.kl!);
  });
});
