/**
 * Kernels whose operands are read by a stride for each dimension: copies that repeat or transpose, and arithmetic
 * between tensors of different shapes. A row of the table is an expression in WGSL and the same in float64. Up to six
 * dimensions; the ops (`src/ops/strided.ts`) join those that lie one behind the other.
 */
import shader from '../shaders/strided.wgsl';
import { elementDispatch, elementVariants } from './elements.ts';
import { type BindingSpec, defineKernel, type KernelCase, type KernelSpec, type Params, type Variant } from './spec.ts';

/** Dimensions around the innermost one. */
const outer = [0, 1, 2, 3, 4] as const;
export const mostDimensions = outer.length + 1;

/** A dimension of the result: its extent, and by how much an operand's index grows along it. */
export interface StridedDimension {
  readonly extent: number;
  readonly a: number;
  readonly b: number;
}

/** @param dimensions of the result, the innermost first, up to `mostDimensions` */
export function stridedParams(dimensions: readonly StridedDimension[]): Params {
  const none: StridedDimension = { extent: 1, a: 0, b: 0 };
  const [inner = none] = dimensions;
  return {
    count: dimensions.reduce((product, { extent }) => product * extent, 1),
    inner: inner.extent,
    innerA: inner.a,
    innerB: inner.b,
    ...Object.fromEntries(
      outer.flatMap((d) => {
        const { extent, a, b } = dimensions[d + 1] ?? none;
        return [
          [`extent${d}`, extent],
          [`strideA${d}`, a],
          [`strideB${d}`, b],
        ];
      }),
    ),
  };
}

/** The dimensions that parameters describe, the innermost first. */
function dimensionsOf(params: Params): readonly StridedDimension[] {
  return [
    { extent: params.inner!, a: params.innerA!, b: params.innerB! },
    ...outer.map((d) => ({ extent: params[`extent${d}`]!, a: params[`strideA${d}`]!, b: params[`strideB${d}`]! })),
  ];
}

/** Elements that an operand must have: one more than the largest index. */
function sizeBy(params: Params, stride: 'a' | 'b'): number {
  const dimensions = dimensionsOf(params);
  if (dimensions.some(({ extent }) => extent === 0)) return 0;
  return dimensions.reduce((last, each) => last + (each.extent - 1) * each[stride], 1);
}

interface Row {
  readonly name: string;
  /** In terms of `a` and `b`, for scalars and vec4; a copy of `a` has none. */
  readonly wgsl?: string;
  readonly reference: (a: number, b: number) => number;
  /** Default: exact. */
  readonly tolerance?: { readonly absolute: number; readonly relative: number };
  /** Whether `b` is kept away from 0. */
  readonly divides?: boolean;
}

function kernelOfRow({ name, wgsl, reference, tolerance, divides = false }: Row): KernelSpec {
  const isBinary = wgsl !== undefined;
  const read: BindingSpec = { dtype: 'f32', access: 'read' };
  const names = ['a', ...(isBinary ? ['b'] : []), 'y'];
  return defineKernel<Params>({
    name,
    shader,
    bindings: { a: read, ...(isBinary ? { b: read } : {}), y: { dtype: 'f32', access: 'write' } },
    params: Object.fromEntries(Object.keys(stridedParams([])).map((field) => [field, 'u32' as const])),
    variants: variantsOf(names, isBinary, wgsl ?? ''),
    sizes: (params) => ({
      a: sizeBy(params, 'a'),
      ...(isBinary ? { b: sizeBy(params, 'b') } : {}),
      y: params.count!,
    }),
    dispatch: (params, constants) => elementDispatch({ count: params.count! }, constants),
    cost: (params) => ({
      flops: isBinary ? params.count! : 0,
      bytes: 4 * (params.count! + sizeBy(params, 'a') + (isBinary ? sizeBy(params, 'b') : 0)),
    }),
    reference: ({ a, b }, params) => ({
      y: Float64Array.from({ length: params.count! }, (_, i) =>
        reference(a![indexOf(i, params, 'a')]!, b?.[indexOf(i, params, 'b')] ?? 0),
      ),
    }),
    cases: (isBinary ? binaryShapes : copyShapes).map((dimensions) => caseOf(dimensions, divides)),
    benchCases: [caseOf(isBinary ? biasShape : transposeShape, divides)],
    tuningCase: (params) => ({ params, ...(divides ? { inputs: awayFromZero(params) } : {}) }),
    tolerance: tolerance ?? { absolute: 0, relative: 0 },
  });
}

/** Element `i` of the result is made from this element of an operand. */
function indexOf(i: number, params: Params, stride: 'a' | 'b'): number {
  let [rest, index] = [i, 0];
  for (const each of dimensionsOf(params)) {
    index += (rest % each.extent) * each[stride];
    rest = Math.floor(rest / each.extent);
  }
  return index;
}

