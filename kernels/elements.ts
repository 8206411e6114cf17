/**
 * What kernels that handle a flat array element by element share (`shaders/lib/elements.wgsl`): their variants and
 * grids.
 */
import { type Constants, type Dispatch, type Dtype, foldWorkgroups, type Variant } from './spec.ts';

/**
 * One element an invocation for GPUs, runs of 16 for software adapters, where starting an invocation costs more than an
 * element. Each with vec4 elements where the count allows.
 * @param bindings those that hold the elements
 * @param dtype of the elements; the shader names their type `ELEMENT`
 */
export function elementVariants<P extends { readonly count: number }>(
  bindings: readonly string[],
  constants: Constants = {},
  dtype: Dtype = 'f32',
): readonly Variant<P>[] {
  const elements = [
    {
      name: 'vec4',
      constants: { WIDTH: 4, ELEMENT: `vec4<${dtype}>` },
      vector: Object.fromEntries(bindings.map((name) => [name, 4 as const])),
    },
    { name: 'scalar', constants: { WIDTH: 1, ELEMENT: dtype }, vector: {} },
  ];
  const layouts: readonly Pick<Variant<P>, 'label' | 'constants' | 'prefer'>[] = [
    { label: 'run16', constants: { WORKGROUP: 16, RUN: 16 }, prefer: ({ kind }) => kind === 'cpu' },
    { label: 'single', constants: { WORKGROUP: 64, RUN: 1 } },
  ];
  return layouts.flatMap((layout) =>
    elements.map((element) => ({
      ...layout,
      label: `${layout.label}.${element.name}.${dtype}`,
      constants: { ...constants, ...layout.constants, ...element.constants },
      vector: element.vector,
      requires: (_, { count }) => element.name === 'scalar' || count % 4 === 0,
    })),
  );
}

export function elementDispatch({ count }: { readonly count: number }, { WORKGROUP, RUN, WIDTH }: Constants): Dispatch {
  return foldWorkgroups(Math.ceil(count / (Number(WORKGROUP) * Number(RUN) * Number(WIDTH))));
}
