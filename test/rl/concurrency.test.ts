/** Calls that overlap on one object: each gets what it would get alone, and the state that it leaves is the same. */
import { describe, expect, it } from 'vitest';
import { createTaskSet } from '../../src/envs/index.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { scale } from '../../src/ops/elementwise.ts';
import { dot } from '../../src/ops/reduce.ts';
import { AdvantageEstimator } from '../../src/rl/advantages/index.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { Optimiser } from '../../src/rl/optimise.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { presets } from '../../src/rl/presets.ts';
import { Scorer } from '../../src/rl/score.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { rolloutOf, untimed } from '../support/rollouts.ts';
import { sequenceOf } from '../support/sequences.ts';
import { tinyModelConfig } from '../support/tinyModel.ts';

const modelConfig = tinyModelConfig(16);
const turnsFrom = (first: number) =>
  Array.from({ length: 12 }, (_, turn) => ({ prompt: [first, turn], reply: [1 + ((first + turn) % 7), 2] }));

/** What each call gives alone, one after another, and what it gives among others. */
async function apartAndTogether<T>(
  calls: readonly (() => Promise<T>)[],
  others: readonly (() => Promise<T>)[] = calls,
): Promise<{ apart: T[]; together: T[] }> {
  const apart: T[] = [];
  for (const call of calls) apart.push(await call());
  return { apart, together: await Promise.all(others.map((call) => call())) };
}

describe.each(testAdapters)('on %s', (adapter) => {
  const openEngine = async () => new Engine(await testDevice(adapter));

  it('AdvantageEstimator.estimate and destroy', async () => {
    const estimator = new AdvantageEstimator({ estimator: 'proxmo' }, await openEngine());
    const rollouts = [1, 2, 3].map((win) =>
      rolloutOf(
        { rewards: [0, 0, win], success: true, observations: ['a room', 'a drawer', 'a mug'] },
        { rewards: [0, 0], observations: ['a room', 'a mug'] },
      ),
    );
    const { apart, together } = await apartAndTogether(
      rollouts.map((rows) => async () => [...(await estimator.estimate(rows)).advantage]),
    );
    expect(new Set(apart.map(String)).size).toBe(3);
    expect(together).toEqual(apart);
    const [last] = await Promise.all([estimator.estimate(rollouts[0]!), estimator.destroy()]);
    expect([...last.advantage]).toEqual(apart[0]);
  });

  it('Scorer.score', async () => {
    // Two micro-batches a call.
    const scorer = new Scorer(await openEngine(), new Transformer(modelConfig, 1), 20, 1);
    const { apart, together } = await apartAndTogether(
      [3, 9].map((first) => () => scorer.score(turnsFrom(first).map(sequenceOf))),
    );
    expect(apart[0]).not.toEqual(apart[1]);
    expect(together).toEqual(apart);
  });

  it('Optimiser.step', async () => {
    const engine = await openEngine();
    const open = () => {
      const model = new Transformer(modelConfig, 1);
      const options = { microBatchTokens: 20, checkpointing: 'none', seed: 1 } as const;
      const optimiser = new Optimiser(engine, model, options, ['weight'], ({ logProbs, column }) => {
        const loss = scale(dot(logProbs().logProb, column('weight')), -1);
        return { loss, statistics: loss };
      });
      const steps = [3, 9].map((first) => () => {
        const pairs = turnsFrom(first).map((pair) => ({ ...sequenceOf(pair), columns: { weight: [0.1, 0.1] } }));
        return optimiser.step(pairs, 1e-2);
      });
      return { model, steps };
    };
    const [one, other] = [open(), open()];
    const { apart, together } = await apartAndTogether(one.steps, other.steps);
    expect(together).toEqual(apart);
    const read = ({ model }: typeof one) => engine.read(model.trainable.variable);
    expect(await read(other)).toEqual(await read(one));
  });
});

it('Trainer.warmStart, iterate and evaluate', { timeout: 120_000 }, async () => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const { small } = presets;
  const config = trainConfigSchema.parse({
    ...small,
    environment: { ...small.environment, options: { ...small.environment.options, maxSteps: 16 } },
    warmStart: { ...small.warmStart, tasks: 6, epochs: 1 },
    training: { ...small.training, pool: 2, tasks: 2, groupSize: 4 },
    evaluation: { ...small.evaluation, tasks: 4 },
  });
  const open = async () => {
    const taskSet = await createTaskSet(config.environment.name, config.environment.options);
    const trainer = new Trainer(engine, config, taskSet, wordPolicySource(config, tokenizerFor(taskSet)));
    const calls = [
      () => trainer.warmStart(),
      () => trainer.evaluate().then(({ seconds: _, ...figures }) => figures),
      () => trainer.iterate(0).then(({ episodes }) => untimed(episodes)),
      () => trainer.iterate(1).then(({ episodes }) => untimed(episodes)),
    ];
    return { trainer, calls };
  };
  const [one, other] = [await open(), await open()];
  const { apart, together } = await apartAndTogether<unknown>(one.calls, other.calls);
  expect(together).toEqual(apart);
  const read = ({ trainer }: typeof one) => engine.read(trainer.policy.model.trainable.variable);
  expect(await read(other)).toEqual(await read(one));
});
