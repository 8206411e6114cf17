/**
 * Advantage estimation end to end: rows and options in, one advantage a row out. Every estimator has the same shape: an
 * episode level A^E, a step level A^S where the method has one, and A = A^E + ω·A^S.
 *
 * All but ProxMO's softmax baselines is plain float64 arithmetic on the host; those run on the device, or in float64
 * for `referenceAdvantages`.
 */
import { ProxmoError } from '../../base/errors.ts';
import { firstNonFinite } from '../../base/finite.ts';
import { Queue } from '../../base/queue.ts';
import type { Engine } from '../../tensor/engine.ts';
import { countTerms, type TermCounts } from '../../text/tfidf.ts';
import { makeOwnEstimator } from '../own/estimator.ts';
import { indexRollout, type RolloutBatch, type RolloutGroup, type RolloutRow } from '../rows.ts';
import { anchorGroups, anchorRelative } from './anchorGroups.ts';
import { type AdvantageDiagnostics, describeGroup } from './diagnostics.ts';
import { episodeLevel, successRate } from './episode.ts';
import { HiddenPrograms, type HiddenStates } from './hiddenProgram.ts';
import {
  type AdvantageOptions,
  type AdvantageSettings,
  type LibrarySettings,
  type ProxmoSettings,
  resolveAdvantageOptions,
} from './options.ts';
import { referenceSoftAdvantages } from './proximity.ts';
import { ProximityPrograms } from './proximityProgram.ts';
import { centredReturns, type RowReturns, rowReturns } from './returns.ts';
import { divisor, moments } from './statistics.ts';

/** One value for each row, in input order, `[rows]` each. */
export interface AdvantageResult extends RowReturns {
  /** A = A^E + ω·A^S: what every policy token of the row is trained with. */
  readonly advantage: Float64Array;
  /** A^E. */
  readonly episode: Float64Array;
  /** A^S; zeros where the estimator has no step level. */
  readonly step: Float64Array;
  readonly diagnostics: AdvantageDiagnostics;
}

/** An engine, or a way to open one when it is first needed. */
export type EngineSource = Engine | (() => Promise<Engine>);

/** Both levels of each row, `[rows]`. */
interface Levels extends Partial<Omit<StepLevel, 'step'>> {
  readonly episode: Float64Array;
  readonly step: Float64Array;
}

/** The step level with what was learned on the way. */
interface StepLevel {
  readonly step: Float64Array;
  readonly vocabulary: number | null;
  readonly anchorGroups: number | null;
}

/**
 * Estimates the advantages of many batches with the same options; keeps its device programs.
 * @example
 * await using estimator = new AdvantageEstimator({ estimator: 'proxmo' }, engine);
 * const { advantage } = await estimator.estimate(rows);
 */
export class AdvantageEstimator {
  readonly settings: AdvantageSettings;
  private programs: Promise<ProximityPrograms> | null = null;
  private hiddenPrograms: HiddenPrograms | null = null;
  private readonly own: ReturnType<typeof makeOwnEstimator> | null;
  /** The programs serve one batch at a time. */
  private readonly queue = new Queue();

  /**
   * @param engine used by ProxMO's step level alone; a function is called at the first batch that needs it
   * @throws {ProxmoError} `config`, naming the option that is not valid, or the estimator of one's own that is not
   * there
   */
  constructor(
    options: AdvantageOptions,
    private readonly engine: EngineSource,
  ) {
    this.settings = resolveAdvantageOptions(options);
    this.own = this.settings.estimator === 'own' ? makeOwnEstimator(this.settings) : null;
  }

  /**
   * Estimates one batch. A call while another is under way waits for its end.
   * @param states the policy's hidden states, where the similarity is `hidden` or `mixed`
   * @throws {ProxmoError} `data` if the rows are not a valid rollout; `config` if states are needed and there are none,
   * or more of a task than can be compared; `gpu-error` or `device-lost`; `non-finite`, naming the row, if the device
   * computes no number
   */
  estimate(rows: readonly RolloutRow[] | RolloutBatch, states: HiddenStates | null = null): Promise<AdvantageResult> {
    return this.queue.run(() => this.estimateBatch(rows, states));
  }

  /** Frees the device programs, after the calls that are under way; the engine is left open. */
  destroy(): Promise<void> {
    return this.queue.run(async () => {
      await (await this.programs)?.destroy();
      await this.hiddenPrograms?.destroy();
      this.programs = null;
      this.hiddenPrograms = null;
    });
  }

