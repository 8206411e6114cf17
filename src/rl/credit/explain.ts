/**
 * A row's advantage in words: what it owes to its episode, and what to its step. A pure function of what a run wrote
 * down, the same in a terminal and in a page. Whatever numbers it shows add up as they stand there.
 */
import type { AdvantageSettings, LibrarySettings, OwnSettings } from '../advantages/options.ts';
import type { RecordedRow } from './record.ts';
import { shownSum, shownValue } from './shownNumbers.ts';
import { type WordDifference, wordDifference } from './wordDifference.ts';

/** Equal scores differ by less once their mean was taken in float64. */
const leastDifference = 1e-9;

/** One summand of an advantage. */
export interface ExplainedPart {
  readonly level: 'episode' | 'step';
  readonly value: number;
  /** As it stands in the sentence, with its sign. */
  readonly shown: string;
  /** What it is owed to, as `because this episode succeeded in a group where half failed`. */
  readonly reason: string;
  /** How it was computed, as `score 10 − 5 (mean of its group) = +5, divided by 5.35 = +0.93`. */
  readonly arithmetic: string;
}

/** A bar of a waterfall: each begins where the one before ends, and the last ends at the advantage. */
export interface WaterfallBar {
  readonly name: 'episode' | 'PSC' | 'step' | 'scale';
  readonly value: number;
  readonly shown: string;
}

/** A similar state, with what it differs in. */
export interface ExplainedNeighbour {
  readonly trajectory: string;
  readonly step: number;
  readonly turns: number;
  readonly similarity: number | null;
  readonly weight: number;
  readonly return: number;
  /** Null where the row that stands for it was not given. */
  readonly observation: string | null;
  /** From the row's own observation to this one. */
  readonly difference: WordDifference | null;
  /** It is the row's own state. */
  readonly isOwn: boolean;
}

export interface Explanation {
  readonly advantage: number;
  readonly shown: string;
  /** The whole in a line, as `+8.43: +0.87 because …; +7.56 because …`. */
  readonly sentence: string;
  /** The episode's part, and the step's where the estimator has a step level. */
  readonly parts: readonly ExplainedPart[];
  readonly waterfall: readonly WaterfallBar[];
  readonly neighbours: readonly ExplainedNeighbour[];
}

/**
 * Explains the advantage of a row.
 * @param group all rows of its group, as they were written down
 * @param settings that its run estimates advantages with
 */
export function explain(row: RecordedRow, group: readonly RecordedRow[], settings: AdvantageSettings): Explanation {
  const { stepLevel } = row;
  const omega = stepLevel?.omega ?? 0;
  const values = stepLevel ? [row.episodeAdvantage, omega * row.stepAdvantage] : [row.episodeAdvantage];
  const bars = barsOf(row, settings);
  const {
    total: shown,
    parts: [shares = [], heights = []],
  } = shownSum(row.advantage, [values, bars.map(({ value }) => value)]);
  const parts: ExplainedPart[] = [
    {
      level: 'episode',
      value: values[0]!,
      shown: shares[0]!,
      reason: episodeReason(row, group, settings),
      arithmetic: endingIn(shares[0]!, episodeArithmetic(row, settings)),
    },
  ];
  if (stepLevel) {
    parts.push({
      level: 'step',
      value: values[1]!,
      shown: shares[1]!,
      reason: stepReason(row, settings),
      arithmetic: endingIn(shares[1]!, stepArithmetic(row, settings)),
    });
  }
  return {
    advantage: row.advantage,
    shown,
    sentence: `${shown}: ${parts.map((part) => `${part.shown} ${part.reason}`).join('; ')}`,
    parts,
    waterfall: bars.map((bar, index) => ({ ...bar, shown: heights[index]! })),
    neighbours: neighboursOf(row, group),
  };
}

function barsOf(
  { episodeLevel, stepLevel, ...row }: RecordedRow,
  settings: AdvantageSettings,
): Pick<WaterfallBar, 'name' | 'value'>[] {
  const bars: Pick<WaterfallBar, 'name' | 'value'>[] = [{ name: 'episode', value: episodeLevel.before }];
  if (hasModulation(settings)) bars.push({ name: 'PSC', value: row.episodeAdvantage - episodeLevel.before });
  if (stepLevel) {
    bars.push({ name: 'step', value: stepLevel.before });
    if (stepLevel.scale !== 1 || stepLevel.omega !== 1)
      bars.push({ name: 'scale', value: stepLevel.omega * row.stepAdvantage - stepLevel.before });
  }
  return bars;
}

function hasModulation(settings: AdvantageSettings): boolean {
  return settings.estimator === 'proxmo' && settings.psc;
}

function episodeReason(row: RecordedRow, group: readonly RecordedRow[], settings: AdvantageSettings): string {
  if (settings.estimator === 'own') {
    const { score } = row.episodeLevel;
    return `is what ${settings.name}, an estimator of this run's own, gave an episode that scored ${shownValue(score)}`;
  }
  const outcomes = [...new Map(group.map(({ trajectory, success }) => [trajectory, success])).values()];
  const successes = outcomes.filter(Boolean).length;
  const failures = outcomes.length - successes;
  const { before, score, baseline } = row.episodeLevel;
  const others = comparedEpisodes(settings);
  if (outcomes.length === 1 && settings.estimator !== 'reinforce++')
    return `because its episode scored ${shownValue(score)} and its group has no other to compare with`;
  if (Math.abs(before) < leastDifference)
    return `since its episode scored ${shownValue(score)}, as much as ${others} did on average`;
  const isMixed = successes > 0 && failures > 0;
  // Partial credit and penalties may put a success below the mean; then the scores say why.
  if (settings.estimator !== 'reinforce++' && isMixed && row.success === before > 0) {
    return row.success
      ? `because this episode succeeded in a group where ${shareOf(failures, outcomes.length)} failed`
      : `because this episode failed in a group where ${shareOf(successes, outcomes.length)} succeeded`;
  }
  const penalty = row.valid ? '' : ' after the penalty for a malformed action';
  return `because its episode scored ${shownValue(score)}${penalty} where ${others} averaged ${shownValue(baseline)}`;
}

