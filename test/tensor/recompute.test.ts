/** Gradient checkpointing: the same bits with less memory. */
import { describe, expect, it } from 'vitest';
import { packColumn, packReplies, replyBucket, replyGraph } from '../../src/nn/replies.ts';
import { Transformer } from '../../src/nn/transformer.ts';
import { multiply, silu } from '../../src/ops/elementwise.ts';
import { dot, sum } from '../../src/ops/reduce.ts';
import { grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { recomputed } from '../../src/tensor/recompute.ts';
import { input, type Tensor } from '../../src/tensor/tensor.ts';
import { ParameterSlab } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { sequenceOf } from '../support/sequences.ts';

const config = {
  vocabSize: 50,
  dModel: 32,
  layers: 6,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  dFf: 96,
  ropeTheta: 100,
  tiedHead: true,
  normEpsilon: 1e-6,
};
const pairs = Array.from({ length: 12 }, (_, row) =>
  sequenceOf({
    prompt: Array.from({ length: 15 }, (_, at) => (7 * row + at) % 50),
    reply: Array.from({ length: 5 }, (_, at) => (3 * row + 2 * at) % 50),
  }),
);

/** Loss and gradients of all weights. */
async function train(engine: Engine, checkpointing: 'none' | 'block') {
  const model = new Transformer(config, 3);
  const bucket = replyBucket(pairs);
  const { logProbs } = replyGraph(model.inTraining({ checkpointing }), bucket);
  const loss = dot(logProbs().logProb, input('weight', [bucket.targets]));
  const { parameters } = model.slab;
  const gradients = grad(
    loss,
    parameters.map(({ tensor }) => tensor),
  );
  const outputs = Object.fromEntries(parameters.map(({ name }, index) => [name, gradients[index]!]));
  const program = await engine.compile({
    name: checkpointing,
    outputs: { ...outputs, loss } as Record<string, Tensor>,
  });
  const weight = packColumn(
    pairs.map(({ reply }) => Array.from(reply, (_, at) => at / 10)),
    bucket,
  );
  return { result: await program.run({ ...packReplies(pairs, bucket), weight }), program };
}

describe.each(testAdapters)('on %s', (adapter) => {
  it('gives a transformer the same bits in less memory', async () => {
    const engine = new Engine(await testDevice(adapter));
    const [plain, saving] = [await train(engine, 'none'), await train(engine, 'block')];
    expect(saving.result).toEqual(plain.result);
    expect(saving.program.memory.planned).toBeLessThan(0.5 * plain.program.memory.planned);
    expect(saving.program.dispatches).toBeGreaterThan(plain.program.dispatches);
  });

  it('gives gradients to what the part reads besides its input', async () => {
    const engine = new Engine(await testDevice(adapter));
    const slab = new ParameterSlab('w', [
      { name: 'x', shape: [3], decay: true, initial: [1, 2, 3] },
      { name: 'w', shape: [3], decay: true, initial: [0.5, -1, 2] },
    ]);
    const gradientsOf = async (part: (build: (x: Tensor) => Tensor) => Tensor) => {
      const y = part((x) => silu(multiply(multiply(x, slab.get('w')), slab.get('w'))));
      const [dx, dw] = grad(sum(multiply(y, slab.get('w'))), [slab.get('x'), slab.get('w')]);
      const program = await engine.compile({ name: 'part', outputs: { y, dx: dx!, dw: dw! } });
      return program.run();
    };
    const x = slab.get('x');
    const [got, want] = [await gradientsOf((build) => recomputed(x, build)), await gradientsOf((build) => build(x))];
    // The shares of w's gradient are added in another order.
    for (const name of ['y', 'dx', 'dw'] as const)
      for (const [i, value] of want[name].entries()) expect(got[name][i]).toBeCloseTo(value, 5);
  });
});
