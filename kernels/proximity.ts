/**
 * Softmax-weighted baselines over the rows of a group, by the similarity of sparse unit vectors
 * (`shaders/proximity.wgsl` has the layout).
 *
 * Sums are float32, so returns should be small against what tells them apart: callers take their group's mean off.
 * `entries` counts the places of the CSR matrix that `columns` and `weights` hold, `features` its columns,
 * `proximityFeatures` at most.
 */
import shader from '../shaders/proximity.wgsl';
import { type Constants, type Dispatch, defineKernel, foldWorkgroups, type KernelCase, type Variant } from './spec.ts';

/** Most columns that a vector may have. */
export const proximityFeatures = 1024;

type ProximityParams = { keys: number; entries: number; features: number; temperature: number };

/**
 * `stride`: similarities that are given for a key, as many as the largest group has keys, or more. `share`: their
 * weight against those of the sparse vectors, from 0 to 1.
 */
type ProximityMixedParams = ProximityParams & { stride: number; share: number };

interface Layout {
  /** Keys of each group. */
  readonly groups: readonly number[];
  /** Entries a key; every fifth key has none. */
  readonly length: number;
  /** Keys in a row that share an owner; 0: no key has one. */
  readonly ownerRun?: number;
  /** Keys after the last group, with empty ranges. */
  readonly padding?: number;
  readonly features?: number;
  readonly temperature?: number;
  readonly note?: string;
}

/** Only its sizes are computed at once: the command line loads all kernels, and uses few of their cases. */
function caseOf(layout: Layout): KernelCase<ProximityParams> {
  const { groups, length, padding = 0, features = proximityFeatures, temperature = 0.1, note } = layout;
  const count = groups.reduce((sum, size) => sum + size, 0);
  const filled = count - Math.floor(count / 5);
  const entries = filled * columnsOf(0, length, features).length;
  return {
    params: { keys: count + padding, entries, features, temperature },
    ...(note === undefined ? {} : { note }),
    inputs: (random) => {
      const { keys, ranges, columns } = csrOf(layout);
      return { keys, ranges, columns, weights: unitWeights(keys, columns.length, random) };
    },
  };
}

/** The columns of the `key`-th key of a group, ascending; each has as many. */
function columnsOf(key: number, length: number, features: number): number[] {
  const row = Array.from({ length }, (_, e) => (7 * key + 3 * e * (e + 1)) % features);
  return [...new Set(row)].sort((a, b) => a - b);
}

function csrOf({ groups, length, ownerRun = 0, padding = 0, features = proximityFeatures }: Layout) {
  const keys: number[] = [];
  const ranges: number[] = [];
  const columns: number[] = [];
  for (const size of groups) {
    const start = keys.length / 4;
    for (let i = 0; i < size; i++) {
      const first = columns.length;
      if ((start + i) % 5 !== 4) columns.push(...columnsOf(i, length, features));
      keys.push(first, columns.length, ownerRun > 0 ? 1 + Math.floor((start + i) / ownerRun) : 0, 1 + (i % 3));
      ranges.push(start, start + size);
    }
  }
  for (let i = 0; i < padding; i++) {
    keys.push(0, 0, 0, 0);
    ranges.push(0, 0);
  }
  return { keys, ranges, columns };
}

/** Weights of which those of each key have the length 1. */
function unitWeights(keys: readonly number[], entries: number, random: () => number): Float32Array {
  const weights = Float32Array.from({ length: entries }, () => Math.abs(random()) + 0.1);
  for (let key = 0; key < keys.length; key += 4) {
    const own = weights.subarray(keys[key], keys[key + 1]);
    const norm = Math.hypot(...own);
    own.forEach((weight, e) => {
      own[e] = weight / norm;
    });
  }
  return weights;
}

/**
 * Rows of a group that the kernels of sparse and of dense rows are tuned on: the episodes of a task, and a few turns of
 * each.
 */
export const tunedGroup = 64;

/** Keys in groups of one size, with the entries spread evenly among them. */
function evenCase(params: ProximityParams, group = tunedGroup): KernelCase<ProximityParams> {
  const { keys: count, entries, features } = params;
  const length = Math.min(features, Math.floor(entries / Math.max(1, count)));
  const every = Array.from({ length: count }, (_, key) => key);
  const first = (key: number) => key - (key % group);
  const keys = every.flatMap((key) => [key * length, (key + 1) * length, key + 1, 1]);
  const ranges = every.flatMap((key) => [first(key), Math.min(count, first(key) + group)]);
  const columns = new Uint32Array(entries);
  for (let e = 0; e < count * length; e++) {
    const key = Math.floor(e / length);
    // Ascending, and others than its neighbours have.
    columns[e] = Math.floor((((e % length) + (key % 7) / 7) * features) / length);
  }
  return { params, inputs: (random) => ({ keys, ranges, columns, weights: unitWeights(keys, entries, random) }) };
}