  /** `destroy`, at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  private async estimateBatch(
    rows: readonly RolloutRow[] | RolloutBatch,
    states: HiddenStates | null,
  ): Promise<AdvantageResult> {
    const { settings } = this;
    const batch = toBatch(rows);
    const returns = rowReturns(batch, settings);
    if (settings.estimator === 'own') return withDiagnostics(batch, returns, await this.own!(batch, returns));
    if (!hasSoftStepLevel(settings)) return assemble(batch, settings, returns, hardStepLevel(batch, settings, returns));
    const terms = settings.similarity === 'hidden' ? null : anchorTerms(batch, settings);
    const step = await this.softStepLevel(batch, settings, terms, states, centredReturns(batch, returns));
    return assemble(batch, settings, returns, { step, vocabulary: sizeOf(terms), anchorGroups: null });
  }

  private async softStepLevel(
    batch: RolloutBatch,
    settings: ProxmoSettings,
    terms: TermCounts | null,
    states: HiddenStates | null,
    centredReturn: Float64Array,
  ): Promise<Float64Array> {
    if (terms && settings.similarity === 'tfidf') {
      this.programs ??= this.openEngine().then((engine) => new ProximityPrograms(engine, settings));
      return (await this.programs).advantages(batch, terms, centredReturn);
    }
    if (!states) refuseWithoutStates(settings);
    if (this.hiddenPrograms?.table !== states.table) {
      await this.hiddenPrograms?.destroy();
      this.hiddenPrograms = new HiddenPrograms(await this.openEngine(), settings, states.table);
    }
    return this.hiddenPrograms.advantages(batch, states.stateOf, terms, centredReturn);
  }

  private async openEngine(): Promise<Engine> {
    return typeof this.engine === 'function' ? this.engine() : this.engine;
  }
}

/**
 * Estimates the advantages of one batch. Use an `AdvantageEstimator` for many.
 *
 * @throws {ProxmoError} `config` if an option, `data` if a row is not valid; `gpu-error` or `device-lost`
 * @example (await estimateAdvantages(rows, { estimator: 'proxmo' }, engine)).advantage
 */
export async function estimateAdvantages(
  rows: readonly RolloutRow[] | RolloutBatch,
  options: AdvantageOptions,
  engine: EngineSource,
  states: HiddenStates | null = null,
): Promise<AdvantageResult> {
  const estimator = new AdvantageEstimator(options, engine);
  try {
    return await estimator.estimate(rows, states);
  } finally {
    await estimator.destroy();
  }
}

/**
 * The same without a device, all in float64 and row by row: slow, and what `estimateAdvantages` is tested against.
 * @param states the hidden state of each row, `[rows][width]`, where the similarity is `hidden` or `mixed`
 * @throws {ProxmoError} `config` if an option is not valid, states are needed, or the estimator is not the library's;
 * `data` if a row is not valid
 */
export function referenceAdvantages(
  rows: readonly RolloutRow[] | RolloutBatch,
  options: AdvantageOptions,
  states: readonly ArrayLike<number>[] | null = null,
): AdvantageResult {
  return hostAdvantages(
    toBatch(rows),
    ofLibrary(resolveAdvantageOptions(options)),
    (batch, centredReturn, settings) => {
      const { similarity, hiddenWeight } = settings;
      const terms = similarity === 'hidden' ? null : anchorTerms(batch, settings);
      const hidden = similarity === 'tfidf' ? null : (states ?? refuseWithoutStates(settings));
      const step = referenceSoftAdvantages(batch, { terms, hidden, hiddenWeight }, centredReturn, settings);
      return { step, vocabulary: sizeOf(terms) };
    },
  );
}

/**
 * For what computes as the library does.
 * @throws {ProxmoError} `config` if the estimator is of a user's own
 */
export function ofLibrary(settings: AdvantageSettings): LibrarySettings {
  if (settings.estimator !== 'own') return settings;
  throw new ProxmoError(
    'config',
    `The estimator ${settings.name} is not the library's, so what it comes to can only be computed by an AdvantageEstimator; take another one.`,
  );
}

/**
 * For what has rows, but not what the policy made of them.
 * @throws {ProxmoError} `config` unless the similarity is that of the anchors alone
 */
export function checkAnchorsAlone(settings: LibrarySettings): void {
  if (hasSoftStepLevel(settings) && settings.similarity !== 'tfidf') refuseWithoutStates(settings);
}

function refuseWithoutStates({ similarity }: ProxmoSettings): never {
  throw new ProxmoError(
    'config',
    `Advantage option "similarity" is ${similarity}, but rows do not hold the policy's hidden states: only a run has them, while it trains. Set similarity to tfidf.`,
  );
}

function sizeOf(terms: TermCounts | null): number | null {
  return terms?.vocabulary.length ?? null;
}

/** ProxMO's step level on the host. `centredReturn` is of each row, less the mean of its group. */
export type SoftStepLevel = (
  batch: RolloutBatch,
  centredReturn: Float64Array,
  settings: ProxmoSettings,
) => Pick<StepLevel, 'step' | 'vocabulary'>;

/** Advantages without a device, in float64. */
export function hostAdvantages(
  batch: RolloutBatch,
  settings: LibrarySettings,
  softStepLevel: SoftStepLevel,
): AdvantageResult {
  const returns = rowReturns(batch, settings);
  if (!hasSoftStepLevel(settings)) return assemble(batch, settings, returns, hardStepLevel(batch, settings, returns));
  const stepLevel = softStepLevel(batch, centredReturns(batch, returns), settings);
  return assemble(batch, settings, returns, { ...stepLevel, anchorGroups: null });
}

function toBatch(rows: readonly RolloutRow[] | RolloutBatch): RolloutBatch {
  return 'trajectoryOf' in rows ? rows : indexRollout(rows);
}

export function hasSoftStepLevel(settings: AdvantageSettings): settings is ProxmoSettings {
  return settings.estimator === 'proxmo' && settings.psa;
}

export function anchorTerms(batch: RolloutBatch, settings: ProxmoSettings): TermCounts {
  return countTerms(
    batch.rows.map((row) => row.observation),
    settings,
  );
}

/** The step level of every estimator that needs no softmax baselines. */
function hardStepLevel(batch: RolloutBatch, settings: LibrarySettings, { penalisedReturn }: RowReturns): StepLevel {
  if (settings.estimator !== 'gigpo')
    return { step: new Float64Array(batch.rows.length), vocabulary: null, anchorGroups: null };
  const groups = anchorGroups(batch, settings.similarity);
  return {
    step: anchorRelative(groups, penalisedReturn, settings),
    vocabulary: null,
    anchorGroups: groups.length,
  };
}

function assemble(
  batch: RolloutBatch,
  settings: LibrarySettings,
  returns: RowReturns,
  stepLevel: StepLevel,
): AdvantageResult {
  const scale = hasSoftStepLevel(settings) ? softScales(batch, settings, returns.penalisedReturn) : null;
  const step = scale ? stepLevel.step.map((value, row) => value / scale[row]!) : stepLevel.step;
  const episode = episodeLevel(batch, settings, returns.score);
  const modulated = settings.estimator === 'proxmo' && settings.psc ? settings : null;
  return withDiagnostics(
    batch,
    returns,
    { ...stepLevel, episode, step },
    'omega' in settings ? settings.omega : 0,
    (group) => modulated && successRate(batch, group, returns.score, modulated.successSource),
  );
}

/**
 * @param levels of each row, and what was learned on the way
 * @param omega weight of the step level
 * @param modulationRate the success rate of a group that its PSC weights were computed from; null without PSC
 */
function withDiagnostics(
  batch: RolloutBatch,
  returns: RowReturns,
  { episode, step, vocabulary = null, anchorGroups: anchorGroupCount = null }: Levels,
  omega = 1,
  modulationRate: (group: RolloutGroup) => number | null = () => null,
): AdvantageResult {
  const advantage = episode.map((value, row) => value + omega * step[row]!);
  checkFinite(batch, { 'episode level': episode, 'step level': step, 'joint advantage': advantage });
  const groups = batch.groups.map((group) =>
    describeGroup(batch, group, { episode, step, advantage }, modulationRate(group)),
  );
  return {
    ...returns,
    advantage,
    episode,
    step,
    diagnostics: {
      groups,
      deadGroups: groups.filter(({ dead }) => dead).length,
      rowsWithoutStepSignal: step.filter((value) => value === 0).length / step.length,
      vocabulary,
      anchorGroups: anchorGroupCount,
    },
  };
}

/**
 * What returns less their soft baselines are divided by, `[rows]`: with `stepNormalisation` zscore the deviation of the
 * task's returns, each row counted once.
 */
export function softScales(
  batch: RolloutBatch,
  { stepNormalisation, sigmaFloor }: ProxmoSettings,
  penalisedReturn: Float64Array,
): Float64Array {
  const weights = new Float64Array(penalisedReturn.length).fill(1);
  const scale = new Float64Array(penalisedReturn.length);
  const scaling = { normalisation: stepNormalisation, sigmaFloor };
  for (const { rows } of batch.groups) {
    const divided = divisor(moments(penalisedReturn, weights, rows), scaling);
    for (const row of rows) scale[row] = divided;
  }
  return scale;
}

/** Rows are bounded, so only a device that computes wrongly can get here. */
function checkFinite(batch: RolloutBatch, levels: Readonly<Record<string, Float64Array>>): void {
  for (const [name, values] of Object.entries(levels)) {
    const row = firstNonFinite(values);
    if (row < 0) continue;
    const { trajectory, step } = batch.rows[row]!;
    throw new ProxmoError(
      'non-finite',
      `The ${name} of row ${row} (trajectory "${trajectory}", step ${step}) is ${values[row]}; check the device with proxmo doctor --kernels.`,
    );
  }
}
