/**
 * Dispatches in parts: some of a grid's workgroups at a time, each of which computes what it computes in the whole
 * grid. WebGPU's grids begin at 0, so the code of such a kernel adds where its part begins, from its parameters.
 *
 * A workgroup cannot be divided. Where a kernel's grid is one workgroup, as in the last stage of a reduction, or one
 * workgroup works long, as in attention over very long sequences, a part is one workgroup at least.
 */
import { assembleShader, type Dispatch, type Params, type RunnableKernel } from '../../kernels/spec.ts';
import type { LaunchedPart } from './launches.ts';
import type { KernelForm } from './pipelines.ts';

/** A box of workgroups in a grid. */
export interface GridPart {
  readonly first: Dispatch;
  readonly size: Dispatch;
  /** The whole grid. */
  readonly grid: Dispatch;
}

/** Parameters of a part, after the kernel's own. */
const partFields = { partX: 'u32', partY: 'u32', partZ: 'u32', gridX: 'u32', gridY: 'u32', gridZ: 'u32' } as const;

/** Cuts a grid into at least `count` parts of about equal size, or into single workgroups where there are fewer. */
export function partsOfGrid(grid: Dispatch, count: number): GridPart[] {
  const [x, y, z] = grid;
  const alongZ = cut(z, count);
  const alongY = cut(y, count / alongZ.length);
  const alongX = cut(x, count / alongZ.length / alongY.length);
  return alongZ.flatMap((deep) =>
    alongY.flatMap((high) =>
      alongX.map((wide) => ({
        first: [wide.first, high.first, deep.first] as const,
        size: [wide.size, high.size, deep.size] as const,
        grid,
      })),
    ),
  );
}

/** A kernel for parts of its grid: its parameters end with those of a part. */
export const formOfParts: KernelForm = {
  label: ' in parts',
  code: async (spec, variant, adapter) => codeOfParts(await assembleShader(withPartFields(spec), variant, adapter)),
};

/** What a launch of a part of a kernel's grid is told. */
export function launchedPart(spec: RunnableKernel, params: Params, part: GridPart): LaunchedPart {
  const [partX, partY, partZ] = part.first;
  const [gridX, gridY, gridZ] = part.grid;
  return {
    spec: withPartFields(spec),
    params: { ...params, partX, partY, partZ, gridX, gridY, gridZ },
    share: part.size.reduce((product, count, axis) => (product * count) / (part.grid[axis] ?? 1), 1),
  };
}

function withPartFields<P extends Params>(spec: RunnableKernel<P>): RunnableKernel<P> {
  return { ...spec, params: { ...spec.params, ...partFields } };
}

/** For each builtin value that tells of the grid, what it is in a part; `$` is its value in the dispatch. */
const builtins: Readonly<Record<string, string>> = {
  workgroup_id: '$ + vec3(params.partX, params.partY, params.partZ)',
  num_workgroups: 'vec3(params.gridX, params.gridY, params.gridZ)',
  global_invocation_id: '$ + vec3<u32>(SIZE) * vec3(params.partX, params.partY, params.partZ)',
};

/**
 * Makes the whole code of a kernel that of its parts.
 * @param code with the fields of `withPartFields` in its parameters
 */
function codeOfParts(code: string): string {
  const size = /@workgroup_size\(([^)]*)\)/.exec(code)?.[1];
  const entry = /fn main\(([\s\S]*?)\)\s*\{/.exec(code);
  if (!entry || size === undefined) throw new Error('a kernel has no entry point main');
  const lines: string[] = [];
  const declared = (entry[1] ?? '').replace(
    /@builtin\((\w+)\)(\s+)(\w+)/g,
    (whole, builtin: string, space: string, name: string) => {
      const value = builtins[builtin];
      if (!value) return whole;
      lines.push(`  let ${name} = ${value.replace('$', `${name}OfPart`).replace('SIZE', threeSizes(size))};`);
      return `@builtin(${builtin})${space}${name}OfPart`;
    },
  );
  const before = code.slice(0, entry.index);
  return [`${before}fn main(${declared}) {`, ...lines].join('\n') + code.slice(entry.index + entry[0].length);
}

function threeSizes(size: string): string {
  const sizes = size.split(',').map((text) => text.trim());
  return [sizes[0] ?? '1', sizes[1] ?? '1', sizes[2] ?? '1'].join(', ');
}

/** Cuts an axis into at least `count` ranges, or into single workgroups. */
function cut(extent: number, count: number): { readonly first: number; readonly size: number }[] {
  const size = Math.max(1, Math.floor(extent / Math.max(1, count)));
  const ranges = Math.ceil(extent / size);
  return Array.from({ length: ranges }, (_, index) => ({
    first: index * size,
    size: Math.min(size, extent - index * size),
  }));
}