/** Two dimensions are most of what there is; six are all. */
function variantsOf(names: readonly string[], isBinary: boolean, expression: string): readonly Variant<Params>[] {
  return [1, outer.length].flatMap((depth) =>
    elementVariants<{ count: number }>(names, { BINARY: isBinary, EXPRESSION: expression, OUTER: depth }).map(
      (variant): Variant<Params> => ({
        ...(variant as unknown as Variant<Params>),
        label: `dimensions${depth + 1}.${variant.label}`,
        constants: {
          ...variant.constants,
          EXPRESSION: expression.replaceAll('$ELEMENT', String(variant.constants.ELEMENT)),
        },
        requires: (_, params) =>
          dimensionsOf(params).every(({ extent }, index) => index <= depth || extent === 1) &&
          (!variant.vector?.y || isInFours(params, isBinary)),
      }),
    ),
  );
}

/** Whether four neighbours of the result are made from four neighbours of each operand, at a multiple of 4. */
function isInFours(params: Params, isBinary: boolean): boolean {
  const [inner, ...others] = dimensionsOf(params);
  const fits = (stride: 'a' | 'b') => inner![stride] === 1 && others.every((each) => each[stride] % 4 === 0);
  return inner!.extent % 4 === 0 && fits('a') && (!isBinary || fits('b'));
}

const dimension = (extent: number, a: number, b = 0): StridedDimension => ({ extent, a, b });

/** One element, none, a repeated element, a transposed matrix, one in fours, and six dimensions in another order. */
const copyShapes: readonly (readonly StridedDimension[])[] = [
  [],
  [dimension(0, 1)],
  [dimension(65, 0)],
  [dimension(37, 70), dimension(70, 1)],
  [dimension(8, 1), dimension(5, 24), dimension(3, 8)],
  [2, 3, 2, 5, 3, 2].map((extent, d) => dimension(extent, [180, 60, 1, 2, 10, 30][d]!)),
];
const transposeShape = [dimension(1024, 1024), dimension(1024, 1)];

/** One element, none, equal shapes, one row for all, one column for all, an outer product, six dimensions. */
const binaryShapes: readonly (readonly StridedDimension[])[] = [
  [],
  [dimension(0, 1, 1)],
  [dimension(263, 1, 1)],
  [dimension(64, 1, 1), dimension(70, 64, 0)],
  [dimension(7, 1, 0), dimension(11, 7, 1)],
  [dimension(5, 0, 1), dimension(9, 1, 0)],
  [2, 3, 2, 5, 3, 2].map((extent, d) => dimension(extent, [1, 0, 2, 0, 4, 12][d]!, [0, 1, 0, 3, 0, 15][d]!)),
];
const biasShape = [dimension(1024, 1, 1), dimension(1024, 1024, 0)];

function caseOf(dimensions: readonly StridedDimension[], divides: boolean): KernelCase<Params> {
  const params = stridedParams(dimensions);
  return { params, ...(divides ? { inputs: awayFromZero(params) } : {}) };
}

function awayFromZero(params: Params) {
  return (random: () => number) => ({
    b: Array.from({ length: sizeBy(params, 'b') }, () => {
      const value = random();
      return value < 0 ? value - 0.1 : value + 0.1;
    }),
  });
}

/** A rounding, whatever the size of the result. */
const oneRounding = { absolute: 1e-6, relative: 1e-6 };

/** y = a, repeated or transposed. */
export const strided = kernelOfRow({ name: 'strided', reference: (a) => a });

/** a + b */
export const addStrided = kernelOfRow({
  name: 'addStrided',
  wgsl: 'a + b',
  reference: (a, b) => a + b,
  tolerance: oneRounding,
});

/** a − b */
export const subtractStrided = kernelOfRow({
  name: 'subtractStrided',
  wgsl: 'a - b',
  reference: (a, b) => a - b,
  tolerance: oneRounding,
});

/** a · b */
export const multiplyStrided = kernelOfRow({
  name: 'multiplyStrided',
  wgsl: 'a * b',
  reference: (a, b) => a * b,
  tolerance: oneRounding,
});

/** a / b; division in WGSL is good to 2.5 units in the last place. */
export const divideStrided = kernelOfRow({
  name: 'divideStrided',
  wgsl: 'a / b',
  reference: (a, b) => a / b,
  tolerance: oneRounding,
  divides: true,
});

/** 1 where a > b, 0 elsewhere */
export const greaterStrided = kernelOfRow({
  name: 'greaterStrided',
  wgsl: 'select($ELEMENT(0.0), $ELEMENT(1.0), a > b)',
  reference: (a, b) => (a > b ? 1 : 0),
});

export const stridedKernels = [
  strided,
  addStrided,
  subtractStrided,
  multiplyStrided,
  divideStrided,
  greaterStrided,
] as const;
