/** The tiny GPT's training step, prefill and decoding as workloads. */
import { Generator, type Reply } from '../../nn/generator.ts';
import { packedInputs, packSequences } from '../../nn/packing.ts';
import { packedAttention, Transformer } from '../../nn/transformer.ts';
import { tokenLogProbs } from '../../ops/tokenLogProbs.ts';
import type { Engine } from '../../tensor/engine.ts';
import { input } from '../../tensor/tensor.ts';
import { TinyGpt, tinyGptBatch, tinyGptConfig, tinyGptData, tinyGptFlops, tinyGptLength, tinyGptTokens } from './tinyGpt.ts';
import type { OpenWorkload, Workload } from './workload.ts';

const { vocabSize, dModel, layers, dFf } = tinyGptConfig;
/** Weights of the matrices that every token meets. */
const matrixWeights = layers * (4 * dModel * dModel + 2 * dModel * dFf) + vocabSize * dModel;
const promptLength = 64;
const replyLength = 64;

const trainStep: Workload = {
  name: 'train-step/tiny-gpt',
  shape: `batch=${tinyGptBatch} length=${tinyGptLength}`,
  variant: 'f32',
  flops: tinyGptFlops(),
  bytes: 0,
  tokens: tinyGptTokens,
  open: async (engine) => {
    const gpt = await TinyGpt.create(engine);
    const data = [1, 2, 3, 4].map(tinyGptData);
    const run = (round: number) => gpt.step(data[round % data.length]!);
    return { dispatches: gpt.program.dispatches, run, isCorrect: () => learns(run), destroy: () => gpt.destroy() };
  },
};

/** The loss that the starting weights have on the first batch (6.427 nats), and its fall in 8 steps: below that of uniform guesses. */
async function learns(step: (round: number) => Promise<number>): Promise<boolean> {
  const first = await step(0);
  for (let round = 1; round < 8; round++) await step(round);
  return Math.abs(first - startingLoss) < 2e-3 && (await step(8)) < Math.log(vocabSize);
}

const startingLoss = 6.4273;

function prefill(batch: number): Workload {
  const tokens = batch * promptLength;
  const attended = (batch * promptLength * (promptLength + 1)) / 2;
  return {
    name: 'prefill/tiny-gpt',
    shape: `batch=${batch} prompt=${promptLength}`,
    variant: 'f32',
    flops: 2 * (matrixWeights - vocabSize * dModel) * tokens + 2 * vocabSize * dModel * batch + 4 * layers * dModel * attended,
    bytes: 4 * (matrixWeights + 2 * layers * dModel * tokens),
    tokens,
    open: (engine) => openGenerator(engine, batch, promptLength, 1),
  };
}

/** Replies to prompts of one token, so that nearly all of the work is decoding. A step reads the weights once, and the keys and values of every row. */
function decode(batch: number): Workload {
  const read = (batch * replyLength * (replyLength + 1)) / 2;
  return {
    name: 'decode/tiny-gpt',
    shape: `batch=${batch} tokens=${replyLength}`,
    variant: 'f32',
    flops: 2 * matrixWeights * batch * replyLength + 4 * layers * dModel * read,
    bytes: 4 * (matrixWeights * replyLength + 2 * layers * dModel * read),
    tokens: batch * replyLength,
    open: (engine) => openGenerator(engine, batch, 1, replyLength),
  };
}

async function openGenerator(engine: Engine, batch: number, prompt: number, reply: number): Promise<OpenWorkload> {
  const model = new Transformer(tinyGptConfig, 1, 'tiny GPT');
  const generator = new Generator(engine, model, {
    maxPromptTokens: prompt,
    maxNewTokens: reply,
    maxBatchTokens: batch * prompt,
    maxBatchRows: batch,
    blockSize: Math.min(reply, 16),
    endToken: vocabSize,
  });
  const requests = (round: number) =>
    Array.from({ length: batch }, (_, row) => ({ prompt: promptOf(round, row, prompt), episode: row, turn: round }));
  const run = (round: number) => generator.generate(requests(round), { seed: 1, temperature: 1, topP: 1, topK: 0 });
  return {
    run,
    isCorrect: async () => agreesWithForward(engine, model, promptOf(0, 0, prompt), (await run(0))[0]!),
    destroy: () => {
      generator.destroy();
      engine.release(model.slab.variable);
    },
  };
}

/** Prompts that are all different, so that none is read for another. */
function promptOf(round: number, row: number, length: number): number[] {
  return Array.from({ length }, (_, i) => (31 * round + row + 7 * i * (row + 1)) % vocabSize);
}

/** Whether log-probabilities of sampled tokens are those of one forward pass over prompt and reply. */
async function agreesWithForward(
  engine: Engine,
  model: Transformer,
  prompt: readonly number[],
  { tokens, logProbs }: Reply,
): Promise<boolean> {
  const sequence = [...prompt, ...tokens];
  const rows = sequence.length - 1;
  const { tokens: ids, positions, segments } = packedInputs(rows);
  const logits = model.logits(model.hidden(ids, positions, packedAttention(segments)));
  const { logProb } = tokenLogProbs(logits, input('targets', [rows], 'u32'));
  const program = await engine.compile({ name: 'forward', outputs: { logProb } });
  const { arrays } = packSequences([sequence.slice(0, -1)], rows);
  const result = await program.run({ ...arrays, targets: Uint32Array.from(sequence.slice(1)) });
  program.destroy();
  return logProbs.every((value, i) => Math.abs(value - result.logProb[prompt.length - 1 + i]!) < 1e-3);
}

export const modelWorkloads: readonly Workload[] = [trainStep, prefill(64), decode(64), decode(1)];
