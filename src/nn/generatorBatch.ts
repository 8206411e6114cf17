/**
 * Batches of a generator: which requests are answered together, what each row has come to, and which rows share a
 * prompt.
 */
import type { BoundReply, Constraint } from './constraint.ts';

/**
 * Which random numbers a reply draws: they follow from the seed and from these, not from its neighbours in the batch,
 * and a sample from them and its logits.
 */
export interface GenerationRequest {
  readonly prompt: ArrayLike<number>;
  readonly episode: number;
  readonly turn: number;
  /** What the reply is bound to; nothing by default. It watches this one reply. */
  readonly constraint?: Constraint;
}

/** A reply in the making. */
export class Row {
  readonly tokens: number[] = [];
  readonly logProbs: number[] = [];
  bound: BoundReply | null;
  /** Where the reply stands in the tree that it is bound to. */
  node = 0;
  /** Nothing more is wanted of it. */
  isStopped = false;

  constructor(
    readonly request: GenerationRequest,
    /** Index of the request. */
    readonly index: number,
    /** Place in the KV cache. */
    readonly slot: number,
    /** The earlier row of the batch with an equal prompt; null if there is none. */
    readonly twin: Row | null,
  ) {
    const trie = request.constraint?.start;
    this.bound = trie ? { trie, from: 0 } : null;
  }

  /**
   * Adds a token.
   * @returns whether the tokens that were sampled after it in the same block still count: not if the reply became bound
   * with it
   */
  push(token: number, logProb: number): boolean {
    this.tokens.push(token);
    this.logProbs.push(logProb);
    if (this.bound) {
      this.node = this.bound.trie.next(this.node, token);
      return true;
    }
    const trie = this.request.constraint?.next?.(token);
    if (trie) this.bound = { trie, from: this.tokens.length };
    return !trie;
  }

  /** Whether the reply has come to an end of its tree. */
  get isAtEnd(): boolean {
    return this.bound !== null && (this.node < 0 || this.bound.trie.tokensAt(this.node).length === 0);
  }
}

/**
 * Splits requests, in their order, into batches of at most `maxRows` rows whose distinct prompts have at most
 * `maxTokens` tokens together; a prompt beyond the limit gets a batch of its own.
 */
export function splitRequests(requests: readonly GenerationRequest[], maxTokens: number, maxRows: number): Row[][] {
  const batches: Row[][] = [];
  let known = new Map<string, Row>();
  let tokens = 0;
  for (const [index, request] of requests.entries()) {
    const key = Array.from(request.prompt).join();
    const batch = batches.at(-1);
    const added = known.has(key) ? 0 : request.prompt.length;
    if (!batch || batch.length >= maxRows || tokens + added > maxTokens) {
      const row = new Row(request, index, 0, null);
      batches.push([row]);
      known = new Map([[key, row]]);
      tokens = request.prompt.length;
      continue;
    }
    const row = new Row(request, index, batch.length, known.get(key) ?? null);
    batch.push(row);
    if (!row.twin) known.set(key, row);
    tokens += added;
  }
  return batches;
}
