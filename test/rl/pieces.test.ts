/**
 * A run whose policy lies in several buffers: it learns as one in a single buffer does, and goes on from its
 * checkpoint, cut alike or not.
 */
import { expect, it } from 'vitest';
import { createTaskSet } from '../../src/envs/index.ts';
import { decoderSlab } from '../../src/nn/decoderParameters.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { presets } from '../../src/rl/presets.ts';
import { Trainer } from '../../src/rl/trainer.ts';
import { captureState, type RunProgress, restoreState } from '../../src/rl/trainerState.node.ts';
import type { Checkpoint } from '../../src/runs/checkpoint.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { portablePieceBytes } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { checkpointValues } from '../support/checkpoints.ts';

const { small } = presets;
const config = trainConfigSchema.parse({
  ...small,
  warmStart: { tasks: 0 },
  training: { ...small.training, pool: 2, tasks: 2, groupSize: 4 },
  loss: { klCoefficient: 0.01 },
});
const smallPiece = 2 ** 14;
const progress: RunProgress = {
  totals: { wallSeconds: 0, warmStartSeconds: null, iterationSeconds: 0, advantageSeconds: 0, tokens: 0, before: null },
  evaluation: null,
  tasks: { training: 'a', heldOut: 'b' },
};

/** Iterations `first` to before `end` of a run, from a checkpoint if there is one. */
async function run(largestPiece: number, first: number, end: number, saved: Checkpoint | null = null) {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const taskSet = await createTaskSet(config.environment.name, config.environment.options);
  const source = wordPolicySource(config, tokenizerFor(taskSet));
  const model = new Transformer(
    source.model.config,
    decoderSlab(source.model.config, config.seed, 'policy', largestPiece),
  );
  const trainer = new Trainer(engine, config, taskSet, { ...source, model });
  if (saved) await restoreState(engine, trainer, saved);
  const metrics = [];
  for (let iteration = first; iteration < end; iteration++) metrics.push((await trainer.iterate(iteration)).metrics);
  return {
    metrics,
    state: captureState(engine, trainer, end, progress),
    pieces: trainer.policy.model.slab.variable.pieces.length,
  };
}

async function valuesOf(checkpoint: Checkpoint): Promise<number[]> {
  const { weights, optimizer } = await checkpointValues(checkpoint);
  return [...weights, ...optimizer].flatMap(({ data }) => [...data]);
}

it('learns and goes on as it does in one buffer', { timeout: 60_000 }, async () => {
  const whole = await run(portablePieceBytes, 0, 2);
  const cut = await run(smallPiece, 0, 2);
  expect([whole.pieces, cut.pieces > 10]).toEqual([1, true]);
  for (const [index, wanted] of whole.metrics.entries()) {
    const got = cut.metrics[index]!;
    expect(got.success).toBe(wanted.success);
    expect(got.entropy).toBeCloseTo(wanted.entropy, 4);
    expect(got.samplerMismatch).toBeLessThan(2e-5);
  }
  const half = await run(smallPiece, 0, 1);
  expect(await valuesOf((await run(smallPiece, 1, 2, half.state)).state)).toEqual(await valuesOf(cut.state));
  const elsewhere = await run(portablePieceBytes, 1, 2, half.state);
  expect(elsewhere.metrics[0]!.success).toBe(cut.metrics[1]!.success);
  expect(elsewhere.metrics[0]!.entropy).toBeCloseTo(cut.metrics[1]!.entropy, 4);
});
