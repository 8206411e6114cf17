/**
 * Dispatches before they are listed: a kernel with its parameters and buffers, in parts where it would run too long.
 */
import type { Dispatch, Params, RunnableKernel, Variant } from '../../kernels/spec.ts';
import type { BufferRange } from './bindGroups.ts';
import type { GpuContext } from './context.ts';
import type { Kernel } from './pipelines.ts';

/** What a kernel is to run on. */
export interface LaunchRequest {
  readonly spec: RunnableKernel;
  readonly variant: Variant;
  readonly params: Params;
  /** The part of the model that it belongs to, for profiles. */
  readonly scope?: string;
  /** In the order of the spec's bindings. */
  readonly ranges: readonly BufferRange[];
}

export interface Launch extends Omit<LaunchRequest, 'variant'> {
  readonly kernel: Kernel;
  /** In workgroups. */
  readonly dispatch: Dispatch;
  /** Where it is a part of its grid; null if it is all of it. */
  readonly part: LaunchedPart | null;
}

/** A launch of some of a grid's workgroups. */
export interface LaunchedPart {
  /** The kernel that is told which of them, and its parameters. */
  readonly spec: RunnableKernel;
  readonly params: Params;
  /** How many of the grid's workgroups they are, of 1. */
  readonly share: number;
}

/**
 * One launch, or several that do its work in parts, none longer than a submit may be.
 * @throws {ProxmoError} `gpu-error` if the kernel does not compile
 */
export async function prepareLaunches(gpu: GpuContext, request: LaunchRequest): Promise<readonly Launch[]> {
  const { variant, ...rest } = request;
  const { spec, params } = rest;
  const grid = spec.dispatch(params, variant.constants);
  const whole = async () => [{ ...rest, kernel: await gpu.pipelines.get(spec, variant), dispatch: grid, part: null }];
  const count = gpu.pace.partsOf(spec.cost(params));
  if (count <= 1) return whole();
  // Few programs come so far: what divides a grid is loaded when one does.
  const { formOfParts, launchedPart, partsOfGrid } = await import('./gridParts.ts');
  const parts = partsOfGrid(grid, count);
  // An empty grid has none, and a single workgroup is not divided.
  if (parts.length <= 1) return whole();
  const kernel = await gpu.pipelines.get(spec, variant, formOfParts);
  return parts.map((part) => ({ ...rest, kernel, dispatch: part.size, part: launchedPart(spec, params, part) }));
}
