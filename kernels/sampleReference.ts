/** Sampling in float64, with sorting: what shaders/sample.wgsl must agree with, token for token. */
import { philox } from './philox.ts';

/** How to draw. */
export interface SampleControls {
  /** Divides the logits; 0 takes the likeliest token. */
  readonly temperature: number;
  /** Keeps the fewest likeliest tokens with at least this probability together; 1 keeps all. */
  readonly topP: number;
  /** Keeps this many likeliest tokens; 0 keeps all. */
  readonly topK: number;
}

export interface Draw {
  readonly token: number;
  /** Under softmax(logits / temperature), before top-k and top-p; at temperature 0, under softmax(logits). */
  readonly logProb: number;
  /**
   * Distance of the draw, and of the top-p threshold, from the nearest place where the token would change, as a part of
   * the total probability. Where it is far above the rounding of float32, every adapter must draw this token.
   */
  readonly margin: number;
}

/** Fourth word of the counter: see shaders/sample.wgsl. */
const purpose = 0x73616d70;
const fullWeight = 2 ** 31;

/**
 * Draws one token.
 * @param logits `[vocab]`
 * @param stream episode, turn and index of the token within its turn's stream
 * @param seed two 32-bit words
 */
export function sampleReference(
  logits: ArrayLike<number>,
  stream: readonly [episode: number, turn: number, token: number],
  seed: readonly [number, number],
  { temperature, topP, topK }: SampleControls,
): Draw {
  const clean = Array.from(logits, (logit) => (Number.isNaN(logit) ? -1e30 : Math.max(-1e30, Math.min(1e30, logit))));
  const sorted = clean.map((_, token) => token).sort((a, b) => clean[b]! - clean[a]! || a - b);
  const best = sorted[0]!;
  const divisor = temperature > 0 ? Math.max(temperature, 1e-6) : 1;
  const scores = clean.map((logit) => (logit - clean[best]!) / divisor);
  const logTotal = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
  if (!(temperature > 0)) return { token: best, logProb: scores[best]! - logTotal, margin: 1 };

  const weights = scores.map((score) => Math.floor(Math.exp(score) * fullWeight + 0.5));
  const byRank = topK > 0 ? sorted.slice(0, topK) : sorted;
  const { kept, margin } = keepTopP(byRank, weights, topP);
  const total = sumOf(kept, weights);
  const word = philox([stream[0], stream[1], stream[2] >>> 0, purpose], seed)[0];
  const goal = Number((BigInt(total) * BigInt(word)) >> 32n);
  let end = 0;
  for (const token of [...kept].sort((a, b) => a - b)) {
    const begin = end;
    end += weights[token]!;
    if (goal < end) {
      const inside = Math.min(begin === 0 ? 1 : (goal - begin) / total, end === total ? 1 : (end - goal) / total);
      return { token, logProb: scores[token]! - logTotal, margin: Math.min(margin, inside) };
    }
  }
  throw new Error('a draw lies beyond the total weight');
}

/** The first tokens of `byRank` that hold `topP` of their weight. */
function keepTopP(
  byRank: readonly number[],
  weights: readonly number[],
  topP: number,
): { kept: readonly number[]; margin: number } {
  if (!(topP < 1)) return { kept: byRank, margin: 1 };
  const total = sumOf(byRank, weights);
  const fraction = Math.floor(Math.min(Math.max(Math.fround(topP), 0), 0.99999994) * 2 ** 32);
  const product = BigInt(total) * BigInt(fraction);
  const need = Math.max(1, Number((product + 0xffffffffn) >> 32n));
  let sum = 0;
  for (const [index, token] of byRank.entries()) {
    const before = sum;
    sum += weights[token]!;
    if (sum >= need) {
      const margin = Math.min(index === 0 ? 1 : (need - before) / total, (sum - need) / total);
      return { kept: byRank.slice(0, index + 1), margin };
    }
  }
  return { kept: byRank, margin: 0 };
}

function sumOf(tokens: readonly number[], weights: readonly number[]): number {
  return tokens.reduce((sum, token) => sum + weights[token]!, 0);
}
