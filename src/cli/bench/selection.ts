/**
 * What a bench measures: kernels and workloads by a part of their name, without those that would take the adapter too
 * long.
 */
import type { AdapterProfile, KernelSpec } from '../../../kernels/spec.ts';
import { ProxmoError } from '../../base/errors.ts';
import { nearestKey } from '../../base/nearestKey.ts';
import type { Workload } from './workload.ts';

/** What a bench is to measure. */
export interface NamedWork {
  readonly specs: readonly KernelSpec[];
  readonly workloads: readonly Workload[];
}

/**
 * Kernels and workloads by parts of a kernel's name, or of a workload's name and shape: what has one of them.
 * @param filters none for all
 * @throws {ProxmoError} `usage` if one names nothing
 */
export function namedWork(
  filters: readonly string[],
  kernels: readonly KernelSpec[],
  workloads: readonly Workload[],
): NamedWork {
  const has = (filter: string) => ({
    specs: kernels.filter(({ name }) => name.includes(filter)),
    workloads: workloads.filter(({ name, shape }) => `${name} ${shape}`.includes(filter)),
  });
  if (filters.length === 0) return { specs: kernels, workloads };
  const found = filters.map(has);
  const empty = found.findIndex((each) => each.specs.length + each.workloads.length === 0);
  if (empty >= 0) throw nothingCalled(filters[empty]!, kernels, workloads);
  return {
    specs: kernels.filter((spec) => found.some(({ specs }) => specs.includes(spec))),
    workloads: workloads.filter((workload) => found.some((each) => each.workloads.includes(workload))),
  };
}

function nothingCalled(filter: string, kernels: readonly KernelSpec[], workloads: readonly Workload[]): ProxmoError {
  const names = [...new Set(workloads.map(({ name }) => name))];
  const meant = nearestKey(filter, [...names, ...kernels.map(({ name }) => name)]);
  const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
  const there = ['the kernels', ...(names.length > 0 ? [`and ${names.join(', ')}`] : [])].join(', ');
  return new ProxmoError('usage', `Nothing is called ${filter}${hint}; there are ${there}. --list shows all.`);
}

/** All that can be named: kernels with the parameters of their shapes, workloads with theirs. */
export function listed({ specs, workloads }: NamedWork): { name: string; kind: string; shape: string }[] {
  return [
    ...workloads.map(({ name, shape, variant }) => ({ name, kind: `workload, ${variant}`, shape })),
    ...specs.map(({ name, params }) => ({ name, kind: 'kernel', shape: Object.keys(params).join(' ') })),
  ];
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
