/** Estimators of advantages of one's own. */
import { ProxmoError } from '../../base/errors.ts';
import type { RowReturns } from '../advantages/returns.ts';
import type { RolloutBatch } from '../rows.ts';
import { type OwnOptions, type OwnReference, OwnRegistry } from './registry.ts';

/** What an estimator comes to, `[rows]` each. */
export interface OwnAdvantages {
  /** What every policy token of a row is trained with. */
  readonly advantage: ArrayLike<number>;
  /** The part of it that is owed to the row's own turn; the rest is the episode's. Default: none. */
  readonly step?: ArrayLike<number>;
}

/** An estimator of one's own. */
export interface OwnEstimator {
  /**
   * Estimates the advantages of a batch.
   * @param batch the rows of an iteration, with their groups and trajectories
   * @param returns their scores and returns, in `advantages.returnUnit` and less `advantages.invalidPenalty`
   */
  estimate(batch: RolloutBatch, returns: RowReturns): OwnAdvantages | Promise<OwnAdvantages>;
}

/** What it is made with. */
export interface EstimatorToolkit {
  /** For errors that a user can act on: `new ProxmoError('config', 'power must be 1 or more.')`. */
  readonly ProxmoError: typeof ProxmoError;
}

/** Makes an estimator from its options. */
export type EstimatorFactory = (options: OwnOptions, toolkit: EstimatorToolkit) => OwnEstimator;

/** Advantages beyond this are no numbers to train with. */
const largestAdvantage = 1e30;

export const ownEstimators = new OwnRegistry<EstimatorFactory>('estimator', 'registerEstimator');

/**
 * Makes an estimator of one's own known by a name, for `advantages: { estimator: 'own', name }`.
 * @throws {ProxmoError} `config` if there is no name, or no function
 * @example
 * registerEstimator('score', () => ({ estimate: (batch, { score }) => ({ advantage: score }) }));
 * const { advantage } = await estimateAdvantages(rows, { estimator: 'own', name: 'score' }, engine);
 */
export function registerEstimator(name: string, factory: EstimatorFactory): void {
  ownEstimators.add(name, factory);
}

/**
 * @returns estimates both levels of a batch, `[rows]`
 * @throws {ProxmoError} `config` if there is no such estimator, or it cannot be made
 */
export function makeOwnEstimator(reference: OwnReference) {
  const { name } = reference;
  const estimator = ownEstimators.make(reference, { ProxmoError });
  if (typeof estimator?.estimate !== 'function')
    throw new ProxmoError('config', `${name} makes no estimator: what it gives has no function estimate.`);
  const code = ownEstimators.code(name);
  return async (batch: RolloutBatch, returns: RowReturns): Promise<{ episode: Float64Array; step: Float64Array }> => {
    const given = await code.run('estimate', () => estimator.estimate(batch, returns));
    const advantage = numbersIn(given?.advantage, 'advantage', name, batch);
    const step =
      given.step === undefined ? new Float64Array(advantage.length) : numbersIn(given.step, 'step', name, batch);
    return { episode: advantage.map((value, row) => value - step[row]!), step };
  };
}

function numbersIn(given: unknown, field: string, name: string, { rows }: RolloutBatch): Float64Array {
  const refuse = (problem: string) => new ProxmoError('config', `The estimator ${name} ${problem}.`);
  if (typeof given !== 'object' || given === null || !('length' in given))
    throw refuse(`gives no list of numbers as "${field}"; give one for each row`);
  const numbers = Float64Array.from(given as ArrayLike<number>);
  if (numbers.length !== rows.length)
    throw refuse(`gives ${numbers.length} numbers as "${field}" for ${rows.length} rows; give one for each`);
  const row = numbers.findIndex((value) => !(Math.abs(value) <= largestAdvantage));
  if (row < 0) return numbers;
  const { trajectory, step } = rows[row]!;
  throw refuse(
    `gives ${numbers[row]} as "${field}" of row ${row} (trajectory "${trajectory}", step ${step}); give a number`,
  );
}
