/** Whether two sets of measurements differ: the rank-sum test, which asks nothing of how they are spread. */

/**
 * Two-sided p value that two samples are of one distribution, exact for these ranks (Mann & Whitney, 1947): the share
 * of all ways to draw the first sample's ranks whose sum lies as far from its mean. Equal values have the mean of their
 * ranks.
 * @returns 1 where a sample is empty
 */
export function rankSumTest(a: readonly number[], b: readonly number[]): number {
  const ranks = doubledRanks([...a, ...b]);
  const sum = ranks.slice(0, a.length).reduce((total, rank) => total + rank, 0);
  const mean = a.length * (a.length + b.length + 1);
  const ways = waysBySum(ranks, a.length);
  let [all, asFar] = [0, 0];
  for (const [total, count] of ways) {
    all += count;
    if (Math.abs(total - mean) >= Math.abs(sum - mean)) asFar += count;
  }
  return asFar / all;
}

/** Twice the ranks, which are then whole numbers. */
function doubledRanks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return 2 * below + equal + 1;
  });
}

/** In how many ways so many of the ranks add up to each sum. */
function waysBySum(ranks: readonly number[], drawn: number): Map<number, number> {
  const bySize = Array.from({ length: drawn + 1 }, () => new Map<number, number>());
  bySize[0]!.set(0, 1);
  for (const rank of ranks) {
    for (let size = drawn; size > 0; size--) {
      const target = bySize[size]!;
      for (const [sum, count] of bySize[size - 1]!) target.set(sum + rank, (target.get(sum + rank) ?? 0) + count);
    }
  }
  return bySize[drawn]!;
}
