/** Answers one prompt with a model, some times over, and measures how long it takes. */
import { positionLimit } from '../../models/transformerConfig.ts';
import { Generator, type SamplingControls } from '../../nn/generator.ts';
import { type FinishReason, ReplyText } from '../../rl/generate/replyText.ts';
import type { PolicySource } from '../../rl/policySource.ts';
import type { Engine } from '../../tensor/engine.ts';

export interface AnswerOptions {
  readonly controls: SamplingControls;
  /** Most tokens of a reply; by default 256, or what the model has room for. */
  readonly maxTokens?: number;
  readonly stop: readonly string[];
  readonly samples: number;
  /** Part of the random numbers' name, so that the turns of a conversation differ. */
  readonly turn: number;
  /** Told of a reply's text as it comes. */
  readonly onText: (sample: number, piece: string) => void;
  /** Whether somebody still reads the text; replies end where nobody does. */
  readonly isRead: () => boolean;
}

export interface Answer {
  readonly text: string;
  readonly tokens: readonly number[];
  /** Of all the tokens together, at the sampling temperature. */
  readonly logProb: number;
  readonly finishReason: FinishReason;
}

export interface AnswerStatistics {
  readonly promptTokens: number;
  /** Of all replies. */
  readonly newTokens: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
  /** From the start until the first tokens were there, compiling included. */
  readonly secondsToFirstToken: number;
}

export const defaultMaxTokens = 256;
/** Tokens sampled in one submit: few, so that text comes steadily, and a place that is free is soon taken. */
export const blockSize = 4;

/**
 * @throws {ProxmoError} `config` if prompt and reply are longer than the model can take, `shape` if the prompt is empty
 */
export async function answer(
  engine: Engine,
  { model, tokenizer, endTokens }: PolicySource,
  prompt: readonly number[],
  { controls, maxTokens, stop, samples, turn, onText, isRead }: AnswerOptions,
): Promise<{ readonly answers: Answer[]; readonly statistics: AnswerStatistics }> {
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  const room = positionLimit(model.config) - prompt.length;
  const maxNewTokens = maxTokens ?? Math.max(1, Math.min(defaultMaxTokens, room));
  const generator = new Generator(engine, model, {
    maxPromptTokens: Math.max(1, prompt.length),
    maxNewTokens,
    maxBatchTokens: prompt.length,
    maxBatchRows: samples,
    blockSize: Math.min(blockSize, maxNewTokens),
    firstBlock: 1,
    endToken: endTokens,
  });
  const texts = Array.from(
    { length: samples },
    (_, sample) => new ReplyText(tokenizer, endTokens, stop, (piece) => onText(sample, piece)),
  );
  let secondsToFirstToken = 0;
  try {
    const requests = texts.map((_, episode) => ({ prompt, episode, turn }));
    const replies = await generator.generate(requests, controls, (sample, tokens) => {
      secondsToFirstToken ||= elapsed();
      return texts[sample]!.push(tokens) || !isRead();
    });
    for (const text of texts) text.finish();
    const answers = replies.map(({ tokens, logProbs }, sample): Answer => {
      const { text, finishReason } = texts[sample]!;
      return { text, tokens, logProb: logProbs.reduce((sum, value) => sum + value, 0), finishReason };
    });
    const [newTokens, seconds] = [replies.reduce((sum, { tokens }) => sum + tokens.length, 0), elapsed()];
    const statistics = {
      promptTokens: prompt.length,
      newTokens,
      seconds,
      tokensPerSecond: newTokens / seconds,
      secondsToFirstToken,
    };
    return { answers, statistics };
  } finally {
    generator.destroy();
  }
}
