/**
 * Advantages for other training frameworks: rollout rows as JSON Lines in, one record a row out. What `proxmo
 * advantages` runs.
 */
import { parseRollout } from '../rows.ts';
import { type EngineSource, estimateAdvantages } from './estimator.ts';
import type { AdvantageOptions } from './options.ts';

/** The levels of one row's advantage. */
export interface AdvantageRecord {
  /** A^E. */
  readonly episode: number;
  /** A^S. */
  readonly step: number;
  /** A = A^E + ω·A^S. */
  readonly advantage: number;
}

/**
 * Estimates the advantages of rows in JSON Lines, in input order.
 * @param source names the text in errors, as the path of its file
 *
 * @throws {ProxmoError} `data`, naming the line, if a row is not valid; `config` if an option is not; `gpu-error` or
 * `device-lost`
 */
export async function advantagesOfJsonl(
  text: string,
  options: AdvantageOptions,
  engine: EngineSource,
  source?: string,
): Promise<AdvantageRecord[]> {
  const { episode, step, advantage } = await estimateAdvantages(parseRollout(text, source), options, engine);
  return Array.from(advantage, (joint, row) => ({ episode: episode[row]!, step: step[row]!, advantage: joint }));
}
