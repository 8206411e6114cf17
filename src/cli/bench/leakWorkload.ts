/**
 * Whether training and sampling leave anything behind: replies to prompts of changing length, then a training step,
 * again and again on the same programs.
 */
import { Generator } from '../../nn/generator.ts';
import { Transformer } from '../../nn/transformer.ts';
import { measureGrowth } from './growth.ts';
import { sequenceOf } from './scaleWorkloads.ts';
import { SequenceStep } from './sequenceStep.ts';
import type { OpenWorkload, Workload } from './workload.ts';

const config = {
  vocabSize: 256,
  dModel: 32,
  layers: 2,
  heads: 2,
  kvHeads: 2,
  headDim: 16,
  dFf: 64,
  ropeTheta: 10_000,
  tiedHead: true,
  normEpsilon: 1e-5,
} as const;
const [batch, prompt, reply, length] = [8, 32, 8, 128];
/** Rounds that are measured, after as many in which JavaScript's compiler still takes memory for itself. */
const rounds = 60;

export const leakWorkload: Workload = {
  name: 'leak/train-and-generate',
  shape: `rounds=${rounds} batch=${batch} prompt=${prompt} length=${length}`,
  variant: 'f32',
  flops: 0,
  bytes: 0,
  tokens: batch * (prompt + reply) + length,
  open: async (engine): Promise<OpenWorkload> => {
    const step = await SequenceStep.create(engine, config, length);
    const model = new Transformer(config, 1, 'leak model');
    const generator = new Generator(engine, model, {
      maxPromptTokens: prompt,
      maxNewTokens: reply,
      maxBatchTokens: batch * prompt,
      maxBatchRows: batch,
      blockSize: reply,
      endToken: config.vocabSize,
    });
    const promptOf = (round: number, row: number) => [
      ...sequenceOf(round * batch + row, prompt - 1 - ((round + row) % 4), config.vocabSize),
    ];
    const run = async (round: number) => {
      const requests = Array.from({ length: batch }, (_, row) => ({
        prompt: promptOf(round, row),
        episode: row,
        turn: round,
      }));
      const replies = await generator.generate(requests, { seed: 1, temperature: 1, topP: 1, topK: 0 });
      return { replies, loss: await step.step(sequenceOf(round, length, config.vocabSize)) };
    };
    return {
      run,
      isCorrect: async () => {
        const { replies, loss } = await run(0);
        return replies.every(({ tokens }) => tokens.length === reply) && Number.isFinite(loss);
      },
      figures: async () => ({ growth: await measureGrowth(engine.gpu, rounds, rounds, run) }),
      destroy: () => {
        step.destroy();
        generator.destroy();
        engine.release(model.slab.variable);
      },
    };
  },
};
