/** The statistics of the PPO loss over several micro-batches, as means a token. */
import { type PpoStatistic, ppoStatistics } from '../ops/ppoLoss.ts';

export type PpoReport = Readonly<Record<Exclude<PpoStatistic, 'weight' | 'tokens'>, number>> & {
  readonly tokens: number;
};

/** Means by token weight; 0 where there was no token. */
export function combinePpoStatistics(parts: readonly ArrayLike<number>[]): PpoReport {
  const column = (name: PpoStatistic) => parts.map((part) => part[ppoStatistics.indexOf(name)] ?? 0);
  const total = (name: PpoStatistic) => column(name).reduce((sum, value) => sum + value, 0);
  const weight = total('weight');
  const mean = (name: PpoStatistic) => (weight > 0 ? total(name) / weight : 0);
  return {
    policyLoss: mean('policyLoss'),
    kl: mean('kl'),
    entropy: mean('entropy'),
    clipShare: mean('clipShare'),
    dualClipShare: mean('dualClipShare'),
    ratio: mean('ratio'),
    largestLogProbChange: Math.max(0, ...column('largestLogProbChange')),
    tokens: total('tokens'),
  };
}
