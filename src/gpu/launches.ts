/**
 * Dispatches before they are listed: a kernel with its parameters and buffers, in parts where it would run too long.
 */
import type { Dispatch, KernelSpec, Params, Variant } from '../../kernels/spec.ts';
import type { BufferRange } from './bindGroups.ts';
import type { GpuContext } from './context.ts';
import type { GridPart } from './gridParts.ts';
import type { Kernel } from './pipelines.ts';

/** What a kernel is to run on. */
export interface LaunchRequest {
  readonly spec: KernelSpec;
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
  /** Which of the grid's workgroups these are; null if they are all. */
  readonly part: GridPart | null;
}

/**
 * One launch, or several that do its work in parts, none longer than a submit may be.
 * @throws {ProxmoError} `gpu-error` if the kernel does not compile
 */
export async function prepareLaunches(gpu: GpuContext, request: LaunchRequest): Promise<readonly Launch[]> {
  const { variant, ...rest } = request;
  const { spec, params } = rest;
  const grid = spec.dispatch(params, variant.constants);
  const parts = gpu.pace.partsOf(spec, params, grid);
  // An empty grid has no parts.
  if (parts.length <= 1) {
    return [{ ...rest, kernel: await gpu.pipelines.get(spec, variant), dispatch: grid, part: null }];
  }
  const kernel = await gpu.pipelines.getForParts(spec, variant);
  return parts.map((part) => ({ ...rest, kernel, dispatch: part.size, part }));
}
