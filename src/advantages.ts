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
export type { RolloutRow } from './rl/rows.ts';