/**
 * Columns of the tables for few words: drivers compile the zeroing of a table, in a tenth of the time that one of
 * `proximityFeatures` columns takes.
 */
const fewFeatures = 256;

/**
 * For software drivers whose subgroups have just this many lanes, with tables of so many columns. Two queries a lane:
 * each needs a table.
 */
function subgroupVariant<P extends ProximityParams>(lanes: number, columns: number): Variant<P> {
  return {
    label: `subgroup${lanes}.f32.${2 * lanes}x${columns}`,
    constants: { SUBGROUP: true, LANES: lanes, QUERIES: 2, FEATURES: columns },
    vector: { keys: 4, ranges: 2 },
    subgroupSize: lanes,
    requires: (_, { features }) => features <= columns,
    prefer: ({ kind }) => kind === 'cpu',
  };
}

function variantsOf<P extends ProximityParams>(MIXED: boolean): readonly Variant<P>[] {
  const variants: readonly Variant<P>[] = [
    ...[fewFeatures, proximityFeatures].flatMap((columns) => [4, 8].map((lanes) => subgroupVariant<P>(lanes, columns))),
    {
      label: 'table.f32.64',
      constants: { SUBGROUP: false, TABLE: true, WORKGROUP: 64, FEATURES: proximityFeatures },
      vector: { keys: 4, ranges: 2 },
      // SwiftShader takes seconds to compile the zeroing of a table of this size.
      requires: ({ driver }) => driver !== 'swiftshader',
      prefer: ({ kind }) => kind === 'gpu',
    },
    {
      label: 'bitmap.f32.64',
      constants: { SUBGROUP: false, TABLE: false, WORKGROUP: 64, FEATURES: proximityFeatures },
      vector: { keys: 4, ranges: 2 },
    },
  ];
  return variants.map((variant) => ({ ...variant, constants: { ...variant.constants, MIXED } }));
}

function dispatchOf({ keys }: ProximityParams, { SUBGROUP, LANES, QUERIES, TABLE, WORKGROUP }: Constants): Dispatch {
  const queries = SUBGROUP ? Number(LANES) * Number(QUERIES) : TABLE ? 1 : Number(WORKGROUP);
  return foldWorkgroups(Math.ceil(keys / queries));
}

const sharedBindings = {
  columns: { dtype: 'u32', access: 'read' },
  weights: { dtype: 'f32', access: 'read' },
  keys: { dtype: 'u32', access: 'read' },
  ranges: { dtype: 'u32', access: 'read' },
  returns: { dtype: 'f32', access: 'read' },
  baseline: { dtype: 'f32', access: 'write' },
} as const;

function sizesOf({ keys, entries }: ProximityParams) {
  return { columns: entries, weights: entries, keys: 4 * keys, ranges: 2 * keys, returns: keys, baseline: keys };
}

export const proximity = defineKernel<ProximityParams>({
  name: 'proximity',
  shader,
  bindings: sharedBindings,
  params: { keys: 'u32', entries: 'u32', features: 'u32', temperature: 'f32' },
  variants: variantsOf(false),
  sizes: sizesOf,
  dispatch: dispatchOf,
  // The work depends on the sizes of groups, which are data; this is the cost of one group.
  cost: ({ keys, entries }) => ({ flops: 2 * keys * entries + 10 * keys * keys, bytes: 4 * (2 * entries + 8 * keys) }),
  reference: (inputs, params) => referenceBaselines(inputs, params),
  cases: [
    caseOf({ groups: [1], length: 3, note: 'one key' }),
    caseOf({ groups: [], length: 0, note: 'no keys' }),
    caseOf({ groups: [3, 5], length: 0, note: 'no entries' }),
    caseOf({ groups: [1, 70, 2, 33], length: 9, padding: 7, note: 'groups of many sizes' }),
    caseOf({ groups: [6, 21], length: 12, ownerRun: 1, note: 'each key left out of its own baseline' }),
    caseOf({ groups: [6, 40], length: 12, ownerRun: 6, note: 'runs of keys left out, one of them a whole group' }),
    caseOf({ groups: [30, 12], length: 20, temperature: 0.001, note: 'sharp softmax' }),
    caseOf({ groups: [200], length: 60 }),
    caseOf({ groups: [5, 40], length: 9, features: 43, note: 'few columns' }),
  ],
  benchCases: [
    caseOf({ groups: new Array<number>(16).fill(64), length: 30 }),
    caseOf({ groups: new Array<number>(16).fill(400), length: 20 }),
    caseOf({ groups: new Array<number>(16).fill(64), length: 6, features: 64 }),
  ],
  tuningCase: (params) => evenCase(params),
  // Logits are inner products of up to 1,024 float32 products (error about 1e-7) divided by τ ≥ 0.001, then
  // exponentials and means of returns of size 1.
  tolerance: { absolute: 5e-4, relative: 1e-4 },
});

