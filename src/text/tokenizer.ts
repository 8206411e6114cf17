/**
 * What the rest of the project needs of a tokenizer, whatever its kind: text to ids and back, and the few ids with a
 * meaning of their own. `WordTokenizer` implements it for small policies trained from nothing; a pretrained model
 * brings its own, a `HfTokenizer`.
 */
import type { StreamDecoder } from './streamDecoder.ts';

/**
 * Parts of a plain prompt that are set off by a marker: the task, an observation, an action taken or to take, an action
 * on offer.
 */
export const promptMarkers = ['task', 'observation', 'action', 'option'] as const;
export type PromptMarker = (typeof promptMarkers)[number];

export interface Tokenizer {
  /** Number of ids; every id is below it. */
  readonly vocabSize: number;
  /** Fills a row up to its length; never attended to. */
  readonly padId: number;
  /** Ends the policy's turn. */
  readonly endId: number;
  /**
   * One id for each marker of a plain prompt; absent where the vocabulary has none, and the prompt then spells them
   * out.
   */
  readonly markerIds?: Readonly<Record<PromptMarker, number>>;
  /**
   * Ids of a text. Text never turns into padding, end or marker ids, so an observation cannot fake the structure of a
   * prompt.
   */
  encode(text: string): number[];
  /**
   * Text of ids; undoes `encode`. Padding, end and markers come out as readable names.
   * @throws {ProxmoError} `data` if an id is not below `vocabSize`.
   */
  decode(ids: ArrayLike<number>): string;
}

/** A tokenizer that can show ids as they come. */
export interface StreamingTokenizer extends Tokenizer {
  /** Starts a text; what its pieces add up to is what `decode` gives for all their ids. */
  streamDecoder(): StreamDecoder;
}
