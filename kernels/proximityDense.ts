/**
 * Softmax-weighted baselines over the rows of a group, by the cosine similarity of dense rows, in one kernel
 * (`shaders/proximity_dense.wgsl`).
 */
import shader from '../shaders/proximity_dense.wgsl';
import { readsLanes } from './lanes.ts';
import { tunedGroup } from './proximity.ts';
import { type BindingSpec, defineKernel, foldWorkgroups, type KernelCase, type Variant } from './spec.ts';

type ProximityDenseParams = { rows: number; features: number; temperature: number };

const read: BindingSpec = { dtype: 'f32', access: 'read' };

/** Side of the tile of queries and keys that a workgroup of the tile variant holds. */
const side = 16;
/**
 * A workgroup holds the products of `rowsEach · lanes` rows with each other and takes `depth` features at a time. More
 * rows take fewer reads a product, until the code outgrows the instruction cache, which is why lavapipe takes two
 * features and not four.
 */
function subgroupVariant(lanes: number, rowsEach: number, depth: 2 | 4): Variant<ProximityDenseParams> {
  return {
    label: `subgroup${lanes}.f32.${rowsEach * lanes}x${depth}`,
    constants: { SUBGROUP: true, ...readsLanes(lanes), ROWS: rowsEach, DEPTH: depth, BLOCK: rowsEach * lanes },
    vector: { x: depth, ranges: 2 },
    subgroupSize: lanes,
    requires: (_, { features }) => features % depth === 0,
    prefer: ({ kind }) => kind === 'cpu',
  };
}

/** Rows in groups of the given sizes, then `padding` rows of no group. */
function caseOf(
  groups: readonly number[],
  features: number,
  temperature = 0.1,
  padding = 0,
): KernelCase<ProximityDenseParams> {
  const ranges: number[] = [];
  for (const size of groups) {
    const first = ranges.length / 2;
    for (let i = 0; i < size; i++) ranges.push(first, first + size);
  }
  ranges.push(...new Array<number>(2 * padding).fill(0));
  return { params: { rows: ranges.length / 2, features, temperature }, inputs: () => ({ ranges }) };
}

/** The same with rows of zeros among the others. */
function withZeros({ params, inputs }: KernelCase<ProximityDenseParams>): KernelCase<ProximityDenseParams> {
  const { rows, features } = params;
  const value = (at: number, random: () => number) => (Math.floor(at / features) % 3 === 1 ? 0 : random());
  return {
    params,
    note: 'rows of zeros',
    inputs: (random) => ({
      ...inputs?.(random),
      x: Array.from({ length: rows * features }, (_, at) => value(at, random)),
    }),
  };
}

export const proximityDense = defineKernel<ProximityDenseParams>({
  name: 'proximityDense',
  shader,
  bindings: {
    x: read,
    ranges: { dtype: 'u32', access: 'read' },
    returns: read,
    baseline: { dtype: 'f32', access: 'write' },
    totals: { dtype: 'f32', access: 'write' },
  },
  params: { rows: 'u32', features: 'u32', temperature: 'f32' },
  variants: [
    subgroupVariant(4, 4, 4),
    subgroupVariant(8, 8, 2),
    {
      label: `tile.f32.${side}x${side}`,
      constants: { SUBGROUP: false, SIDE: side, BLOCK: side },
      vector: { ranges: 2 },
    },
  ],
  sizes: ({ rows, features }) => ({
    x: rows * features,
    ranges: 2 * rows,
    returns: rows,
    baseline: rows,
    totals: rows,
  }),
  dispatch: ({ rows }, { BLOCK }) => foldWorkgroups(Math.ceil(rows / Number(BLOCK))),
  // The work depends on the sizes of groups, which are data; this is the cost of one group.
  cost: ({ rows, features }) => ({
    flops: 2 * rows * rows * features + 10 * rows * rows,
    bytes: 4 * rows * (features + 5),
  }),
  reference: ({ x, ranges, returns }, { rows, features, temperature }) => {
    const row = (index: number) => x!.subarray(index * features, (index + 1) * features);
    const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const norms = Float64Array.from({ length: rows }, (_, index) => Math.sqrt(dot(row(index), row(index))));
    // A row of zeros has cosine 0 with every row.
    const cosine = (a: number, b: number) => dot(row(a), row(b)) / (norms[a]! * norms[b]! || 1);
    const [baseline, totals] = [new Float64Array(rows), new Float64Array(rows)];
    for (let query = 0; query < rows; query++) {
      let weighted = 0;
      for (let key = ranges![2 * query]!; key < ranges![2 * query + 1]!; key++) {
        const weight = Math.exp(Math.max((cosine(query, key) - 1) / temperature, -80));
        totals[query]! += weight;
        weighted += weight * returns![key]!;
      }
      if (totals[query]! > 0) baseline[query] = weighted / totals[query]!;
    }
    return { baseline, totals };
  },
  cases: [
    caseOf([1], 4),
    caseOf([], 8),
    caseOf([1, 37, 2, 30], 20, 0.1, 5),
    caseOf([9, 40], 7),
    caseOf([64, 64], 132, 0.05),
    caseOf([200], 64),
    caseOf([5, 30, 44, 20, 130, 3, 64, 90], 12),
    withZeros(caseOf([7, 70], 8, 0.005)),
  ],
  benchCases: [caseOf(new Array<number>(16).fill(64), 1024)],
  tuningCase: ({ rows, features, temperature }) => {
    const [whole, rest] = [Math.floor(rows / tunedGroup), rows % tunedGroup];
    return caseOf([...new Array<number>(whole).fill(tunedGroup), ...(rest > 0 ? [rest] : [])], features, temperature);
  },
  // Cosines are good to about 1e-7, and divided by τ.
  tolerance: { absolute: 1e-4, relative: 1e-4 },
});
