/** Sums of dispatches: by kernel, by part of the model, by whatever they are told apart by. */
import type { ProfileCell, ProfileTotal, ProfileWork } from './profileFile.ts';

/** Sums by a name. */
export class Totals {
  private readonly byName = new Map<string, { -readonly [K in keyof ProfileTotal]: ProfileTotal[K] }>();

  add(name: string, work: ProfileWork): void {
    const total = this.byName.get(name) ?? { name, count: 0, ms: 0, flops: 0, bytes: 0 };
    for (const field of ['count', 'ms', 'flops', 'bytes'] as const) total[field] += work[field];
    this.byName.set(name, total);
  }

  /** The longest first. */
  get sorted(): ProfileTotal[] {
    return [...this.byName.values()].sort((a, b) => b.ms - a.ms);
  }
}

/** Sums of cells by what they are told apart by, the longest first. */
export function totalsBy(cells: readonly ProfileCell[], by: 'kernel' | 'op' | 'part' | 'phase'): ProfileTotal[] {
  const totals = new Totals();
  for (const cell of cells) totals.add(cell[by], cell);
  return totals.sorted;
}

/** Sums by kernel, each with its op, the longest first. */
export function kernelTotals(cells: readonly ProfileCell[]): (ProfileTotal & { readonly op: string })[] {
  const opOf = new Map(cells.map(({ kernel, op }) => [kernel, op]));
  return totalsBy(cells, 'kernel').map((total) => ({ ...total, op: opOf.get(total.name)! }));
}
