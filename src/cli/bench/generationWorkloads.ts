/**
 * Reading prompts and decoding replies as workloads, held against the operations and the bytes that they need at the
 * least.
 */
import { float32ToFloat16 } from '../../base/float16.ts';
import { decoderParameters, decoderSlab } from '../../nn/decoderParameters.ts';
import { Generator, type Reply } from '../../nn/generator.ts';
import { packedOf, releaseWeights } from '../../nn/halfWeights.ts';
import { packedInputs, packSequences } from '../../nn/packing.ts';
import { type Precision, storageFor } from '../../nn/precision.ts';
import { packedAttention, Transformer, type TransformerConfig } from '../../nn/transformer.ts';
import { tokenLogProbs } from '../../ops/tokenLogProbs.ts';
import type { Engine } from '../../tensor/engine.ts';
import { Random } from '../../tensor/random.ts';
import { input, sizeOf } from '../../tensor/tensor.ts';
import type { ParameterSlab } from '../../tensor/variable.ts';
import { decodeCost, prefillCost } from './modelCosts.ts';
import type { SizedModel } from './sizes.ts';
import type { OpenWorkload, Workload } from './workload.ts';

/** Seed of the weights. */
const benchSeed = 1;
const promptLength = 64;
const replyLength = 64;
/** Operations beyond which a CPU takes many seconds a run. */
const largeFlops = 2e10;

export function prefillWorkload({ name, config }: SizedModel, batch: number): Workload {
  return {
    name: `prefill/${name}`,
    shape: `batch=${batch} prompt=${promptLength}`,
    variant: 'f32',
    ...prefillCost(config, batch, promptLength),
    tokens: batch * promptLength,
    open: (engine) => openGenerator(engine, config, batch, promptLength, 1, 'f32'),
  };
}

/** Replies to prompts of one token, so that nearly all of the work is decoding. */
export function decodeWorkload({ name, config }: SizedModel, batch: number, precision: Precision = 'f32'): Workload {
  const cost = decodeCost(config, batch, replyLength, precision);
  return {
    name: `decode/${name}`,
    shape: `batch=${batch} tokens=${replyLength}`,
    variant: precision,
    precision: precision === 'f16' ? 'f16' : 'f32',
    ...cost,
    tokens: batch * replyLength,
    isLarge: ({ kind }) => kind === 'cpu' && cost.flops > largeFlops,
    open: (engine) => openGenerator(engine, config, batch, 1, replyLength, precision),
  };
}

async function openGenerator(
  engine: Engine,
  config: TransformerConfig,
  batch: number,
  prompt: number,
  reply: number,
  precision: Precision,
): Promise<OpenWorkload> {
  const slab =
    precision === 'packed'
      ? packedSlab(engine, config)
      : decoderSlab(config, benchSeed, 'bench model', engine.largestBinding, storageFor(precision, false));
  const model = new Transformer(config, slab, 'bench model');
  const generator = new Generator(engine, model, {
    maxPromptTokens: prompt,
    maxNewTokens: reply,
    maxBatchTokens: batch * prompt,
    maxBatchRows: batch,
    blockSize: Math.min(reply, 16),
    endToken: config.vocabSize,
  });
  const requests = (round: number) =>
    Array.from({ length: batch }, (_, row) => ({
      prompt: promptOf(config, round, row, prompt),
      episode: row,
      turn: round,
    }));
  let runs = 0;
  const run = (round: number) => {
    runs++;
    return generator.generate(requests(round), { seed: 1, temperature: 1, topP: 1, topK: 0 });
  };
  return {
    run,
    // Every run has as many.
    figures: async () => ({ dispatchesPerStep: generator.dispatches / runs / reply }),
    isCorrect: async () => agreesWithForward(engine, model, promptOf(config, 0, 0, prompt), (await run(0))[0]!),
    destroy: () => {
      generator.destroy();
      releaseWeights(engine, slab);
    },
  };
}

/** Random matrices in Q4_1, of numbers within ±0.06. */
function packedSlab(engine: Engine, config: TransformerConfig): ParameterSlab {
  const matrices = decoderParameters(config, null).filter(({ decay }) => decay);
  const packing = new Map(matrices.map(({ name, shape }) => [name, [{ type: 'q4_1' as const, rows: shape[0]! }]]));
  const slab = decoderSlab(config, benchSeed, 'bench model', engine.largestBinding, 'packed', packing);
  const random = new Random(1, 'packed bench model');
  const scales = new Uint8Array(float32ToFloat16(Float32Array.of(2 ** -7, -7.5 * 2 ** -7)).buffer);
  for (const { name, shape } of matrices) {
    const blocks = Uint8Array.from({ length: (sizeOf(shape) / 32) * 20 }, () => Math.floor(random.uniform() * 256));
    for (let at = 0; at < blocks.length; at += 20) blocks.set(scales, at);
    packedOf(slab)!.write(engine, name, 0, blocks);
  }
  return slab;
}

/** Prompts that are all different, so that none is read for another. */
function promptOf({ vocabSize }: TransformerConfig, round: number, row: number, length: number): number[] {
  return Array.from({ length }, (_, i) => (31 * round + row + 7 * i * (row + 1)) % vocabSize);
}

/** Largest difference of a log-probability in float32. */
const tolerance = 1e-3;
/** How many times as far from float32 decoding in f16 may be as one forward pass in f16. */
const mostTimes = 2;

/**
 * Whether log-probabilities of sampled tokens are those of one forward pass over prompt and reply. In f16 each of the
 * two rounds what it keeps, and a decoding step attends its own key before it is rounded: so they are about as far from
 * each other as from float32, which grows with the model. There it counts that decoding is as near to float32.
 */
async function agreesWithForward(
  engine: Engine,
  model: Transformer,
  prompt: readonly number[],
  { tokens, logProbs }: Reply,
): Promise<boolean> {
  const forward = await forwardLogProbs(engine, model, prompt, tokens);
  if (model.stored === 'f32') return logProbs.every((value, i) => Math.abs(value - forward[i]!) < tolerance);
  const slab = decoderSlab(model.config, benchSeed, 'bench model in f32', engine.largestBinding);
  const exact = await forwardLogProbs(engine, new Transformer(model.config, slab), prompt, tokens);
  releaseWeights(engine, slab);
  return isAsNear(logProbs, forward, exact);
}

/** Whether values are at most about as far from the exact ones as others are, by their root mean squares. */
export function isAsNear(values: ArrayLike<number>, others: ArrayLike<number>, exact: readonly number[]): boolean {
  const distance = (from: ArrayLike<number>) => Math.hypot(...exact.map((value, i) => value - from[i]!));
  return distance(values) <= mostTimes * distance(others);
}

/** Log-probabilities of a reply's tokens, from one pass over prompt and reply. */
async function forwardLogProbs(
  engine: Engine,
  model: Transformer,
  prompt: readonly number[],
  reply: readonly number[],
): Promise<number[]> {
  const sequence = [...prompt, ...reply];
  const rows = sequence.length - 1;
  const { tokens: ids, positions, segments } = packedInputs(rows);
  const logits = model.logits(model.hidden(ids, positions, packedAttention(segments)));
  const { logProb } = tokenLogProbs(logits, input('targets', [rows], 'u32'));
  const program = await engine.compile({ name: 'forward', outputs: { logProb } });
  const { arrays } = packSequences([sequence.slice(0, -1)], rows);
  const result = await program.run({ ...arrays, targets: Uint32Array.from(sequence.slice(1)) });
  program.destroy();
  return Array.from(result.logProb).slice(prompt.length - 1);
}
