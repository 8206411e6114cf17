/** Decoding steps whose products take in what lies between them: the same logits, for models that have such steps. */
import { describe, expect, it } from 'vitest';
import { decoderSlab } from '../../src/nn/decoderParameters.ts';
import { canFuse, fusedLogits } from '../../src/nn/fusedStep.ts';
import { type AttentionPath, splitHeads, Transformer, type TransformerConfig } from '../../src/nn/transformer.ts';
import { gelu } from '../../src/ops/elementwise.ts';
import { swiglu } from '../../src/ops/gatedLinear.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { Random } from '../../src/tensor/random.ts';
import { input } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const llama: TransformerConfig = {
  vocabSize: 24,
  dModel: 40,
  layers: 3,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  dFf: 56,
  ropeTheta: 100,
  tiedHead: true,
  normEpsilon: 1e-5,
};

const families: readonly (readonly [string, TransformerConfig])[] = [
  ['a Llama', llama],
  [
    'biases of queries, norms of heads and a head of its own',
    { ...llama, qkvBias: true, headNorm: true, tiedHead: false },
  ],
  ['GeGLU and scaled embeddings', { ...llama, mlp: 'geglu', embeddingScale: 6 }],
];

/** Attention to nothing but the token's own query. */
const ownQuery: AttentionPath = (_, projected) => splitHeads(projected).q;

describe.each(testAdapters)('on %s', (adapter) => {
  it.each(families)('the logits of %s are those of its layers one by one, in fewer dispatches', async (_, config) => {
    const engine = new Engine(await testDevice(adapter));
    const model = new Transformer(config, decoderSlab(config, null, 'model'));
    const random = new Random(1, 'weights');
    engine.write(
      model.slab.variable,
      Float32Array.from({ length: model.slab.size }, () => 0.4 * random.normal() + 0.1),
    );
    expect(canFuse(model)).toBe(true);
    const [tokens, positions] = [input('tokens', [1], 'u32'), input('positions', [1], 'u32')];
    const inputs = { tokens: Uint32Array.of(7), positions: Uint32Array.of(5) };
    const plain = model.logits(model.hidden(tokens, positions, ownQuery));
    const programs = {
      plain: await engine.compile({ name: 'layers', outputs: { logits: plain } }),
      fused: await engine.compile({
        name: 'fused',
        outputs: { logits: fusedLogits(model, tokens, positions, ownQuery) },
      }),
    };
    const expected = Array.from((await programs.plain.run(inputs)).logits);
    const logits = Array.from((await programs.fused.run(inputs)).logits);
    const size = Math.max(...expected.map(Math.abs));
    expect(size).toBeGreaterThan(0.1);
    for (const [token, value] of logits.entries()) expect(Math.abs(value - expected[token]!)).toBeLessThan(1e-5 * size);
    // Two norms and an activation a layer, and the last norm, but for the very first norm.
    expect(programs.plain.dispatches - programs.fused.dispatches).toBe(3 * config.layers);
    for (const program of Object.values(programs)) program.destroy();
    engine.release(model.slab.variable);
  });
});

it('is for models that have nothing else between their products', () => {
  const fuses = (changes: Partial<TransformerConfig>) => canFuse(new Transformer({ ...llama, ...changes }, null));
  expect(fuses({})).toBe(true);
  expect(fuses({ norm: 'layer' })).toBe(false);
  expect(fuses({ mlp: 'gelu' })).toBe(false);
  expect(fuses({ outputBias: true })).toBe(false);
  expect(fuses({ mlpBias: true })).toBe(false);
  expect(fuses({ postNorms: true })).toBe(false);
  expect(fuses({ dFf: 60 })).toBe(false);
  expect(fuses({ vocabSize: 23 })).toBe(false);
  const own = (activation: typeof swiglu) => new Transformer(llama, null, 'own', null, {}, activation);
  expect(canFuse(own(swiglu))).toBe(true);
  expect(canFuse(own((x) => gelu(swiglu(x))))).toBe(false);
});
