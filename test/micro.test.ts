/** `examples/micro/proxmo.mjs` learns, and computes what the library computes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { AdamW } from '../src/nn/optimizer.ts';
import { tanh } from '../src/ops/elementwise.ts';
import { linear } from '../src/ops/linear.ts';
import { matmul } from '../src/ops/matmul.ts';
import { ppoLoss } from '../src/ops/ppoLoss.ts';
import { tokenLogProbs } from '../src/ops/tokenLogProbs.ts';
import { estimateAdvantages, referenceAdvantages } from '../src/rl/advantages/index.ts';
import { trainConfigSchema } from '../src/rl/config.ts';
import type { RolloutRow } from '../src/rl/rows.ts';
import { grad } from '../src/tensor/autograd.ts';
import { Engine } from '../src/tensor/engine.ts';
import { gatherGradients } from '../src/tensor/gradients.ts';
import { constant } from '../src/tensor/tensor.ts';
import { ParameterSlab } from '../src/tensor/variable.ts';
import { countTerms, weighTerms } from '../src/text/tfidf.ts';
import { testAdapters, testDevice } from './support/adapters.ts';

/** What the example exports. */
interface Micro {
  readonly features: number;
  readonly width: number;
  readonly outputWords: readonly string[];
  readonly trainTasks: readonly object[];
  randomFrom(seed: number): () => number;
  newPolicy(random: () => number): MicroWeights;
  weightsIn(theta: Float64Array): MicroWeights;
  forward(policy: MicroWeights, ids: readonly number[]): { readonly logProbs: readonly number[] };
  play(
    policy: MicroWeights,
    tasks: readonly object[],
    groupSize: number,
    random: () => number,
  ): readonly (RolloutRow & { readonly tokens: readonly MicroToken[] })[];
  tfidf(texts: readonly string[]): readonly ReadonlyMap<string, number>[];
  cosine(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number;
  advantagesOf(rows: readonly RolloutRow[]): readonly Readonly<Record<'episode' | 'step' | 'advantage', number>>[];
  lossOf(policy: MicroWeights, tokens: readonly MicroToken[]): { loss: number; gradient: MicroWeights };
  adamOf(policy: MicroWeights): (gradient: MicroWeights, learningRate: number) => void;
  train(options: { seed: number; iterations: number; log: (text: string) => void }): {
    readonly policy: MicroWeights;
    readonly before: number;
    readonly after: number;
  };
}

interface MicroWeights {
  readonly theta: Float64Array;
  readonly E: Float64Array;
  readonly W: Float64Array;
}

interface MicroToken {
  readonly ids: readonly number[];
  readonly token: number;
  readonly oldLogProb: number;
  readonly referenceLogProb: number;
  readonly advantage: number;
}

const file = join(import.meta.dirname, '..', 'examples', 'micro', 'proxmo.mjs');
let micro: Micro;
let trained: ReturnType<Micro['train']>;
const lines: string[] = [];
let rows: ReturnType<Micro['play']>;
/** A policy between two others: log-probabilities differ among the three, so that every branch of the loss is taken. */
let policy: MicroWeights;
let tokens: readonly MicroToken[];

beforeAll(async () => {
  micro = await import(pathToFileURL(file).href);
  // A quarter of its iterations, which take some seconds.
  trained = micro.train({ seed: 1, iterations: 10, log: (text) => lines.push(text) });
  const random = micro.randomFrom(7);
  const acting = trained.policy;
  rows = micro.play(acting, micro.trainTasks.slice(0, 4), 4, random);
  const nudged = (by: number) => micro.weightsIn(acting.theta.map((value) => value + by * (random() - 0.5)));
  policy = nudged(0.5);
  const reference = nudged(0.5);
  tokens = rows.flatMap((row) =>
    row.tokens.map((token) => ({
      ...token,
      referenceLogProb: micro.forward(reference, token.ids).logProbs[token.token]!,
      advantage: 4 * (random() - 0.5),
    })),
  );
});

/** The same policy and loss from the library's ops. */
function onEngine(maxGradNorm: number) {
  const { features, width, outputWords } = micro;
  const count = tokens.length;
  const slab = new ParameterSlab('micro', [
    { name: 'E', shape: [features, width], decay: true, initial: policy.E },
    { name: 'W', shape: [outputWords.length, width], decay: true, initial: policy.W },
  ]);
  const bags = new Float32Array(count * features);
  for (const [row, { ids }] of tokens.entries()) for (const id of ids) bags[row * features + id]! += 1;
  const logits = linear(tanh(matmul(constant(bags, [count, features]), slab.get('E'))), slab.get('W'));
  const targets = constant(
    tokens.map(({ token }) => token),
    [count],
    'u32',
  );
  const { logProb, entropy } = tokenLogProbs(logits, targets);
  const column = (name: 'oldLogProb' | 'referenceLogProb' | 'advantage') =>
    constant(
      tokens.map((token) => token[name]),
      [count],
    );
  const { loss } = ppoLoss(
    {
      logProb,
      entropy,
      oldLogProb: column('oldLogProb'),
      referenceLogProb: column('referenceLogProb'),
      advantage: column('advantage'),
      weight: constant(new Float32Array(count).fill(1 / count), [count]),
    },
    trainConfigSchema.parse({}).loss,
  );
  const gradients = grad(loss, slab.tensors);
  const optimizer = new AdamW(slab, { weightDecay: 0, maxGradNorm });
  const gathered = gatherGradients(slab, slab.variableLike('gradients'), gradients);
  return { slab, loss, gradients, optimizer, updates: optimizer.update(gathered).updates };
}

function expectNear(values: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(values).toHaveLength(expected.length);
  const worst = Array.from(expected, (value, i) => Math.abs(values[i]! - value)).reduce((a, b) => Math.max(a, b), 0);
  expect(worst).toBeLessThan(tolerance);
}

describe('examples/micro/proxmo.mjs', () => {
  it('is a file of at most 300 lines that imports nothing', () => {
    const source = readFileSync(file, 'utf8');
    expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(300);
    expect(source).not.toMatch(/^import |\bimport\(/m);
  });

  it('learns: held-out success rises by 15 points or more', () => {
    expect(trained.after - trained.before).toBeGreaterThan(0.15);
    expect(lines.at(-1)).toMatch(/^after ProxMO: [\d.]+ % of the held-out episodes succeed$/);
  });

  it('has the similarities of the library', () => {
    const texts = rows.map(({ observation }) => observation);
    const terms = countTerms(texts, { maxFeatures: 1024, minWordLength: 1 });
    const weights = weighTerms(terms);
    const vectors = micro.tfidf(texts);
    const libraryVector = (row: number) => {
      const document = terms.documentOf[row]!;
      const entries = Array.from(
        { length: terms.offsets[document + 1]! - terms.offsets[document]! },
        (_, i) => terms.offsets[document]! + i,
      );
      return new Map(entries.map((entry) => [terms.vocabulary[terms.columns[entry]!]!, weights[entry]!]));
    };
    for (const row of rows.keys()) {
      const first = micro.cosine(libraryVector(0), libraryVector(row));
      expect(micro.cosine(vectors[0]!, vectors[row]!)).toBeCloseTo(first, 12);
    }
  });

  it('has the advantages of the float64 reference', () => {
    const expected = referenceAdvantages(rows, { estimator: 'proxmo' });
    const own = micro.advantagesOf(rows);
    // The rows are of every kind.
    for (const kind of ['valid', 'success'] as const) expect(new Set(rows.map((row) => row[kind])).size).toBe(2);
    for (const level of ['episode', 'step', 'advantage'] as const)
      expectNear(
        own.map((row) => row[level]),
        expected[level],
        1e-10,
      );
  });

  describe.each(testAdapters)('on %s', (adapter) => {
    it('has the advantages of the kernels to 1e-5', async () => {
      const engine = new Engine(await testDevice(adapter));
      const { advantage } = await estimateAdvantages(rows, { estimator: 'proxmo' }, engine);
      expectNear(
        micro.advantagesOf(rows).map((row) => row.advantage),
        advantage,
        1e-5,
      );
    });

    it('has the loss and the gradients of the ops to 1e-5', async () => {
      const { loss, gradients } = onEngine(1);
      const outputs = { loss, E: gradients[0]!, W: gradients[1]! };
      const engine = new Engine(await testDevice(adapter));
      const run = await (await engine.compile({ name: 'micro', outputs })).run({});
      const own = micro.lossOf(policy, tokens);
      expect(run.loss[0]).toBeCloseTo(own.loss, 5);
      expectNear(run.E, own.gradient.E, 1e-5);
      expectNear(run.W, own.gradient.W, 1e-5);
      expect(Math.max(...own.gradient.W)).toBeGreaterThan(1e-3);
    });

    it('makes the same first step of Adam', async () => {
      const { slab, updates, optimizer } = onEngine(1);
      const engine = new Engine(await testDevice(adapter));
      const program = await engine.compile({ name: 'micro step', updates });
      await program.run({ hyperparameters: optimizer.hyperparameters(1, 0.01) });
      const own = micro.weightsIn(policy.theta.slice());
      micro.adamOf(own)(micro.lossOf(policy, tokens).gradient, 0.01);
      const values = await engine.read(slab.variable);
      const { offset } = slab.parameters.find(({ name }) => name === 'W')!;
      // Adam divides a gradient by its size: where one is 0 but for rounding, its sign is chance.
      const { W } = micro.lossOf(policy, tokens).gradient;
      const counted = [...W.keys()].filter((i) => Math.abs(W[i]!) > 1e-5);
      expectNear(
        counted.map((i) => values[offset + i]!),
        counted.map((i) => own.W[i]!),
        1e-5,
      );
    });
  });
});
