/**
 * Matrix products with weights that stay packed (kernels/packed.ts): `nt`, A[m, k] · W[n, k]ᵀ, of a linear layer, and
 * `nn`, A[m, k] · W[k, n], of its gradient in x. W's rows run along k in the one and along n in the other. They are the
 * products of float32 (kernels/matmul.ts) with the widened matrix, with the same bits where variants sum alike.
 */
import shader from '../shaders/matmul.wgsl';
import { matmulName } from './matmul.ts';
import { multiply } from './matmulReference.ts';
import { type MatmulLayout, type MatmulParams, matmulVariants, tilesOf } from './matmulVariants.ts';
import {
  blockValues,
  type PackedType,
  packedBytes,
  packedRowWords,
  packedTypes,
  randomPacked,
  widened,
} from './packed.ts';
import { defineKernel, elementBytes, foldWorkgroups, type KernelCase, type KernelSpec } from './spec.ts';

type PackedLayout = Exclude<MatmulLayout, 'tn'>;

interface PackedForm {
  readonly layout: PackedLayout;
  /** C has a bias for each column. */
  readonly bias: boolean;
  /** How W is packed. */
  readonly b: PackedType;
}

function packedMatmul(form: PackedForm): KernelSpec<MatmulParams> {
  const { layout, bias, b: type } = form;
  const sizeOfB = ({ n, k }: MatmulParams) => (layout === 'nt' ? ([n, k] as const) : ([k, n] as const));
  const withB = (params: MatmulParams, note?: string): KernelCase<MatmulParams> => ({
    params,
    inputs: (random) => ({ b: randomPacked(type, ...sizeOfB(params), random) }),
    ...(note === undefined ? {} : { note }),
  });
  return defineKernel<MatmulParams>({
    name: matmulName(form),
    shader,
    bindings: {
      a: { dtype: 'f32', access: 'read' },
      b: { dtype: 'u32', access: 'read' },
      ...(bias ? { bias: { dtype: 'f32', access: 'read' } } : {}),
      c: { dtype: 'f32', access: 'write' },
    },
    params: { m: 'u32', n: 'u32', k: 'u32', batch: 'u32', splits: 'u32' },
    variants: matmulVariants(form),
    sizes: (params) => {
      const [rows, columns] = sizeOfB(params);
      const { m, n, k } = params;
      return { a: m * k, b: rows * packedRowWords(type, columns), ...(bias ? { bias: n } : {}), c: m * n };
    },
    dispatch: (params, { TILE_M, TILE_N }) =>
      foldWorkgroups(tilesOf(params, { rows: Number(TILE_M), columns: Number(TILE_N) })),
    cost: (params) => {
      const { m, n, k } = params;
      const [rows, columns] = sizeOfB(params);
      return { flops: 2 * m * n * k, bytes: elementBytes.f32 * m * (k + n) + packedBytes(type, rows, columns) };
    },
    reference: (inputs, params) => ({
      c: multiply(layout, { ...inputs, b: widened(type, inputs.b!, ...sizeOfB(params)) }, params),
    }),
    cases: shapes[bias ? 'bias' : layout](blockValues(type)).map(([m, n, k, note]) => withB(product(m, n, k), note)),
    benchCases: benchShapes[layout].map(([m, n, k]) => withB(product(m, n, k))),
    tuningCase: (params) => withB(params),
    // Sums of up to 770 products of standard normal numbers with numbers of about 1, rounded at each addition.
    tolerance: { absolute: 3e-4, relative: 1e-5 },
  });
}

function product(m: number, n: number, k: number): MatmulParams {
  return { m, n, k, batch: 1, splits: 1 };
}

type Shape = readonly [m: number, n: number, k: number, note?: string];

/** Shapes to test, where rows of W are whole blocks of so many values. */
const shapes: Readonly<Record<PackedLayout | 'bias', (block: number) => readonly Shape[]>> = {
  nt: (block) => [
    [1, 37, block, 'one row'],
    [3, 70, 3 * block, 'few rows'],
    [8, 33, 2 * block, 'few rows'],
    [0, 4, block],
    [4, 8, 0, 'nothing to sum'],
    [35, 68, block],
  ],
  bias: (block) => [
    [1, 37, block, 'one row'],
    [35, 20, block],
  ],
  nn: (block) => [
    [1, block, 37, 'lines of A are no quads'],
    [33, 3 * block, 20],
    [4, block, 0, 'nothing to sum'],
  ],
};

/** A step of decoding, a few at once, and a layer of a batch. */
const benchShapes: Readonly<Record<PackedLayout, readonly Shape[]>> = {
  nt: [
    [1, 4096, 1024],
    [8, 4096, 1024],
    [512, 512, 512],
  ],
  nn: [[512, 512, 512]],
};

export const packedMatmulKernels: readonly KernelSpec<MatmulParams>[] = packedTypes.flatMap((b) => [
  packedMatmul({ layout: 'nt', bias: false, b }),
  packedMatmul({ layout: 'nt', bias: true, b }),
  packedMatmul({ layout: 'nn', bias: false, b }),
]);

/** The kernel of a product with a packed matrix; none adds a bias in nn. */
export function findPackedMatmul(form: PackedForm): KernelSpec<MatmulParams> | undefined {
  return packedMatmulKernels.find(({ name }) => name === matmulName(form));
}
