/**
 * Answers many prompts with a model that is read once: some at a time, and where one is finished, the next takes its
 * place in the batch.
 */
import { ProxmoError } from '../../base/errors.ts';
import { positionLimit } from '../../models/transformerConfig.ts';
import { Generator, type SamplingControls } from '../../nn/generator.ts';
import { ReplyText } from '../../rl/generate/replyText.ts';
import type { PolicySource } from '../../rl/policySource.ts';
import type { Engine } from '../../tensor/engine.ts';
import { type Answer, blockSize, defaultMaxTokens } from './answer.ts';

export interface ManyOptions {
  readonly controls: SamplingControls;
  /** Most tokens of a reply; by default 256, or what the longest prompt leaves room for. */
  readonly maxTokens?: number;
  readonly stop: readonly string[];
  /** Most prompts at a time. */
  readonly batch: number;
  /** Told of the answers in the order of the prompts, each as soon as it and those before it are there. */
  readonly onAnswer: (prompt: number, answer: Answer) => void;
  /** Whether somebody still reads the answers. */
  readonly isRead: () => boolean;
}

/** Most prompt tokens that are read at once, where the longest prompt has fewer. */
const batchTokens = 2048;

/**
 * @param prompts tokens of each, and how it is named in messages
 * @throws {ProxmoError} `data` if a prompt is empty, or longer than the model can take
 */
export async function answerMany(
  engine: Engine,
  { model, tokenizer, endTokens }: PolicySource,
  prompts: readonly { readonly ids: readonly number[]; readonly where: string }[],
  { controls, maxTokens, stop, batch, onAnswer, isRead }: ManyOptions,
): Promise<void> {
  const limit = positionLimit(model.config);
  const fewest = maxTokens ?? 1;
  for (const { ids, where } of prompts) {
    if (ids.length > 0 && ids.length + fewest <= limit) continue;
    const problem =
      ids.length === 0
        ? 'the prompt has no tokens'
        : `the prompt has ${ids.length} tokens, and with a reply of ${fewest} the model takes ${limit}`;
    throw new ProxmoError('data', `${where}: ${problem}; change it, or leave it out.`);
  }
  const longest = prompts.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const maxNewTokens = maxTokens ?? Math.min(defaultMaxTokens, limit - longest);
  const generator = new Generator(engine, model, {
    maxPromptTokens: longest,
    maxNewTokens,
    maxBatchTokens: Math.max(longest, batchTokens),
    maxBatchRows: Math.min(batch, prompts.length),
    blockSize: Math.min(blockSize, maxNewTokens),
    endToken: endTokens,
    refills: true,
  });
  const texts = prompts.map(() => new ReplyText(tokenizer, endTokens, stop, () => {}));
  const whole = new Map<number, Answer>();
  let told = 0;
  try {
    await generator.generate(
      prompts.map(({ ids }, episode) => ({ prompt: ids, episode, turn: 0 })),
      controls,
      (index, tokens) => texts[index]!.push(tokens) || !isRead(),
      (index, { tokens, logProbs }) => {
        const reply = texts[index]!;
        reply.finish();
        const { text, finishReason } = reply;
        whole.set(index, { text, tokens, logProb: logProbs.reduce((sum, value) => sum + value, 0), finishReason });
        for (let answer = whole.get(told); answer !== undefined; answer = whole.get(++told)) {
          whole.delete(told);
          onAnswer(told, answer);
        }
      },
    );
  } finally {
    generator.destroy();
  }
}
