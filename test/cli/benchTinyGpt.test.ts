/** The tiny GPT of the bench: its training step does what PyTorch does (test/oracle/tiny_gpt.py), on every adapter. */
import { describe, expect, it } from 'vitest';
import { TinyGpt, tinyGptData } from '../../src/cli/bench/tinyGpt.ts';
import { Engine } from '../../src/tensor/engine.ts';
import type { ParameterSlab } from '../../src/tensor/variable.ts';
import { halfAdapter, needsHalf, testAdapters, testDevice } from '../support/adapters.ts';

/** Printed by `python test/oracle/tiny_gpt.py`. */
const pytorch = [6.315519, 6.262611, 6.182742, 6.09976, 5.521115, 5.587467];

describe.each(testAdapters)('tiny GPT on %s', (adapter) => {
  it('has the losses of PyTorch over six steps of Adam', { timeout: 300_000 }, async () => {
    const engine = new Engine(await testDevice(adapter));
    const gpt = await TinyGpt.create(engine);
    expect(gpt.model.slab.parameterCount).toBe(936_192);
    engine.write(gpt.model.slab.variable, oracleWeights(gpt.model.slab));
    const losses: number[] = [];
    for (let step = 0; step < pytorch.length; step++) losses.push(await gpt.step(tinyGptData(1 + (step % 4))));
    gpt.destroy();
    for (const [step, loss] of losses.entries())
      expect(Math.abs(loss - pytorch[step]!), `step ${step}: ${loss}`).toBeLessThan(1e-3);
  });
});

describe('tiny GPT with weights in f16', needsHalf, () => {
  it('has the losses of float32 within 2 % (over 200 steps: bench/README.md)', { timeout: 300_000 }, async () => {
    const engine = new Engine(await testDevice(halfAdapter!));
    const [half, single] = [await TinyGpt.create(engine, 'f16'), await TinyGpt.create(engine)];
    expect(half.model.slab.bytes - single.model.slab.bytes).toBe(2 * single.model.slab.decaySize);
    for (let step = 0; step < 16; step++) {
      const data = tinyGptData(1 + step);
      const [loss, want] = [await half.step(data), await single.step(data)];
      expect(Math.abs(loss - want) / want, `step ${step}: ${loss}, not ${want}`).toBeLessThan(0.02);
    }
    half.destroy();
    single.destroy();
  });
});

/** Numbers in ±1/16 from a linear congruential generator, around 1 for the weights of norms. */
function oracleWeights({ parameters, size }: ParameterSlab): Float32Array {
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 16) / 2 ** 15 - 1;
  };
  const values = new Float32Array(size);
  for (const { name, shape, offset } of parameters) {
    const count = shape.reduce((product, extent) => product * extent, 1);
    const middle = /norm$/i.test(name) ? 1 : 0;
    for (let i = 0; i < count; i++) values[offset + i] = middle + random() / 16;
  }
  return values;
}