/** A case with similarities of other origin beside the vectors. */
function mixedCase(layout: Layout, share: number, spare = 0): KernelCase<ProximityMixedParams> {
  const { params, inputs, ...rest } = caseOf(layout);
  const stride = Math.max(0, ...layout.groups) + spare;
  return { ...rest, params: { ...params, stride, share }, inputs: withGiven(params.keys * stride, inputs!) };
}

function withGiven(count: number, inputs: (random: () => number) => Readonly<Record<string, ArrayLike<number>>>) {
  return (random: () => number) => ({
    ...inputs(random),
    given: Float32Array.from({ length: count }, () => Math.tanh(random())),
  });
}

/** The same with similarities of other origin, alone or beside the vectors. */
export const proximityMixed = defineKernel<ProximityMixedParams>({
  name: 'proximityMixed',
  shader,
  bindings: { ...sharedBindings, given: { dtype: 'f32', access: 'read' } },
  params: { keys: 'u32', entries: 'u32', features: 'u32', temperature: 'f32', stride: 'u32', share: 'f32' },
  variants: variantsOf(true),
  sizes: (params) => ({ ...sizesOf(params), given: params.keys * params.stride }),
  dispatch: dispatchOf,
  cost: ({ keys, entries, stride }) => ({
    flops: 2 * keys * entries + 12 * keys * stride,
    bytes: 4 * (2 * entries + 8 * keys + keys * stride),
  }),
  reference: (inputs, params) => referenceBaselines(inputs, params, params),
  cases: [
    mixedCase({ groups: [1], length: 3, note: 'one key' }, 0.5),
    mixedCase({ groups: [], length: 0, note: 'no keys' }, 0.5, 1),
    mixedCase({ groups: [3, 50], length: 0, note: 'what is given alone' }, 1),
    mixedCase({ groups: [5, 40], length: 9, features: 43, note: 'the vectors alone' }, 0, 3),
    mixedCase({ groups: [1, 70, 2, 33], length: 9, padding: 7, note: 'groups of many sizes' }, 0.3, 5),
    mixedCase({ groups: [6, 40], length: 12, ownerRun: 6, note: 'runs of keys left out, one of them a group' }, 0.7),
    mixedCase({ groups: [30, 12], length: 20, temperature: 0.001, note: 'sharp softmax' }, 0.5),
  ],
  benchCases: [
    mixedCase({ groups: new Array<number>(16).fill(64), length: 30 }, 0.5),
    mixedCase({ groups: new Array<number>(16).fill(400), length: 0 }, 1),
  ],
  tuningCase: (params) => {
    const { stride, share, ...sparse } = params;
    const { inputs } = evenCase(sparse, Math.max(1, Math.min(tunedGroup, stride)));
    return { params, inputs: withGiven(params.keys * stride, inputs!) };
  },
  // As above; the mean of two similarities has the rounding of both.
  tolerance: { absolute: 5e-4, relative: 1e-4 },
});

function referenceBaselines(
  inputs: Readonly<Record<string, Float64Array>>,
  { keys: count, temperature }: ProximityParams,
  mixed: Pick<ProximityMixedParams, 'stride' | 'share'> | null = null,
) {
  const { columns, weights, keys, ranges, returns } = inputs as Record<
    'columns' | 'weights' | 'keys' | 'ranges' | 'returns',
    Float64Array
  >;
  const keyAt = (index: number) => ({
    first: keys[4 * index]!,
    end: keys[4 * index + 1]!,
    owner: keys[4 * index + 2]!,
    rows: keys[4 * index + 3]!,
  });
  const baseline = new Float64Array(count);
  const table = new Float64Array(proximityFeatures);
  for (let query = 0; query < count; query++) {
    const own = keyAt(query);
    table.fill(0);
    for (let entry = own.first; entry < own.end; entry++) table[columns[entry]!] = weights[entry]!;
    const others: { logit: number; rows: number; sum: number }[] = [];
    for (let other = ranges[2 * query]!; other < ranges[2 * query + 1]!; other++) {
      const { first, end, owner, rows } = keyAt(other);
      if (owner !== 0 && owner === own.owner) continue;
      let product = 0;
      for (let entry = first; entry < end; entry++) product += weights[entry]! * table[columns[entry]!]!;
      const given = mixed ? inputs.given![query * mixed.stride + other - ranges[2 * query]!]! : 0;
      const share = mixed?.share ?? 0;
      others.push({
        logit: ((1 - share) * product + share * given) / temperature,
        rows,
        sum: returns[other]!,
      });
    }
    const largest = Math.max(...others.map(({ logit }) => logit));
    let total = 0;
    let weighted = 0;
    for (const { logit, rows, sum } of others) {
      const weight = Math.exp(logit - largest);
      total += weight * rows;
      weighted += weight * sum;
    }
    if (total > 0) baseline[query] = weighted / total;
  }
  return { baseline };
}
