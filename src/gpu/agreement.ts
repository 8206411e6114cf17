/**
 * Whether two results of a kernel are the same within its tolerance: for benches, which compare with the reference, and
 * for tuning, which compares variants.
 */
import type { KernelSpec } from '../../kernels/spec.ts';

/** Values of each `write` and `readWrite` binding. */
export type KernelResults = Readonly<Record<string, ArrayLike<number>>>;

/** Cases of benches and of tuning are larger than those that a kernel's tolerance was chosen for. */
const toleranceFactor = 10;

/** NaN agrees with NaN alone. */
export function resultsAgree(
  { tolerance }: Pick<KernelSpec, 'tolerance'>,
  results: KernelResults,
  expected: KernelResults,
): boolean {
  const { absolute, relative } = tolerance;
  return Object.entries(results).every(([name, got]) => {
    const want = expected[name];
    if (want?.length !== got.length) return false;
    for (let i = 0; i < got.length; i++) {
      const [a, b] = [got[i]!, want[i]!];
      if (
        !(Math.abs(a - b) <= toleranceFactor * (absolute + relative * Math.abs(b))) &&
        !(Number.isNaN(a) && Number.isNaN(b))
      )
        return false;
    }
    return true;
  });
}
