/** Micro-batches of an update, and their gradients, as messages. */

import { ProxmoError } from '../base/errors.ts';
import { firstNonFinite } from '../base/finite.ts';
import { replyTokens } from '../nn/replies.ts';
import { ppoStatistics } from '../ops/ppoLoss.ts';
import type { MicroBatch, MicroGradient, TrainingSequence } from '../rl/optimise.ts';
import { TokenTrie } from '../text/tokenTrie.ts';
import { floatsToText, textToFloats } from './codec.ts';
import type { GradientWork, SoundResult } from './protocol.ts';

type ToldGradient = Extract<SoundResult, { readonly kind: 'gradient' }>;

/** A micro-batch, for a worker. */
export function gradientWork({ sequences, scale, dropoutSeed }: MicroBatch): GradientWork {
  const trees = new Map<TokenTrie, number>();
  const numberOf = (trie: TokenTrie) => {
    if (!trees.has(trie)) trees.set(trie, trees.size);
    return trees.get(trie)!;
  };
  const told = sequences.map(({ tokens, replies, columns }) => ({
    tokens: Array.from(tokens),
    replies: replies.map(({ start, length, bound }) => ({
      start,
      length,
      ...(bound ? { bound: { tree: numberOf(bound.trie), from: bound.from } } : {}),
    })),
    columns: Object.fromEntries(
      Object.entries(columns).flatMap(([name, values]) => (values ? [[name, floatsToText(values)]] : [])),
    ),
  }));
  return {
    kind: 'gradient',
    scale,
    dropoutSeed: [...dropoutSeed],
    trees: [...trees.keys()].map(sequencesIn),
    sequences: told,
  };
}

/** @throws {ProxmoError} `data` if it does not hold together */
export function microBatchOf({ sequences, scale, dropoutSeed, trees: lists }: GradientWork): MicroBatch {
  const trees = lists.map((list) => TokenTrie.fromSequences(list));
  return {
    scale,
    dropoutSeed,
    sequences: sequences.map(({ tokens, replies: spans, columns }): TrainingSequence => {
      const replies = spans.map(({ start, length, bound }) => {
        const trie = bound && trees[bound.tree];
        if (start + length > tokens.length || (bound && !trie))
          throw new ProxmoError('data', 'A sequence to learn from does not hold together.');
        return { start, length, ...(bound && trie ? { bound: { trie, from: bound.from } } : {}) };
      });
      const count = replyTokens({ replies });
      const numbers = Object.entries(columns).map(([name, text]) => [name, textToFloats(text, count)] as const);
      const { weight, ...others } = Object.fromEntries(numbers);
      if (!weight) throw new ProxmoError('data', 'A sequence to learn from has no weights.');
      return { tokens, replies, columns: { ...others, weight } };
    }),
  };
}

export function toldGradient({ gradient, statistics }: MicroGradient): ToldGradient {
  return { kind: 'gradient', gradient: floatsToText(gradient), statistics: floatsToText(statistics) };
}

/**
 * @param size of the slab of what is trained
 * @throws {ProxmoError} `data` if it is not of that size
 */
export function gradientOf(told: ToldGradient, size: number): MicroGradient {
  return {
    gradient: textToFloats(told.gradient, size),
    statistics: textToFloats(told.statistics, ppoStatistics.length),
  };
}

/** Gradients of one micro-batch differ by less than this share of their norm, between adapters. */
const normTolerances = { f32: 0.01, f16: 0.2, packed: 0.2 } as const;

/** How a gradient differs from what was computed here, as the rest of a sentence; null if it does not. */
export function gradientProblem(
  given: MicroGradient,
  own: MicroGradient,
  precision: keyof typeof normTolerances,
): string | null {
  // Where nothing can be learned from the batch, nobody's gradient is finite.
  if (firstNonFinite(own.gradient) >= 0) return null;
  let [difference, norm] = [0, 0];
  for (const [index, value] of own.gradient.entries()) {
    difference += (given.gradient[index]! - value) ** 2;
    norm += value ** 2;
  }
  const share = Math.sqrt(difference / Math.max(norm, Number.MIN_VALUE));
  return share <= normTolerances[precision] || difference === 0
    ? null
    : `its gradient differs by ${share.toPrecision(3)} of its norm from what the policy gives`;
}

/** The sequences of a tree, in the order of its walk. */
function sequencesIn(trie: TokenTrie): number[][] {
  const found: number[][] = [];
  const walk = (node: number, before: readonly number[]) => {
    const next = trie.tokensAt(node);
    if (next.length === 0) found.push([...before]);
    for (const token of next) walk(trie.next(node, token), [...before, token]);
  };
  walk(0, []);
  return found;
}
