/**
 * Token sequences that a reply may be, such as the actions on offer, as a tree: each node is a beginning, each edge a
 * token that may follow. A sampler walks it, one node per row of its batch, and allows only the tokens on the node's
 * edges; so it can reply with nothing else.
 *
 * The tree is three flat arrays, in the form of a sparse matrix by rows. Edges of node `n` are `edgeStart[n]` up to
 * `edgeStart[n + 1]`, by ascending token; `edgeToken` and `edgeNode` say which token each one takes and where it leads.
 * The root is node 0, and a node without edges is an end.
 */
import { ProxmoError } from '../base/errors.ts';

/** A node while the tree is built: where each token leads. */
type Branches = Map<number, Branches>;

/**
 * A tree of token sequences, which replies can be bound to.
 * @example
 * const trie = TokenTrie.fromSequences([tokenizer.encode('go left'), tokenizer.encode('go right')]);
 */
export class TokenTrie {
  readonly edgeStart: Int32Array;
  readonly edgeToken: Int32Array;
  readonly edgeNode: Int32Array;
  /** The node that each sequence ends at, in the order in which they were given. */
  readonly endOf: Int32Array;

  private constructor(root: Branches, ends: readonly Branches[]) {
    const nodes = [root];
    const edgeStart = [0];
    const edgeToken: number[] = [];
    const edgeNode: number[] = [];
    // Nodes are numbered in the order in which this walk, level by level, meets them.
    for (const branches of nodes) {
      for (const [token, child] of [...branches].sort(([a], [b]) => a - b)) {
        edgeToken.push(token);
        edgeNode.push(nodes.length);
        nodes.push(child);
      }
      edgeStart.push(edgeToken.length);
    }
    this.edgeStart = Int32Array.from(edgeStart);
    this.edgeToken = Int32Array.from(edgeToken);
    this.edgeNode = Int32Array.from(edgeNode);
    const numbers = new Map(nodes.map((node, number) => [node, number]));
    this.endOf = Int32Array.from(ends, (node) => numbers.get(node)!);
  }

  /**
   * A tree of token sequences. A sequence that another one continues ends nowhere in particular: give each an end
   * token.
   * @throws {ProxmoError} `data` if there are none, one is empty or continues another, or a token is no id.
   */
  static fromSequences(sequences: Iterable<ArrayLike<number>>): TokenTrie {
    const root: Branches = new Map();
    const ends = new Set<Branches>();
    const endOf: Branches[] = [];
    for (const sequence of sequences) {
      let node = root;
      for (let i = 0; i < sequence.length; i++) {
        const token = sequence[i]!;
        if (!Number.isInteger(token) || token < 0 || token > 0x7fffffff) {
          throw new ProxmoError(
            'data',
            `Token trie: ${token} at position ${i} of a sequence is not a token id; give ids of a tokenizer.`,
          );
        }
        if (ends.has(node)) throw ambiguous();
        let next = node.get(token);
        if (!next) node.set(token, (next = new Map()));
        node = next;
      }
      if (node === root)
        throw new ProxmoError('data', 'Token trie: a sequence is empty; give each at least an end token.');
      if (node.size > 0) throw ambiguous();
      ends.add(node);
      endOf.push(node);
    }
    if (root.size === 0) {
      throw new ProxmoError(
        'data',
        'Token trie: there are no sequences, so nothing would be allowed; give at least one.',
      );
    }
    return new TokenTrie(root, endOf);
  }

  /** Tokens that may follow at a node, ascending; empty at an end. A view, not a copy. */
  tokensAt(node: number): Int32Array {
    return this.edgeToken.subarray(this.edgeStart[node], this.edgeStart[node + 1]);
  }

  /** The node that a token leads to; -1 where it may not follow, also from -1. */
  next(node: number, token: number): number {
    if (node < 0) return -1;
    let low = this.edgeStart[node]!;
    let high = this.edgeStart[node + 1]!;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.edgeToken[middle]! < token) low = middle + 1;
      else high = middle;
    }
    return low < this.edgeStart[node + 1]! && this.edgeToken[low] === token ? this.edgeNode[low]! : -1;
  }
}

function ambiguous(): ProxmoError {
  return new ProxmoError(
    'data',
    'Token trie: a sequence is the beginning of another; give each an end token, so that it is known where it ends.',
  );
}
