/** How likely the actions were that a policy did not take, from nothing but the tokens that it sampled. */
import type { TokenTrie } from '../../text/tokenTrie.ts';
import type { RolloutStep } from '../rollout.ts';
import { rounded } from './levels.ts';
import type { ActionBranch } from './record.ts';

/**
 * The branches of a reply that was bound to the actions on offer. Of the actions that part from it at its token t, one
 * is taken with probability p(tokens before t) · (1 − p(token t)), and the action that was written with that of all its
 * tokens. They sum to 1.
 * @returns null where the reply was free, or bound to a part of the actions
 */
export function branchesOf({
  actions,
  bound,
  reply,
  logProbs,
}: Pick<RolloutStep, 'actions' | 'bound' | 'reply' | 'logProbs'>): ActionBranch[] | null {
  if (!actions || !bound || bound.trie.endOf.length !== actions.length) return null;
  const path = pathOf(bound.trie, reply, bound.from);
  const parted: number[][] = [];
  const parents = parentsOf(bound.trie);
  for (let action = 0; action < actions.length; action++) {
    let node = bound.trie.endOf[action]!;
    let place = path.indexOf(node);
    while (place < 0) {
      node = parents[node]!;
      place = path.indexOf(node);
    }
    (parted[place] ??= []).push(action);
  }
  const branches: ActionBranch[] = [];
  let before = 0;
  for (let place = 0; place <= reply.length - bound.from; place++) {
    const logProb = logProbs[bound.from + place];
    const members = parted[place];
    if (members) {
      // -expm1 keeps what is left of a token that was almost certain.
      const probability = Math.exp(before) * (logProb === undefined ? 1 : -Math.expm1(logProb));
      branches.push({ actions: members, probability: rounded(Math.max(0, probability)) });
    }
    before += logProb ?? 0;
  }
  return branches;
}

/** The nodes that a reply comes by, the root first. */
function pathOf(trie: TokenTrie, reply: readonly number[], from: number): number[] {
  const path = [0];
  let node = 0;
  for (let at = from; at < reply.length; at++) {
    node = trie.next(node, reply[at]!);
    if (node < 0) break;
    path.push(node);
  }
  return path;
}

/** The same actions are on offer in many turns. */
const knownParents = new WeakMap<TokenTrie, Int32Array>();

function parentsOf(trie: TokenTrie): Int32Array {
  const known = knownParents.get(trie);
  if (known) return known;
  const { edgeStart, edgeNode } = trie;
  const parents = new Int32Array(edgeStart.length);
  for (let node = 0; node + 1 < edgeStart.length; node++)
    for (let edge = edgeStart[node]!; edge < edgeStart[node + 1]!; edge++) parents[edgeNode[edge]!] = node;
  knownParents.set(trie, parents);
  return parents;
}
