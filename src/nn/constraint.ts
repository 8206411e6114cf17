/**
 * Replies that are bound to a tree of token sequences, such as the actions on offer: what a constraint is, and how
 * trees go to the device. There each token's logits are masked before it is sampled, so the log-probabilities are those
 * of the constrained distribution; the trainer masks the same logits (`src/nn/replies.ts`) and so computes the same
 * ones.
 */
import type { TokenTrie } from '../text/tokenTrie.ts';

/** Decides from where on a reply is bound, and to what. It watches one reply. */
export interface Constraint {
  /** The tree that the reply is in from its first token on; null where it begins freely. */
  readonly start: TokenTrie | null;
  /**
   * Told of each token of a reply that is still free; gives the tree that the rest of the reply must be in, or null
   * while it stays free.
   */
  readonly next?: (token: number) => TokenTrie | null;
}

/** The part of a reply that is bound. */
export interface BoundReply {
  readonly trie: TokenTrie;
  /** Index of the first token that is. */
  readonly from: number;
}

/** Start and count of edges; a count of 0 allows every token. */
export type EdgeRange = readonly [start: number, count: number];

const free: EdgeRange = [0, 0];
const smallestEdgeBucket = 1024;

/** The edges of several trees in one list. Equal trees (the same object) are in it once. */
export class EdgeList {
  private readonly starts = new Map<TokenTrie, number>();
  private count = 0;

  constructor(tries: Iterable<TokenTrie>) {
    for (const trie of tries) {
      if (this.starts.has(trie)) continue;
      this.starts.set(trie, this.count);
      this.count += trie.edgeToken.length;
    }
  }

  /** Length of the list on the device, a power of two so that few programs serve all; 0 without trees. */
  get bucket(): number {
    return this.starts.size === 0 ? 0 : Math.max(smallestEdgeBucket, 2 ** Math.ceil(Math.log2(this.count)));
  }

  /** The edges at a node of a tree; free where there is no tree, or the node is an end of it or −1. */
  rangeAt(trie: TokenTrie | null, node: number): EdgeRange {
    const start = trie && this.starts.get(trie);
    if (trie === null || start === undefined || start === null || node < 0) return free;
    const first = trie.edgeStart[node]!;
    return [start + first, trie.edgeStart[node + 1]! - first];
  }

  /** The token of each edge, u32 `[edges]`. */
  tokens(edges: number): Uint32Array<ArrayBuffer> {
    const tokens = new Uint32Array(edges);
    for (const [{ edgeToken }, start] of this.starts) tokens.set(edgeToken, start);
    return tokens;
  }

  /** The range of the edges that follow each edge, u32 `[edges, 2]`. */
  children(edges: number): Uint32Array<ArrayBuffer> {
    const children = new Uint32Array(2 * edges);
    for (const [trie, start] of this.starts) {
      trie.edgeNode.forEach((node, edge) => {
        children.set(this.rangeAt(trie, node), 2 * (start + edge));
      });
    }
    return children;
  }
}

/**
 * The range for each token of a reply: where it stood in its tree when the token was drawn. Free tokens have free
 * ranges.
 */
export function rangesOfReply(edges: EdgeList, reply: ArrayLike<number>, bound: BoundReply | undefined): EdgeRange[] {
  let node = 0;
  return Array.from(reply, (token, index) => {
    if (!bound || index < bound.from) return free;
    const range = edges.rangeAt(bound.trie, node);
    node = bound.trie.next(node, token);
    return range;
  });
}
