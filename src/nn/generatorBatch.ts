/**
 * Batches of a generator: which requests are answered together, what each row has come to, and which rows share a
 * prompt.
 */
import type { BoundReply, Constraint } from './constraint.ts';
import type { Session } from './session.ts';

/**
 * Which random numbers a reply draws: they follow from the seed and from these, not from its neighbours in the batch,
 * and a sample from them and its logits.
 */
export interface GenerationRequest {
  /** With a session, what is new: it is read behind what the session has read and written. */
  readonly prompt: ArrayLike<number>;
  readonly episode: number;
  readonly turn: number;
  /** What the reply is bound to; nothing by default. It watches this one reply. */
  readonly constraint?: Constraint;
  /** The sequence that prompt and reply go on; by default one of their own, which ends with the reply. */
  readonly session?: Session;
  /** Row of the generator's `states` that gets the hidden state after the prompt; by default it is not kept. */
  readonly stateRow?: number;
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
    /** Tokens to read: the prompt, and before it what its session has not read yet. */
    readonly unread: ArrayLike<number>,
  ) {
    const trie = request.constraint?.start;
    this.bound = trie ? { trie, from: 0 } : null;
  }

  /** Position of the first token to read: how many the KV cache has of the sequence. */
  get past(): number {
    return this.request.session?.cached ?? 0;
  }

  /** Position of the reply's first token. */
  get replyStart(): number {
    return this.past + this.unread.length;
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

/** Most of what a batch may have. */
export interface BatchRoom {
  readonly rows: number;
  /** Tokens to read. */
  readonly tokens: number;
  /** Places in the KV cache that no session has. */
  readonly slots: readonly number[];
}

/**
 * Rows of the next batch: of the requests from `first` on, in their order, as many as there is room for. A request that
 * is read beyond the limit gets a batch of its own. Rows that begin a sequence with equal prompts share the reading of
 * it.
 */
export function nextBatch(requests: readonly GenerationRequest[], room: BatchRoom, first: number): Row[] {
  const batch: Row[] = [];
  const known = new Map<string, Row>();
  let tokens = 0;
  let slots = 0;
  for (const request of requests.slice(first, first + room.rows)) {
    const { session } = request;
    const unread = session ? session.unreadWith(request.prompt) : request.prompt;
    // What follows a past depends on it.
    const key = session && session.cached > 0 ? null : Array.from(unread).join();
    const twin = key === null ? null : (known.get(key) ?? null);
    const isReadable = batch.length === 0 || tokens + (twin ? 0 : unread.length) <= room.tokens;
    const slot = session ? session.slot : room.slots[slots];
    if (!isReadable || slot === undefined) break;
    const row = new Row(request, first + batch.length, slot, twin, unread);
    batch.push(row);
    if (!session) slots++;
    if (twin) continue;
    tokens += unread.length;
    if (key !== null) known.set(key, row);
  }
  return batch;
}
