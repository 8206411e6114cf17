/**
 * What a bench measures: kernels and workloads by a part of their name, without those that would take the adapter too
 * long.
 */
import type { AdapterProfile, KernelSpec } from '../../../kernels/spec.ts';
import { ProxmoError } from '../../base/errors.ts';
import { nearestKey } from '../../base/nearestKey.ts';
import type { Workload } from './workload.ts';

/**
 * Kernels and workloads by a part of a kernel's name, or of a workload's name and shape.
 * @throws {ProxmoError} `usage` if it names nothing
 */
export function namedWork(filter: string, kernels: readonly KernelSpec[], workloads: readonly Workload[]) {
  const specs = kernels.filter(({ name }) => name.includes(filter));
  const named = workloads.filter(({ name, shape }) => `${name} ${shape}`.includes(filter));
  if (specs.length + named.length === 0) {
    const names = [...new Set(workloads.map(({ name }) => name))];
    const meant = nearestKey(filter, [...names, ...kernels.map(({ name }) => name)]);
    const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
    throw new ProxmoError(
      'usage',
      `Nothing is called ${filter}${hint}; there are the kernels, and ${names.join(', ')}.`,
    );
  }
  return { specs, workloads: named };
}

/**
 * Workloads that are measured, and large ones that are not: these are where `full` says so, or where nothing else is
 * named.
 */
export function withoutLarge(
  profile: AdapterProfile,
  workloads: readonly Workload[],
  full: boolean,
): { readonly measured: readonly Workload[]; readonly leftOut: readonly Workload[] } {
  const large = workloads.filter(({ isLarge }) => isLarge?.(profile));
  const leftOut = full || large.length === workloads.length ? [] : large;
  return { measured: workloads.filter((workload) => !leftOut.includes(workload)), leftOut };
}
