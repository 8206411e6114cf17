/** Makes the rows and the index of an iteration, as `record.ts` defines them, from what was played and learned. */
import type { PlayedBatch, RowPlace } from '../../base/playedBatch.ts';
import type { KlEstimator } from '../../ops/klEstimators.ts';
import type { StreamingTokenizer } from '../../text/tokenizer.ts';
import { type AdvantageResult, resolveAdvantageOptions } from '../advantages/index.ts';
import type { Policy } from '../policy.ts';
import type { Episode, RolloutStep } from '../rollout.ts';
import { indexRollout, type RolloutBatch } from '../rows.ts';
import type { IterationResult } from '../trainer.ts';
import { branchesOf } from './branches.ts';
import { type KeptSettings, keptGroups } from './kept.ts';
import { levelsOf, type RowLevels, rounded } from './levels.ts';
import type { PlayedIndex, PlayedRow, RecordedGroup, RecordedRow, RolloutIndex } from './record.ts';

/** What of an iteration or evaluation is to be written. */
export interface RolloutRecord {
  readonly batch: PlayedBatch;
  /** Rows of each group that is kept, which are made as they are gone through. */
  readonly groups: Iterable<readonly PlayedRow[]>;
  /** The index, when it is known where each of these groups is. */
  readonly indexOf: (places: readonly RowPlace[]) => PlayedIndex;
}

/** Of a policy, what its turns are told by. */
type Recorder = Pick<Policy, 'config' | 'tokenizer' | 'isCut'>;

/**
 * The record of an iteration; null where its settings keep none of it.
 * @param iteration counted from 1
 */
export function recordRollout(
  iteration: number,
  { episodes, advantages, update }: Omit<IterationResult, 'metrics'>,
  policy: Recorder,
): RolloutRecord | null {
  const batch = { split: 'training', iteration } as const;
  const played = groupsOf(episodes, policy.config, batch);
  if (played === null) return null;
  const { rollout, kept, rowsOf } = played;
  const order = kept.flatMap(rowsOf);
  const told = (values: ArrayLike<number>) => order.map((row) => rounded(values[row]!));
  const { advantage, episode, step } = advantages;
  return {
    batch,
    groups: asGoneThrough(kept, () => {
      const rows = new TrainedRows(episodes, { rollout, advantages, update, policy });
      return (group) => rowsOf(group).map((row) => rows.at(row));
    }),
    indexOf: (places): RolloutIndex => ({
      ...indexOf(played, iteration, episodes, places),
      levels: { advantage: told(advantage), episode: told(episode), step: told(step) },
    }),
  };
}

/**
 * The record of an evaluation; null where the settings keep none of it, or nothing was played to its end.
 * @param iteration iterations that were done
 */
export function recordHeldOut(iteration: number, episodes: readonly Episode[], policy: Recorder): RolloutRecord | null {
  const batch = { split: 'held-out', iteration } as const;
  const played = groupsOf(episodes, policy.config, batch);
  if (played === null) return null;
  const { kept, rowsOf } = played;
  const steps = stepsOf(episodes);
  return {
    batch,
    groups: asGoneThrough(kept, () => (group) => rowsOf(group).map((row) => playedRow(steps[row]!, policy))),
    indexOf: (places) => indexOf(played, iteration, episodes, places),
  };
}

/** Goes through groups and makes the rows of each when it comes to it. @param begin called at the first */
function asGoneThrough<Row>(groups: readonly number[], begin: () => (group: number) => Row[]): Iterable<Row[]> {
  return {
    *[Symbol.iterator]() {
      const rowsOf = begin();
      for (const group of groups) yield rowsOf(group);
    },
  };
}

/** Episodes by their tasks, and which of these groups are kept. */
interface PlayedGroups {
  readonly rollout: RolloutBatch;
  readonly kept: readonly number[];
  readonly rowsOf: (group: number) => readonly number[];
}

function groupsOf(episodes: readonly Episode[], settings: KeptSettings, batch: PlayedBatch): PlayedGroups | null {
  if (episodes.length === 0) return null;
  const rollout = indexRollout(episodes.flatMap(({ steps }) => steps));
  const kept = keptGroups(settings, batch, rollout.groups.length);
  const rowsOf = (group: number) =>
    rollout.groups[group]!.trajectories.flatMap((trajectory) => rollout.trajectories[trajectory]!.rows);
  return kept && { rollout, kept, rowsOf };
}

function indexOf(
  { rollout, kept }: PlayedGroups,
  iteration: number,
  episodes: readonly Episode[],
  places: readonly RowPlace[],
): PlayedIndex {
  return {
    format: 'proxmo-rollout',
    formatVersion: 1,
    iteration,
    time: new Date().toISOString(),
    groups: describeGroups(rollout, episodes, new Map(kept.map((group, index) => [group, places[index]!]))),
  };
}