/** Whose scores are the episode's baseline. */
function comparedEpisodes({ estimator, population }: LibrarySettings): string {
  if (estimator === 'reinforce++') return 'the batch';
  if (estimator === 'rloo')
    return population === 'trajectories' ? 'the others of its group' : 'the other turns of its group';
  return 'its group';
}

function shareOf(some: number, all: number): string {
  return 2 * some === all ? 'half' : `${some} of ${all}`;
}

function stepReason(row: RecordedRow, settings: AdvantageSettings): string {
  const { penalisedReturn, baseline, neighbours } = row.stepLevel!;
  if (settings.estimator === 'own') return `is what it gave this turn, whose return was ${shownValue(penalisedReturn)}`;
  const cameTo = `it came to ${shownValue(penalisedReturn)}${row.valid ? '' : ' after the penalty for a malformed action'}`;
  const turns = neighbours.reduce((sum, neighbour) => sum + neighbour.turns, 0);
  if (settings.estimator === 'gigpo') {
    if (turns <= 1) return `since ${cameTo} and no other turn of its task was in this state`;
    const state = settings.similarity === null ? 'the same state' : 'states as similar as its step group asks for';
    return `because ${cameTo} where ${state} averaged ${shownValue(baseline)}`;
  }
  if (settings.estimator === 'proxmo' && settings.similarity !== 'tfidf')
    return `because ${cameTo} where turns that the policy saw alike averaged ${shownValue(baseline)}`;
  if (neighbours.length === 0) return `since ${cameTo} and there was nothing to compare it with`;
  return `because ${cameTo} where ${similarStates(settings)} averaged ${shownValue(baseline)}`;
}

function similarStates(settings: AdvantageSettings): string {
  if (settings.estimator !== 'proxmo') return 'similar states';
  if (settings.leaveTrajectoryOut) return 'similar states of other episodes';
  return settings.leaveSelfOut ? 'similar states of other turns' : 'similar states';
}

function episodeArithmetic({ episodeLevel, episodeAdvantage }: RecordedRow, settings: AdvantageSettings): string {
  if (settings.estimator === 'own') return ownArithmetic(episodeAdvantage, settings);
  const { score, baseline, scale, before, weight, successRate } = episodeLevel;
  const difference = `score ${shownValue(score)}${unitOf(settings)} - ${shownValue(baseline)} (mean of ${comparedEpisodes(settings)})`;
  const divided = scale === 1 ? '' : ` = ${signed(score - baseline)}, divided by ${shownValue(scale)} (its spread)`;
  const modulated = hasModulation(settings)
    ? `, times ${weight.toFixed(3)} (PSC, success rate ${shownValue(100 * (successRate ?? 0))} %) = ${signed(episodeAdvantage)}`
    : '';
  return `${difference}${divided} = ${signed(before)}${modulated}`;
}

function stepArithmetic({ stepLevel, stepAdvantage }: RecordedRow, settings: AdvantageSettings): string {
  if (settings.estimator === 'own') return ownArithmetic(stepAdvantage, settings);
  const { penalisedReturn, baseline, before, scale, omega } = stepLevel!;
  const discount = 'gamma' in settings ? ` discounted by ${settings.gamma}` : '';
  const difference = `return ${shownValue(penalisedReturn)}${unitOf(settings)}${discount} - ${shownValue(baseline)} = ${signed(before)}`;
  const divided = scale === 1 ? '' : `, divided by ${shownValue(scale)} (its spread) = ${signed(stepAdvantage)}`;
  return `${difference}${divided}${omega === 1 ? '' : `, times ${omega} (omega) = ${signed(omega * stepAdvantage)}`}`;
}

function ownArithmetic(value: number, { name }: OwnSettings): string {
  return `as ${name} computed it = ${signed(value)}`;
}

/** Arithmetic whose result is told as in the sentence, which may have fewer digits of it. */
function endingIn(shown: string, arithmetic: string): string {
  return arithmetic.replace(/\S+$/, (result) => (Number(result) === Number(shown) ? result : shown));
}

/** What returns and scores are measured in, where that is not the environment's reward. */
function unitOf({ returnUnit }: AdvantageSettings): string {
  if (returnUnit === 'reward') return '';
  return returnUnit === 'success' ? ' (in what a success earns)' : ` (in ${returnUnit})`;
}

function signed(value: number): string {
  return `${value < 0 ? '' : '+'}${shownValue(value)}`;
}

function neighboursOf(row: RecordedRow, group: readonly RecordedRow[]): ExplainedNeighbour[] {
  const rows = new Map(group.map((each) => [`${each.step} ${each.trajectory}`, each]));
  return (row.stepLevel?.neighbours ?? []).map((neighbour) => {
    const observation = rows.get(`${neighbour.step} ${neighbour.trajectory}`)?.observation ?? null;
    return {
      ...neighbour,
      observation,
      difference: observation === null ? null : wordDifference(row.observation, observation),
      isOwn: observation === row.observation,
    };
  });
}
