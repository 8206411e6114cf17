import type { BoundReply } from '../../src/nn/constraint.ts';
import { promptReply, type TokenSequence } from '../../src/nn/replies.ts';

interface Pair {
  readonly prompt: readonly number[];
  readonly reply: readonly number[];
  readonly bound?: BoundReply;
}

/** A prompt with its reply, as a sequence; what else it has stays. */
export function sequenceOf<P extends Pair>(pair: P): P & TokenSequence {
  return { ...pair, ...promptReply(pair.prompt, pair.reply, pair.bound) };
}