function describeGroups(
  batch: RolloutBatch,
  episodes: readonly Episode[],
  places: ReadonlyMap<number, RowPlace>,
): RecordedGroup[] {
  const byId = new Map(episodes.map((episode) => [episode.id, episode]));
  return batch.groups.map(({ id, trajectories }, group) => {
    const members = trajectories.map((trajectory) => byId.get(batch.trajectories[trajectory]!.id)!);
    return {
      id,
      type: members[0]!.task.type,
      instruction: members[0]!.instruction,
      episodes: members.map((episode) => ({
        id: episode.id,
        success: episode.success,
        score: episode.score,
        return: episode.steps.reduce((sum, { reward }) => sum + reward, 0),
        steps: episode.steps.length,
        faults: episode.faults,
      })),
      rows: places.get(group) ?? null,
    };
  });
}

/** A step, and the task of its episode in words. */
interface ToldStep {
  readonly step: RolloutStep;
  readonly instruction: string;
}

function stepsOf(episodes: readonly Episode[]): ToldStep[] {
  return episodes.flatMap(({ steps, instruction }) => steps.map((step) => ({ step, instruction })));
}

function playedRow({ step, instruction }: ToldStep, policy: Recorder): PlayedRow {
  const { tokenizer } = policy;
  return {
    group: step.group,
    trajectory: step.trajectory,
    step: step.step,
    reward: step.reward,
    success: step.success,
    valid: step.valid,
    observation: step.observation,
    instruction,
    prompt: tokenizer.decode(step.prompt),
    context: step.context,
    truncated: step.truncated,
    action: step.action,
    reply: pieces(tokenizer, step.reply),
    cut: policy.isCut(step.reply),
    logProbs: roundedLogs(step.logProbs),
    actions: step.actions && [...step.actions],
    branches: branchesOf(step),
    seconds: { reply: rounded(step.seconds.reply), world: rounded(step.seconds.world) },
  };
}

interface CreditSources {
  readonly rollout: RolloutBatch;
  readonly advantages: AdvantageResult;
  readonly update: IterationResult['update'];
  readonly policy: Recorder;
}

/** Rows with their credit. */
class TrainedRows {
  private readonly levels: (row: number) => RowLevels;
  private readonly steps: readonly ToldStep[];

  constructor(
    episodes: readonly Episode[],
    private readonly sources: CreditSources,
  ) {
    const { rollout, policy, advantages } = sources;
    this.steps = stepsOf(episodes);
    this.levels = levelsOf(rollout, resolveAdvantageOptions(policy.config.advantages), advantages);
  }

  at(row: number): RecordedRow {
    const { advantages, update, policy } = this.sources;
    const told = this.steps[row]!;
    const { logProbs } = told.step;
    const reference = update.referenceLogProbs[row] ?? null;
    const credit = {
      referenceLogProbs: reference && roundedLogs(reference),
      kl: reference && rounded(meanKl(logProbs, reference, policy.config.loss.klEstimator)),
      advantage: advantages.advantage[row]!,
      episodeAdvantage: advantages.episode[row]!,
      stepAdvantage: advantages.step[row]!,
    };
    // A literal with a spread is made as a dictionary, at six times the cost of an object whose keys are known.
    return Object.assign(playedRow(told, policy), credit, this.levels(row));
  }
}

/** Log-probabilities are told to 1e-5, a thousandth of a per cent. */
function roundedLogs(values: ArrayLike<number>): number[] {
  const logs = new Array<number>(values.length);
  for (let at = 0; at < logs.length; at++) logs[at] = Math.round(values[at]! * 1e5) / 1e5;
  return logs;
}

/** The text of each token; together they are the text of all. */
function pieces(tokenizer: StreamingTokenizer, tokens: readonly number[]): string[] {
  const stream = tokenizer.streamDecoder();
  return tokens.map((token, index) => {
    const text = stream.push([token]);
    return index === tokens.length - 1 ? text + stream.flush() : text;
  });
}

/** KL of the policy that sampled a reply to the reference, a token: as `ppoLoss` takes it, before any update. */
function meanKl(logProbs: readonly number[], reference: ArrayLike<number>, estimator: KlEstimator): number {
  const estimates = logProbs.map((logProb, token) => {
    const delta = reference[token]! - logProb;
    if (estimator === 'k1') return -delta;
    return estimator === 'k2' ? delta ** 2 / 2 : Math.min(10, Math.exp(Math.min(delta, 20)) - delta - 1);
  });
  return estimates.reduce((sum, estimate) => sum + estimate, 0) / Math.max(1, estimates.length);
}
