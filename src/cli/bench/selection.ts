/**
 * What a bench measures: kernels and workloads by a part of their name, without those that would take the adapter too
 * long.
 */
import type { AdapterProfile, KernelSpec } from '../../../kernels/spec.ts';
import { ProxmoError } from '../../base/errors.ts';
import type { Workload } from './workload.ts';

export interface Selection {
  readonly specs: readonly KernelSpec[];
  readonly workloads: readonly Workload[];
  /** Large workloads that the filter names, too, and that are not measured. */
  readonly leftOut: readonly Workload[];
}

/**
 * Large workloads are measured where `full` says so, or where the filter names nothing else.
 * @param filter part of a kernel's name, or of a workload's name and shape
 * @throws {ProxmoError} `usage` if it names nothing
 */
export function selectWork(
  profile: AdapterProfile,
  { filter, full = false }: { readonly filter: string; readonly full?: boolean },
  kernels: readonly KernelSpec[],
  workloads: readonly Workload[],
): Selection {
  const specs = kernels.filter(({ name }) => name.includes(filter));
  const named = workloads.filter(({ name, shape }) => `${name} ${shape}`.includes(filter));
  if (specs.length + named.length === 0) {
    const names = [...new Set(workloads.map(({ name }) => name))].join(', ');
    throw new ProxmoError('usage', `Nothing is called ${filter}; there are the kernels, and ${names}.`);
  }
  const large = named.filter(({ isLarge }) => isLarge?.(profile));
  const leftOut = full || large.length === named.length ? [] : large;
  return { specs, workloads: named.filter((workload) => !leftOut.includes(workload)), leftOut };
}
