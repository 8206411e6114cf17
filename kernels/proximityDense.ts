/** Softmax-weighted baselines over the rows of a group, by the cosine similarity of dense rows, in one kernel (`shaders/proximity_dense.wgsl`). */
import shader from '../shaders/proximity_dense.wgsl';
import { type BindingSpec, defineKernel, foldWorkgroups, type KernelCase, type Variant } from './spec.ts';

type ProximityDenseParams = { rows: number; features: number; temperature: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };

/** Side of the tile of queries and keys that a workgroup of the tile variant holds. */
const side = 16;
/** Each lane has a query for every other lane: the more, the fewer reads a product takes, until the sums no longer fit. */
function subgroupVariant(lanes: number): Variant<ProximityDenseParams> {
  const queriesEach = lanes / 2;
  return {
    label: `subgroup${lanes}.f32.${queriesEach * lanes}x${4 * lanes}`,
    constants: { SUBGROUP: true, LANES: lanes, QUERIES: queriesEach, BLOCK: queriesEach * lanes },
    vector: { x: 4, ranges: 2 },
    enables: ['subgroups'],
    requires: ({ features, subgroupMinSize, subgroupMaxSize }, params) =>
      features.has('subgroups') && subgroupMinSize === lanes && subgroupMaxSize === lanes && params.features % 4 === 0,
    prefer: ({ kind }) => kind === 'cpu',
  };
}

/** Rows in groups of the given sizes, then `padding` rows of no group. */
function caseOf(groups: readonly number[], features: number, temperature = 0.1, padding = 0): KernelCase<ProximityDenseParams> {
  const ranges: number[] = [];
  for (const size of groups) {
    const first = ranges.length / 2;
    for (let i = 0; i < size; i++) ranges.push(first, first + size);
  }
  ranges.push(...new Array<number>(2 * padding).fill(0));
  return { params: { rows: ranges.length / 2, features, temperature }, inputs: () => ({ ranges }) };
}

export const proximityDense = defineKernel<ProximityDenseParams>({
  name: 'proximityDense',
  shader,
  bindings: { x: read, ranges: { dtype: 'u32', access: 'read' }, returns: read, baseline: { dtype: 'f32', access: 'write' } },
  params: { rows: 'u32', features: 'u32', temperature: 'f32' },
  variants: [
    ...[4, 8].map(subgroupVariant),
    { label: `tile.f32.${side}x${side}`, constants: { SUBGROUP: false, SIDE: side, BLOCK: side }, vector: { ranges: 2 } },
  ],
  sizes: ({ rows, features }) => ({ x: rows * features, ranges: 2 * rows, returns: rows, baseline: rows }),
  dispatch: ({ rows }, { BLOCK }) => foldWorkgroups(Math.ceil(rows / Number(BLOCK))),
  // The work depends on the sizes of groups, which are data; this is the cost of one group.
  cost: ({ rows, features }) => ({ flops: 2 * rows * rows * features + 10 * rows * rows, bytes: 4 * rows * (features + 4) }),
  reference: ({ x, ranges, returns }, { rows, features, temperature }) => {
    const row = (index: number) => x!.subarray(index * features, (index + 1) * features);
    const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const norms = Float64Array.from({ length: rows }, (_, index) => Math.sqrt(dot(row(index), row(index))));
    const baseline = Float64Array.from({ length: rows }, (_, query) => {
      let [total, weighted] = [0, 0];
      for (let key = ranges![2 * query]!; key < ranges![2 * query + 1]!; key++) {
        const weight = Math.exp((dot(row(query), row(key)) / (norms[query]! * norms[key]!) - 1) / temperature);
        total += weight;
        weighted += weight * returns![key]!;
      }
      return total > 0 ? weighted / total : 0;
    });
    return { baseline };
  },
  cases: [
    caseOf([1], 4),
    caseOf([], 8),
    caseOf([1, 37, 2, 30], 20, 0.1, 5),
    caseOf([9, 40], 7),
    caseOf([64, 64], 132, 0.05),
    caseOf([200], 64),
  ],
  benchCases: [caseOf(new Array<number>(16).fill(64), 1024)],
  // Cosines are good to about 1e-7, and divided by τ.
  tolerance: { absolute: 1e-4, relative: 1e-4 },
});
