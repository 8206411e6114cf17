/**
 * What a policy starts from: a transformer of its own with random weights and a word vocabulary, or a pretrained model
 * with its tokenizer.
 */
import { ProxmoError } from '../base/errors.ts';
import type { ModelSampling } from '../models/sampling.ts';
import { decoderSlab } from '../nn/decoderParameters.ts';
import { storageFor, type WeightStorage } from '../nn/precision.ts';
import { Transformer } from '../nn/transformer.ts';
import type { ChatOptions } from '../text/hf/chatTemplate.ts';
import type { HfTokenizer } from '../text/hf/hfTokenizer.ts';
import type { StreamingTokenizer } from '../text/tokenizer.ts';
import type { WordTokenizer } from '../text/wordTokenizer.ts';
import type { TrainConfig } from './config.ts';

/** Variables and tools of a chat template. */
export type ChatSettings = Pick<ChatOptions, 'tools' | 'variables'>;

/** A model with its tokenizer, and how messages become tokens for it. */
export interface PolicySource {
  /** With its starting weights. */
  readonly model: Transformer;
  readonly tokenizer: StreamingTokenizer;
  /** Tokens that end a reply. */
  readonly endTokens: readonly number[];
  /** How it samples where whoever asks does not say. */
  readonly sampling?: ModelSampling;
  /** What its chat template gets besides the conversation. */
  readonly chat?: ChatSettings;
  /** Ids of a user message, up to where the model's answer begins; by default those of the bare text. */
  readonly encodeMessage?: (message: string) => number[];
  /** Ids of a user message behind an answer of the model, which has its end token or not; by default as the first. */
  readonly encodeFollowUp?: (message: string, isEnded: boolean) => number[];
}

/** How the weights of a policy that is trained are stored: with masters, unless adapters are trained in their place. */
export function trainedStorage({ precision, lora }: Pick<TrainConfig, 'precision' | 'lora'>): WeightStorage {
  return storageFor(precision, lora === null);
}

/**
 * A transformer of the sizes in `policy`, with weights drawn from the seed.
 * @param storage of its matrices; default: as training needs it
 * @throws {ProxmoError} `config` if the sizes do not fit
 */
export function wordPolicySource(
  config: TrainConfig,
  tokenizer: WordTokenizer,
  storage = trainedStorage(config),
): PolicySource {
  const sizes = { ...config.policy, vocabSize: tokenizer.vocabSize };
  const model = new Transformer(sizes, decoderSlab(sizes, config.seed, 'policy', undefined, storage));
  return { model, tokenizer, endTokens: [tokenizer.endId] };
}

/**
 * A pretrained model. A message goes through its chat template where it has one.
 * @param chat what the template gets besides the conversation
 * @throws {ProxmoError} `file` if the tokenizer has ids that the model does not know, `config` if the template does not
 * read what `chat` has
 */
export function pretrainedPolicySource(
  model: Transformer,
  tokenizer: HfTokenizer,
  where: string,
  chat: ChatSettings = {},
): PolicySource {
  tokenizer.requireChatSettings(chat);
  if (tokenizer.vocabSize > model.config.vocabSize) {
    throw new ProxmoError(
      'file',
      `${where}: the tokenizer has ${tokenizer.vocabSize} ids, but the model only ${model.config.vocabSize}; they do not belong together.`,
    );
  }
  const encodeMessage = (message: string) =>
    tokenizer.hasChatTemplate
      ? tokenizer.encodeChat([{ role: 'user', content: message }], { ...chat, addGenerationPrompt: true })
      : tokenizer.encode(message, { addSpecials: true });
  const encodeFollowUp = (message: string, isEnded: boolean) =>
    tokenizer.hasChatTemplate ? tokenizer.encodeFollowUp(message, isEnded, chat) : tokenizer.encode(message);
  return { model, tokenizer, endTokens: tokenizer.stopIds, chat, encodeMessage, encodeFollowUp };
}
