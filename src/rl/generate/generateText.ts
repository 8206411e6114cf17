/** Text from a model, piece by piece, for programs: one prompt, one reply, with a default for everything. */
import { ProxmoError } from '../../base/errors.ts';
import { ResultStream } from '../../base/resultStream.ts';
import { positionLimit } from '../../models/transformerConfig.ts';
import { Generator, type SamplingControls } from '../../nn/generator.ts';
import type { Engine } from '../../tensor/engine.ts';
import type { ChatMessage } from '../../text/hf/chatTemplate.ts';
import { HfTokenizer } from '../../text/hf/hfTokenizer.ts';
import type { ChatSettings, PolicySource } from '../policySource.ts';
import { type FinishReason, ReplyText } from './replyText.ts';

/** How a reply is made; all have defaults. */
export interface GenerateTextOptions {
  /** Most tokens of the reply. Default: 256, or as many as the model has room for behind the prompt. */
  readonly maxTokens?: number;
  /** 0 takes the likeliest token. Default: as the model's makers, or its run, have it; else 1. */
  readonly temperature?: number;
  /** Keeps the likeliest tokens up to this share of probability. Default: as that of `temperature`; else 1, all. */
  readonly topP?: number;
  /** Keeps this many of the likeliest tokens. Default: as that of `temperature`; else 0, all. */
  readonly topK?: number;
  /** Of the random numbers: the same prompt and seed give the same reply. Default: 1. */
  readonly seed?: number;
  /** Texts that end the reply, and are no part of it. Default: none. */
  readonly stop?: readonly string[];
  /** Ends the reply with the error `interrupted`, after the tokens that are under way. */
  readonly signal?: AbortSignal;
  /** Variables and tools of the chat template. */
  readonly chat?: ChatSettings;
}

/** A whole reply. */
export interface GeneratedText {
  readonly text: string;
  readonly tokens: readonly number[];
  /** Log-probability of each token at the sampling temperature. */
  readonly logProbs: readonly number[];
  /** `left`: whoever read the pieces did so no longer. */
  readonly finishReason: FinishReason | 'left';
}

/** Tokens that are sampled in one submit: few, so that text comes steadily. */
const blockSize = 4;
const defaultMaxTokens = 256;

/** A reply as it comes; it ends early where a loop over its pieces is left. */
export type TextStream = ResultStream<string, GeneratedText>;

/**
 * A model's reply to a text or a conversation.
 * @param source as `openPolicyModel` (`proxmo/node`), `pretrainedPolicySource` and `wordPolicySource` give it
 * @param prompt a text that the model goes on with, or a conversation that it answers
 * @throws {ProxmoError} when it is read: `config` if prompt and reply are longer than the model can take, or it has no
 * chat template for a conversation; `shape` if the prompt is empty; `interrupted` if the signal fired
 * @example
 * for await (const piece of generateText(engine, source, 'Once upon a time', { stop: ['\n'] }))
 *   process.stdout.write(piece);
 * const { text, finishReason } = await generateText(engine, source, [{ role: 'user', content: 'hello' }]).result;
 */
export function generateText(
  engine: Engine,
  source: PolicySource,
  prompt: string | readonly ChatMessage[],
  options: GenerateTextOptions = {},
): TextStream {
  return new ResultStream<string, GeneratedText>(async (write, isLeft) => {
    const { signal, stop = [] } = options;
    const checkSignal = () => {
      if (signal?.aborted) throw new ProxmoError('interrupted', 'The reply was interrupted by its signal.');
    };
    checkSignal();
    const { model, tokenizer, endTokens } = source;
    const tokens = promptTokens(source, prompt, options.chat);
    const room = positionLimit(model.config) - tokens.length;
    const maxNewTokens = options.maxTokens ?? Math.max(1, Math.min(defaultMaxTokens, room));
    const generator = new Generator(engine, model, {
      maxPromptTokens: Math.max(1, tokens.length),
      maxNewTokens,
      maxBatchTokens: Math.max(1, tokens.length),
      maxBatchRows: 1,
      blockSize: Math.min(blockSize, maxNewTokens),
      endToken: endTokens,
    });
    try {
      const reply = new ReplyText(tokenizer, endTokens, stop, write);
      const isEnded = (next: readonly number[]) => reply.push(next) || isLeft() || signal?.aborted === true;
      const requests = [{ prompt: tokens, episode: 0, turn: 0 }];
      const [answer] = await generator.generate(requests, controlsOf(source, options), (_, next) => isEnded(next));
      checkSignal();
      const finishReason = isLeft() ? 'left' : null;
      if (finishReason === null) reply.finish();
      return { ...answer!, text: reply.text, finishReason: finishReason ?? reply.finishReason };
    } finally {
      generator.destroy();
    }
  });
}

function controlsOf(
  { sampling = { unsupported: [], from: '' } }: PolicySource,
  { seed = 1, temperature, topP, topK }: GenerateTextOptions,
): SamplingControls {
  return {
    seed,
    temperature: temperature ?? sampling.temperature ?? 1,
    topP: topP ?? sampling.topP ?? 1,
    topK: topK ?? sampling.topK ?? 0,
  };
}

function promptTokens(source: PolicySource, prompt: string | readonly ChatMessage[], chat: ChatSettings = {}) {
  if (typeof prompt === 'string') return encodeText(source, prompt);
  if (source.tokenizer instanceof HfTokenizer && source.tokenizer.hasChatTemplate)
    return encodeMessages(source.tokenizer, source, prompt, chat);
  throw new ProxmoError('config', 'The model has no chat template, so it holds no conversations; give it a text.');
}

/** Tokens of a text as it stands, with what the model expects at its beginning. */
export function encodeText({ tokenizer }: PolicySource, text: string): number[] {
  return tokenizer instanceof HfTokenizer ? tokenizer.encode(text, { addSpecials: true }) : tokenizer.encode(text);
}

/**
 * Tokens of a conversation, up to where the model's next answer begins.
 * @param settings variables and tools of the template, over those of the source
 * @throws {ProxmoError} `config` if the template does not read a setting
 */
export function encodeMessages(
  tokenizer: HfTokenizer,
  { chat = {} }: PolicySource,
  messages: readonly ChatMessage[],
  settings: ChatSettings,
): number[] {
  tokenizer.requireChatSettings(settings);
  const variables = { ...chat.variables, ...settings.variables };
  return tokenizer.encodeChat(messages, { ...chat, ...settings, variables, addGenerationPrompt: true });
}
