/** Follows sampled tokens down trees of allowed tokens: shaders/trie_step.wgsl. */
import shader from '../shaders/trie_step.wgsl';
import { defineKernel, type KernelCase } from './spec.ts';

/** `edges` counts those of all trees together. */
export type TrieStepParams = { batch: number; edges: number };

const caseOf = (
  ranges: number[],
  token: number[],
  tokens: number[],
  children: number[],
  note: string,
): KernelCase<TrieStepParams> => ({
  params: { batch: token.length, edges: tokens.length },
  inputs: () => ({ ranges, token, tokens, children }),
  note,
});

const many = Array.from({ length: 200 }, (_, index) => index);

export const trieStep = defineKernel<TrieStepParams>({
  name: 'trieStep',
  shader,
  bindings: {
    ranges: { dtype: 'u32', access: 'read' },
    token: { dtype: 'u32', access: 'read' },
    tokens: { dtype: 'u32', access: 'read' },
    children: { dtype: 'u32', access: 'read' },
    after: { dtype: 'u32', access: 'write' },
  },
  params: { batch: 'u32', edges: 'u32' },
  variants: [{ label: 'row.u32', constants: { WORKGROUP: 64 } }],
  sizes: ({ batch, edges }) => ({
    ranges: 2 * batch,
    token: batch,
    tokens: edges,
    children: 2 * edges,
    after: 2 * batch,
  }),
  dispatch: ({ batch }, { WORKGROUP }) => [Math.ceil(batch / Number(WORKGROUP)), 1, 1],
  cost: ({ batch }) => ({ flops: 0, bytes: 4 * 7 * batch }),
  reference: ({ ranges, token, tokens, children }, { batch, edges }) => {
    const after = new Float64Array(2 * batch);
    for (let row = 0; row < batch; row++) {
      const begin = Math.min(ranges![2 * row]!, edges);
      const edge =
        begin + tokens!.subarray(begin, Math.min(edges, begin + ranges![2 * row + 1]!)).indexOf(token![row]!);
      if (edge >= begin) after.set(children!.subarray(2 * edge, 2 * edge + 2), 2 * row);
    }
    return { after };
  },
  cases: [
    caseOf([0, 1], [4], [4], [1, 0], 'one edge'),
    caseOf([], [], [4], [1, 0], 'no row'),
    caseOf(
      [0, 2, 0, 2, 2, 3, 5, 0, 2, 3],
      [3, 7, 9, 9, 5],
      [3, 8, 4, 6, 9],
      [2, 3, 5, 0, 9, 1, 9, 2, 9, 3],
      'edges there and not there',
    ),
    caseOf(
      many.flatMap(() => [0, 200]),
      many.map((row) => 2 * row),
      many.map((edge) => 3 * edge),
      many.flatMap((edge) => [edge, 1 + edge]),
      'a wide node',
    ),
  ],
  // A copy.
  tolerance: { absolute: 0, relative: 0 },
});
