/**
 * AdamW over several steps against a float64 reference: clipping, decay of matrices or of everything, skipped steps,
 * resuming.
 */
import { describe, expect, it } from 'vitest';
import { AdamW, type AdamWOptions } from '../../src/nn/optimizer.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { Random } from '../../src/tensor/random.ts';
import { input } from '../../src/tensor/tensor.ts';
import { ParameterSlab } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const matrixSize = 100;
const biasSize = 30;

function makeSlab(): ParameterSlab {
  const random = new Random(1, 'parameters');
  const normals = (length: number) => Float32Array.from({ length }, () => random.normal());
  return new ParameterSlab('weights', [
    { name: 'bias', shape: [biasSize], decay: false, initial: normals(biasSize) },
    { name: 'matrix', shape: [10, 10], decay: true, initial: normals(matrixSize) },
  ]);
}

/** Gradients of each step; the padding of the slab stays 0. */
function gradientsOf(slab: ParameterSlab, step: number): Float32Array<ArrayBuffer> {
  const random = new Random(step, 'gradients');
  const gradients = new Float32Array(slab.size);
  for (const { offset, tensor } of slab.parameters)
    for (let i = 0; i < tensor.size; i++) gradients[offset + i] = 0.2 * random.normal();
  return gradients;
}

/** torch.optim.AdamW with torch.nn.utils.clip_grad_norm_, element by element in float64. */
class Reference {
  private readonly m: Float64Array;
  private readonly v: Float64Array;
  readonly parameters: Float64Array;
  private step = 0;

  constructor(
    private readonly slab: ParameterSlab,
    private readonly options: Required<AdamWOptions>,
  ) {
    this.parameters = Float64Array.from(slab.variable.initial ?? []);
    this.m = new Float64Array(slab.size);
    this.v = new Float64Array(slab.size);
  }

  update(gradients: ArrayLike<number>, learningRate: number): number {
    const { beta1, beta2, epsilon, weightDecay, maxGradNorm, decayAll } = this.options;
    this.step++;
    const norm = Math.sqrt(Array.from(gradients).reduce((sum, g) => sum + g * g, 0));
    const clip = Math.min(1, maxGradNorm / (norm + 1e-6));
    for (let i = 0; i < this.parameters.length; i++) {
      const g = gradients[i]! * clip;
      this.m[i] = beta1 * this.m[i]! + (1 - beta1) * g;
      this.v[i] = beta2 * this.v[i]! + (1 - beta2) * g * g;
      const corrected = this.m[i]! / (1 - beta1 ** this.step);
      const denominator = Math.sqrt(this.v[i]! / (1 - beta2 ** this.step)) + epsilon;
      const decay = decayAll || i < this.slab.decaySize ? weightDecay : 0;
      this.parameters[i] = this.parameters[i]! * (1 - learningRate * decay) - (learningRate * corrected) / denominator;
    }
    return norm;
  }
}

async function makeProgram(adapter: string, options: AdamWOptions) {
  const engine = new Engine(await testDevice(adapter));
  const slab = makeSlab();
  const adamW = new AdamW(slab, options);
  const { updates, norm } = adamW.update(input('gradients', [slab.size]));
  const program = await engine.compile({ name: 'update', outputs: { norm }, updates });
  return { engine, slab, adamW, program };
}

/** Roundings of float32 in a few steps of size `learningRate`. */
const closeTo = (actual: ArrayLike<number>, expected: ArrayLike<number>) => {
  for (let i = 0; i < expected.length; i++)
    expect(Math.abs(actual[i]! - expected[i]!), `element ${i}`).toBeLessThan(2e-6);
};

describe.each(testAdapters)('on %s', (adapter) => {
  const defaults = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, decayAll: false, maxGradNorm: 1 };

  it.each([
    { ...defaults },
    { ...defaults, decayAll: true },
    { ...defaults, maxGradNorm: Infinity, epsilon: 1e-3 },
    { ...defaults, beta1: 0.8, beta2: 0.95, maxGradNorm: 100, weightDecay: 0 },
  ])('follows the reference over five steps with %o', async (options) => {
    const { engine, slab, adamW, program } = await makeProgram(adapter, options);
    const reference = new Reference(slab, options);
    for (let step = 1; step <= 5; step++) {
      const learningRate = 0.01 / step;
      const gradients = gradientsOf(slab, step);
      const expectedNorm = reference.update(gradients, learningRate);
      const { norm } = await program.run({ gradients, hyperparameters: adamW.hyperparameters(step, learningRate) });
      expect(norm[0]).toBeCloseTo(expectedNorm, 5);
    }
    closeTo(await engine.read(slab.variable), reference.parameters);
  });

  it('scales the gradient before its norm is taken', async () => {
    const { engine, slab, adamW, program } = await makeProgram(adapter, defaults);
    const reference = new Reference(slab, defaults);
    const gradients = gradientsOf(slab, 1);
    const expectedNorm = reference.update(
      gradients.map((g) => g / 4),
      0.01,
    );
    const { norm } = await program.run({ gradients, hyperparameters: adamW.hyperparameters(1, 0.01, 1 / 4) });
    expect(norm[0]).toBeCloseTo(expectedNorm, 5);
    closeTo(await engine.read(slab.variable), reference.parameters);
  });

  it.each([Number.NaN, Infinity, 1e30])('changes nothing where a gradient is %d, and reports it', async (bad) => {
    const { engine, slab, adamW, program } = await makeProgram(adapter, defaults);
    await program.run({ gradients: gradientsOf(slab, 1), hyperparameters: adamW.hyperparameters(1, 0.01) });
    const everything = () => Promise.all([slab.variable, ...adamW.variables].map((variable) => engine.read(variable)));
    const before = await everything();
    const gradients = gradientsOf(slab, 2);
    gradients[7] = bad;
    const { norm } = await program.run({ gradients, hyperparameters: adamW.hyperparameters(2, 0.01) });
    expect(Number.isFinite(norm[0])).toBe(false);
    expect(await everything()).toEqual(before);
  });

  it('goes on with the same bits after its state was written to another device buffer', async () => {
    const first = await makeProgram(adapter, defaults);
    const second = await makeProgram(adapter, defaults);
    const step = (made: typeof first, number: number) =>
      made.program.run({
        gradients: gradientsOf(made.slab, number),
        hyperparameters: made.adamW.hyperparameters(number, 0.01),
      });
    await step(first, 1);
    const [from, to] = [first, second].map(({ slab, adamW }) => [slab.variable, ...adamW.variables]);
    for (const [index, variable] of from!.entries())
      second.engine.write(to![index]!, await first.engine.read(variable));
    await step(first, 2);
    await step(second, 2);
    expect(await second.engine.read(second.slab.variable)).toEqual(await first.engine.read(first.slab.variable));
  });
});

it('refuses options that make no sense', () => {
  expect(() => new AdamW(makeSlab(), { beta1: 1 })).toThrow("AdamW's beta1 is 1; it must be 0 or more and below 1.");
  expect(() => new AdamW(makeSlab(), { weightDecay: -1 })).toThrow("AdamW's weightDecay is -1; it must be 0 or more.");
});
