/** Makes the rows and the index of an iteration, as `record.ts` defines them, from what was played and learned. */
import type { KlEstimator } from '../../ops/ppoLoss.ts';
import type { StreamingTokenizer } from '../../text/tokenizer.ts';
import { type AdvantageResult, type AdvantageSettings, resolveAdvantageOptions } from '../advantages/index.ts';
import type { TrainConfig } from '../config.ts';
import type { Episode, RolloutStep } from '../rollout.ts';
import { indexRollout, type RolloutBatch } from '../rows.ts';
import type { IterationResult } from '../trainer.ts';
import { branchesOf } from './branches.ts';
import { keptGroups } from './kept.ts';
import { levelsOf, type RowLevels, rounded } from './levels.ts';
import type { RecordedGroup, RecordedRow, RolloutIndex } from './record.ts';

/** What of an iteration is to be written. */
export interface RolloutRecord {
  /** Rows of each group that is kept. */
  readonly groups: readonly (readonly RecordedRow[])[];
  /** The index, when it is known where each of these groups is. */
  readonly indexOf: (places: readonly NonNullable<RecordedGroup['rows']>[]) => RolloutIndex;
}

/**
 * The record of an iteration; null where its settings keep none of it.
 * @param iteration counted from 1
 */
export function recordRollout(
  iteration: number,
  { episodes, advantages, update }: Omit<IterationResult, 'metrics'>,
  config: TrainConfig,
  tokenizer: StreamingTokenizer,
): RolloutRecord | null {
  const steps = episodes.flatMap((episode) => episode.steps);
  const batch = indexRollout(steps);
  const kept = keptGroups(config, iteration, batch.groups.length);
  if (kept === null) return null;
  const settings = resolveAdvantageOptions(config.advantages);
  const makeRow = new RowMaker(episodes, { batch, settings, advantages, update, config, tokenizer });
  const rowsOf = (group: number) =>
    batch.groups[group]!.trajectories.flatMap((trajectory) => batch.trajectories[trajectory]!.rows);
  const order = kept.flatMap(rowsOf);
  return {
    groups: kept.map((group) => rowsOf(group).map((row) => makeRow.at(row))),
    indexOf: (places) => ({
      format: 'proxmo-rollout',
      formatVersion: 1,
      iteration,
      time: new Date().toISOString(),
      groups: describeGroups(batch, episodes, new Map(kept.map((group, index) => [group, places[index]!]))),
      levels: {
        advantage: order.map((row) => rounded(advantages.advantage[row]!)),
        episode: order.map((row) => rounded(advantages.episode[row]!)),
        step: order.map((row) => rounded(advantages.step[row]!)),
      },
    }),
  };
}

function describeGroups(
  batch: RolloutBatch,
  episodes: readonly Episode[],
  places: ReadonlyMap<number, NonNullable<RecordedGroup['rows']>>,
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

interface RowSources {
  readonly batch: RolloutBatch;
  readonly settings: AdvantageSettings;
  readonly advantages: AdvantageResult;
  readonly update: IterationResult['update'];
  readonly config: TrainConfig;
  readonly tokenizer: StreamingTokenizer;
}

class RowMaker {
  private readonly levels: (row: number) => RowLevels;
  private readonly steps: readonly { readonly step: RolloutStep; readonly instruction: string }[];

  constructor(
    episodes: readonly Episode[],
    private readonly sources: RowSources,
  ) {
    const { batch, settings, advantages } = sources;
    this.steps = episodes.flatMap(({ steps, instruction }) => steps.map((step) => ({ step, instruction })));
    this.levels = levelsOf(batch, settings, advantages);
  }

  at(row: number): RecordedRow {
    const { advantages, update, config, tokenizer } = this.sources;
    const { step, instruction } = this.steps[row]!;
    const reference = update.referenceLogProbs[row] ?? null;
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
      cut: update.cut[row]!,
      logProbs: step.logProbs.map(roundedLog),
      referenceLogProbs: reference && Array.from(reference, roundedLog),
      kl: reference && rounded(meanKl(step.logProbs, reference, config.loss.klEstimator)),
      actions: step.actions && [...step.actions],
      branches: branchesOf(step),
      advantage: advantages.advantage[row]!,
      episodeAdvantage: advantages.episode[row]!,
      stepAdvantage: advantages.step[row]!,
      ...this.levels(row),
      seconds: { reply: rounded(step.seconds.reply), world: rounded(step.seconds.world) },
    };
  }
}

/** Log-probabilities are told to 1e-5, a thousandth of a per cent. */
function roundedLog(value: number): number {
  return Math.round(value * 1e5) / 1e5;
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
