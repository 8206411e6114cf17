/**
 * What a look at a batch of advantages should show: how often each task is solved, where the signal is, and where there
 * is none.
 */
import type { RolloutBatch, RolloutGroup } from '../rows.ts';

/** One task group. */
export interface GroupDiagnostics {
  readonly group: string;
  readonly rows: number;
  readonly trajectories: number;
  /** Share of trajectories that succeeded. */
  readonly successRate: number;
  /** p: the success rate that PSC weights were computed from; null without PSC. */
  readonly modulationRate: number | null;
  /**
   * Whether all trajectories earned the same total reward: the episode level then tells them apart by penalties only.
   */
  readonly dead: boolean;
  /** Largest less smallest value over the group's rows, at each level. */
  readonly spread: { readonly episode: number; readonly step: number; readonly advantage: number };
}

/** The whole batch. */
export interface AdvantageDiagnostics {
  readonly groups: readonly GroupDiagnostics[];
  readonly deadGroups: number;
  /** Share of rows whose step-level advantage is 0: they learn from the episode level alone. */
  readonly rowsWithoutStepSignal: number;
  /** Terms of the TF-IDF vocabulary; null where the estimator uses none. */
  readonly vocabulary: number | null;
  /** Step groups of equal or similar anchors; null where the estimator forms none. */
  readonly anchorGroups: number | null;
}

/** The values that diagnostics are taken from, each `[rows]`. */
interface Levels {
  readonly episode: Float64Array;
  readonly step: Float64Array;
  readonly advantage: Float64Array;
}

/** Diagnostics of one group. `modulationRate` is the p that PSC used, if it did. */
export function describeGroup(
  batch: RolloutBatch,
  group: RolloutGroup,
  levels: Levels,
  modulationRate: number | null,
): GroupDiagnostics {
  const trajectories = group.trajectories.map((index) => batch.trajectories[index]!);
  const rewards = trajectories.map(({ rows }) => rows.reduce((sum, row) => sum + batch.rows[row]!.reward, 0));
  return {
    group: group.id,
    rows: group.rows.length,
    trajectories: trajectories.length,
    successRate: trajectories.filter(({ success }) => success).length / trajectories.length,
    modulationRate,
    dead: rewards.every((reward) => reward === rewards[0]),
    spread: {
      episode: spread(levels.episode, group.rows),
      step: spread(levels.step, group.rows),
      advantage: spread(levels.advantage, group.rows),
    },
  };
}

function spread(values: Float64Array, rows: readonly number[]): number {
  let [smallest, largest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const row of rows) {
    smallest = Math.min(smallest, values[row]!);
    largest = Math.max(largest, values[row]!);
  }
  return largest - smallest;
}
