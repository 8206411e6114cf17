/** Estimators of the KL term of a loss. The names alone, for settings, which need nothing of what computes. */

export const klEstimators = ['k1', 'k2', 'k3'] as const;
export type KlEstimator = (typeof klEstimators)[number];

/**
 * What is wrong with an estimator of the KL term; null if nothing is. The slope of k1 in logProb is 1 whatever the
 * reference is, so as a loss it lowers what was sampled and holds on to nothing.
 */
export function klEstimatorProblem({
  klEstimator,
  klCoefficient,
}: {
  readonly klEstimator: KlEstimator;
  readonly klCoefficient: number;
}): string | null {
  return klEstimator === 'k1' && klCoefficient > 0
    ? 'k1 is no loss, since its gradient does not depend on the reference; take k2 or k3'
    : null;
}
