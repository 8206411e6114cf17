/** Outputs that take the storage of inputs: where it is allowed, and that bits stay as they are. */
import { describe, expect, it } from 'vitest';
import { add, multiply, scale } from '../../kernels/elementwise.ts';
import { packedInputs, packSequences } from '../../src/nn/packing.ts';
import { packedAttention, Transformer, type TransformerConfig } from '../../src/nn/transformer.ts';
import { dot } from '../../src/ops/reduce.ts';
import { filled, grad } from '../../src/tensor/autograd.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { part } from '../../src/tensor/part.ts';
import { plan } from '../../src/tensor/planner.ts';
import { input, launch, type Tensor } from '../../src/tensor/tensor.ts';
import { Variable } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const count = 64;
const bytes = 4 * count;
const binary = (kernel: typeof add, a: Tensor, b: Tensor) => launch(kernel, { count }, { a, b }, { y: [count] }).y;
const scaled = (a: Tensor, factor = 2) => launch(scale, { count, factor }, { a }, { y: [count] }).y;
const namesOf = (outputs: readonly Tensor[]) => plan(outputs, []).launches.map(({ spec }) => spec.name);

describe('a plan', () => {
  it('keeps a chain in one slot, and counts it so', () => {
    const first = scaled(input('x', [count]));
    const { launches, memory } = plan([scaled(scaled(first))], []);
    expect(launches.map(({ spec }) => spec.name)).toEqual(['scale', 'scale.inPlace', 'scale.inPlace']);
    expect(memory).toEqual({ planned: 2 * bytes, sum: 4 * bytes, lowerBound: 2 * bytes });
  });

  it('leaves inputs, variables and what the host reads as they are', () => {
    expect(namesOf([scaled(input('x', [count]))])).toEqual(['scale']);
    expect(namesOf([scaled(new Variable('w', [count]).tensor)])).toEqual(['scale']);
    const first = scaled(input('x', [count]));
    expect(namesOf([first, scaled(first)])).toEqual(['scale', 'scale']);
  });

  it('leaves what a later step reads, also under another shape or in part', () => {
    const readLater = (view: (x: Tensor) => Tensor) => {
      const first = scaled(input('x', [count]));
      return namesOf([binary(add, scaled(first), view(first))]);
    };
    expect(readLater((x) => x)).toEqual(['scale', 'scale', 'add.inPlace']);
    expect(readLater((x) => x.reshape([8, 8]).reshape([count]))).toEqual(['scale', 'scale', 'add.inPlace']);
    const [first, twice] = [
      scaled(input('x', [count])),
      (x: Tensor) => launch(scale, { count: 32, factor: 2 }, { a: x }, { y: [32] }).y,
    ];
    expect(namesOf([twice(part(first, 0, [32])), scaled(first)])).toEqual(['scale', 'scale', 'scale.inPlace']);
  });

  it('does not let a kernel that reads a value twice overwrite it', () => {
    const first = scaled(input('x', [count]));
    expect(namesOf([binary(multiply, first, first)])).toEqual(['scale', 'multiply']);
  });
});

const llama = {
  ...{
    vocabSize: 40,
    dModel: 32,
    layers: 2,
    heads: 4,
    kvHeads: 2,
    headDim: 8,
    dFf: 48,
    ropeTheta: 100,
    tiedHead: true,
    normEpsilon: 1e-6,
  },
  headNorm: true,
} satisfies TransformerConfig;
const gpt = {
  ...llama,
  headNorm: false,
  norm: 'layer',
  mlp: 'gelu',
  positions: 'learned',
  maxPositions: 32,
  ropeTheta: 0,
} as const;

/** Loss and gradients on two sequences, and every value on the way to them. */
function trainingGraph(config: TransformerConfig, rows: number) {
  const model = new Transformer(config, 3);
  const { tokens, positions, segments } = packedInputs(rows);
  const hidden = model.hidden(tokens, positions, packedAttention(segments));
  const { logProb } = model.tokenLogProbs(hidden, input('targets', [rows], 'u32'));
  const loss = dot(logProb, filled([rows], 1 / rows));
  return { wanted: [loss, ...grad(loss, model.slab.tensors)] };
}

/** All that steps wrote on the way to some tensors. */
function everyResult(targets: readonly Tensor[]): Tensor[] {
  const found = new Set<Tensor>();
  const open = [...targets];
  for (let tensor = open.pop(); tensor; tensor = open.pop()) {
    if (found.has(tensor)) continue;
    const { source } = tensor;
    if (source.kind === 'view') open.push(source.of);
    if (source.kind !== 'step' || source.step.kind !== 'kernel') continue;
    found.add(tensor);
    open.push(...Object.values(source.step.inputs));
  }
  return [...found];
}

const named = (tensors: readonly Tensor[]) =>
  Object.fromEntries(tensors.map((tensor, index) => [`tensor ${index}`, tensor]));

describe.each(testAdapters)('on %s', (adapter) => {
  it.each([
    ['a llama with head norms', llama],
    ['a GPT', gpt],
  ])('gives %s the bits that it has where every value keeps its storage', async (_, config) => {
    const engine = new Engine(await testDevice(adapter));
    const { wanted } = trainingGraph(config, 24);
    const sequences = [9, 13].map((length, row) => Uint32Array.from({ length }, (_, at) => (7 * row + 3 * at) % 40));
    const inputs = {
      ...packSequences(sequences, 24).arrays,
      targets: Uint32Array.from({ length: 24 }, (_, at) => (5 * at) % 40),
    };
    const sharing = plan(wanted, []).launches.filter(({ spec }) => spec.inPlaceOf);
    expect(sharing.length).toBeGreaterThan(4);
    const kept = [...wanted, ...everyResult(wanted)];
    expect(plan(kept, []).launches.filter(({ spec }) => spec.inPlaceOf)).toEqual([]);
    const compile = (name: string, tensors: readonly Tensor[]) => engine.compile({ name, outputs: named(tensors) });
    const [got, want] = [await compile('in place', wanted), await compile('kept', kept)];
    expect(await got.run(inputs)).toEqual(
      Object.fromEntries(Object.entries(await want.run(inputs)).slice(0, wanted.length)),
    );
  });
});
