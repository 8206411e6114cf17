/** `proxmo/advantages`: estimators of advantages alone, for trainers of one's own. */
export { type ErrorCode, ProxmoError } from './base/errors.ts';
export {
  type AdvantageDiagnostics,
  AdvantageEstimator,
  type AdvantageOptions,
  type AdvantageResult,
  type AdvantageSettings,
  advantagesOfJsonl,
  type EngineSource,
  estimateAdvantages,
  type GroupDiagnostics,
  referenceAdvantages,
  resolveAdvantageOptions,
} from './rl/advantages/index.ts';
export type { RowReturns } from './rl/advantages/returns.ts';
export {
  type EstimatorFactory,
  type EstimatorToolkit,
  type OwnAdvantages,
  type OwnEstimator,
  registerEstimator,
} from './rl/own/estimator.ts';
export type { OwnOptions } from './rl/own/registry.ts';
export type { RolloutBatch, RolloutGroup, RolloutRow, RolloutTrajectory } from './rl/rows.ts';
