/**
 * Splits a fused query, key and value projection into heads with rotary positions, and the gradient of that.
 * `queryScale` multiplies queries: attention's own scale is fixed at 1 / √headDim, and models that want another one
 * have the quotient here. The first `rotaryDim` elements of a head are turned, and those of queries multiplied by
 * `rotaryScale` too; the others are left as they are.
 */
import shader from '../shaders/rope.wgsl';
import {
  type BindingSpec,
  defineKernel,
  foldWorkgroups,
  type KernelCase,
  type KernelSpec,
  type Variant,
} from './spec.ts';
import { withStorage } from './storage.ts';

type RopeParams = {
  rows: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Even, at most headDim. */
  rotaryDim: number;
  queryScale: number;
  rotaryScale: number;
};

const read: BindingSpec = { dtype: 'f32', access: 'read' };
const write: BindingSpec = { dtype: 'f32', access: 'write' };
const fields = {
  rows: 'u32',
  heads: 'u32',
  kvHeads: 'u32',
  headDim: 'u32',
  rotaryDim: 'u32',
  queryScale: 'f32',
  rotaryScale: 'f32',
} as const;
const tables = { positions: { dtype: 'u32', access: 'read' }, frequencies: read } as const;

function variants(vectorised: readonly string[], backward: boolean): readonly Variant<RopeParams>[] {
  const layouts = [
    {
      label: 'heads',
      constants: { WORKGROUP: 32, LOOP: true },
      prefer: ({ kind }: { kind: string }) => kind === 'cpu',
    },
    { label: 'head', constants: { WORKGROUP: 64, LOOP: false } },
  ];
  const elements = [
    {
      name: 'vec4',
      constants: { WIDTH: 4, ELEMENT: 'vec4<f32>' },
      vector: Object.fromEntries(vectorised.map((name) => [name, 4 as const])),
    },
    { name: 'scalar', constants: { WIDTH: 1, ELEMENT: 'f32' }, vector: {} },
  ];
  return layouts.flatMap((layout) =>
    elements.map((element) => ({
      ...layout,
      label: `${layout.label}.${element.name}.f32`,
      constants: { ...layout.constants, ...element.constants, BACKWARD: backward },
      vector: element.vector,
      requires: (_, { headDim, rotaryDim }) => element.name === 'scalar' || (headDim % 8 === 0 && rotaryDim % 8 === 0),
    })),
  );
}

const headsOf = ({ heads, kvHeads }: RopeParams) => heads + 2 * kvHeads;
const dispatch: KernelSpec<RopeParams>['dispatch'] = (params, { WORKGROUP, WIDTH, LOOP }) =>
  foldWorkgroups(
    Math.ceil(
      (params.rows * (LOOP ? 1 : headsOf(params)) * (params.headDim / (2 * Number(WIDTH)))) / Number(WORKGROUP),
    ),
  );
const cost: KernelSpec<RopeParams>['cost'] = (params) => {
  const size = params.rows * headsOf(params) * params.headDim;
  return { flops: 3 * size, bytes: 4 * (2 * size + params.rows) };
};

/**
 * Calls `visit` for every pair of elements: `fused` and `fused + apart` in qkv are `part` and `part + apart` in `name`,
 * which are turned and scaled by multiplication with the complex number cos + i · sin. Values are not turned, nor are
 * the elements beyond `rotaryDim`, which form pairs among themselves.
 */
function eachPair(
  { rows, heads, kvHeads, headDim, rotaryDim, queryScale, rotaryScale }: RopeParams,
  { positions, frequencies }: Readonly<Record<string, Float64Array>>,
  visit: (name: 'q' | 'k' | 'v', fused: number, part: number, apart: number, cos: number, sin: number) => void,
): void {
  const [pairs, turnedPairs] = [headDim / 2, rotaryDim / 2];
  const parts = [
    { name: 'q', count: heads, first: 0 },
    { name: 'k', count: kvHeads, first: heads },
    { name: 'v', count: kvHeads, first: heads + kvHeads },
  ] as const;
  for (let row = 0; row < rows; row++) {
    for (const { name, count, first } of parts) {
      for (let head = 0; head < count; head++) {
        for (let i = 0; i < pairs; i++) {
          const isTurned = i < turnedPairs;
          const at = isTurned ? i : i + turnedPairs;
          const fused = (row * (heads + 2 * kvHeads) + first + head) * headDim + at;
          // The device's angle is a float32 product.
          const angle = name === 'v' || !isTurned ? 0 : Math.fround(positions![row]! * frequencies![i]!);
          const scale = name === 'q' ? queryScale * (isTurned ? rotaryScale : 1) : 1;
          const part = (row * count + head) * headDim + at;
          const apart = isTurned ? turnedPairs : pairs - turnedPairs;
          visit(name, fused, part, apart, scale * Math.cos(angle), scale * Math.sin(angle));
        }
      }
    }
  }
}

type RopeShape = Pick<RopeParams, 'rows' | 'heads' | 'kvHeads' | 'headDim'> & Partial<RopeParams>;

