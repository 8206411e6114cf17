/** Advantage estimators: ProxMO and its baselines GiGPO, GRPO, RLOO and REINFORCE++ behind one interface. */
export type { AdvantageDiagnostics, GroupDiagnostics } from './diagnostics.ts';
export {
  AdvantageEstimator,
  type AdvantageResult,
  type EngineSource,
  estimateAdvantages,
  referenceAdvantages,
} from './estimator.ts';
export type { HiddenStates } from './hiddenProgram.ts';
export { advantagesOfJsonl } from './jsonl.ts';
export { type AdvantageOptions, type AdvantageSettings, resolveAdvantageOptions } from './options.ts';