function caseOf(shape: RopeShape, positionStep = 1): KernelCase<RopeParams> {
  const { rows, headDim } = shape;
  return {
    params: { rotaryDim: headDim, queryScale: 1, rotaryScale: 1, ...shape },
    inputs: () => ({
      positions: Array.from({ length: rows }, (_, row) => (row % 100) * positionStep),
      frequencies: Array.from({ length: headDim / 2 }, (_, i) => 10_000 ** ((-2 * i) / headDim)),
    }),
  };
}

const cases: readonly KernelCase<RopeParams>[] = [
  caseOf({ rows: 1, heads: 1, kvHeads: 1, headDim: 2 }),
  caseOf({ rows: 0, heads: 2, kvHeads: 1, headDim: 8 }),
  caseOf({ rows: 5, heads: 3, kvHeads: 1, headDim: 12 }),
  caseOf({ rows: 70, heads: 4, kvHeads: 2, headDim: 16 }),
  { ...caseOf({ rows: 50, heads: 2, kvHeads: 1, headDim: 8 }, 601), note: 'far positions' },
  { ...caseOf({ rows: 6, heads: 2, kvHeads: 1, headDim: 8, queryScale: 1.75 }), note: 'scaled queries' },
  {
    ...caseOf({ rows: 9, heads: 3, kvHeads: 1, headDim: 32, rotaryDim: 24, queryScale: 1.75, rotaryScale: 1.5 }),
    note: 'heads that are turned in part',
  },
  { ...caseOf({ rows: 5, heads: 2, kvHeads: 2, headDim: 16, rotaryDim: 6 }), note: 'three pairs that are turned' },
];
const benchCases = [caseOf({ rows: 8192, heads: 4, kvHeads: 2, headDim: 16 })];
const tuningCase = (params: RopeParams) => caseOf(params);
// Sine and cosine to 1e-7, two products and a sum.
const tolerance = { absolute: 2e-6, relative: 1e-6 };

/** q, k [rows, heads or kvHeads, headDim] turned by their position, v as it is. */
const split = defineKernel<RopeParams>({
  name: 'splitHeadsWithRope',
  shader,
  bindings: { qkv: read, ...tables, q: write, k: write, v: write },
  params: fields,
  variants: variants(['qkv', 'frequencies', 'q', 'k', 'v'], false),
  sizes: (params) => {
    const { rows, heads, kvHeads, headDim } = params;
    return {
      qkv: rows * headsOf(params) * headDim,
      positions: rows,
      frequencies: headDim / 2,
      q: rows * heads * headDim,
      k: rows * kvHeads * headDim,
      v: rows * kvHeads * headDim,
    };
  },
  dispatch,
  cost,
  reference: ({ qkv, ...rest }, params) => {
    const { rows, heads, kvHeads, headDim } = params;
    const parts = {
      q: new Float64Array(rows * heads * headDim),
      k: new Float64Array(rows * kvHeads * headDim),
      v: new Float64Array(rows * kvHeads * headDim),
    };
    eachPair(params, rest, (name, fused, part, apart, cos, sin) => {
      const [a, b] = [qkv![fused]!, qkv![fused + apart]!];
      parts[name][part] = a * cos - b * sin;
      parts[name][part + apart] = b * cos + a * sin;
    });
    return parts;
  },
  cases,
  benchCases,
  tuningCase,
  tolerance,
});

/** In float32, and with q, k and v in f16. */
export const splitHeadsWithRope = { f32: withStorage(split), f16: withStorage(split, ['q', 'k', 'v']) } as const;

const join = defineKernel<RopeParams>({
  name: 'splitHeadsWithRopeBackward',
  shader,
  bindings: { dq: read, dk: read, dv: read, ...tables, dqkv: write },
  params: fields,
  variants: variants(['dq', 'dk', 'dv', 'frequencies', 'dqkv'], true),
  sizes: (params) => {
    const { rows, heads, kvHeads, headDim } = params;
    return {
      dq: rows * heads * headDim,
      dk: rows * kvHeads * headDim,
      dv: rows * kvHeads * headDim,
      positions: rows,
      frequencies: headDim / 2,
      dqkv: rows * headsOf(params) * headDim,
    };
  },
  dispatch,
  cost,
  reference: ({ dq, dk, dv, ...rest }, params) => {
    const gradients = { q: dq!, k: dk!, v: dv! };
    const dqkv = new Float64Array(params.rows * headsOf(params) * params.headDim);
    eachPair(params, rest, (name, fused, part, apart, cos, sin) => {
      const [a, b] = [gradients[name][part]!, gradients[name][part + apart]!];
      dqkv[fused] = a * cos + b * sin;
      dqkv[fused + apart] = b * cos - a * sin;
    });
    return { dqkv };
  },
  cases,
  benchCases,
  tuningCase,
  tolerance,
});

/** Gradient of `splitHeadsWithRope` in qkv. */
export const splitHeadsWithRopeBackward = withStorage(join);
