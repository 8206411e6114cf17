/** What an iteration is reported by: one flat record, a line of `metrics.jsonl`. */
import { groupBy } from '../base/groupBy.ts';
import type { AdvantageResult } from './advantages/index.ts';
import type { TrainConfig } from './config.ts';
import { meanComponents } from './evaluate.ts';
import type { StepReport } from './optimise.ts';
import { combinePpoStatistics } from './ppoStatistics.ts';
import type { Episode } from './rollout.ts';
import type { StalenessReport } from './staleness.ts';

/** Seconds of each phase of an iteration. */
export interface PhaseSeconds {
  readonly rollout: number;
  readonly advantage: number;
  readonly update: number;
}

export interface IterationMetrics {
  /** Counted from 0. */
  readonly iteration: number;
  readonly episodes: number;
  readonly steps: number;
  /** Share of episodes that succeeded. */
  readonly success: number;
  readonly successByType: Readonly<Record<string, number>>;
  /** Mean partial credit of an episode, from 0 to 1; the success rate where the environment gives none. */
  readonly score: number;
  /** Means of what that credit consists of, by name. */
  readonly components: Readonly<Record<string, number>>;
  /** Mean sum of an episode's rewards. */
  readonly return: number;
  /** Mean steps of an episode. */
  readonly length: number;
  /** Share of steps whose action was valid. */
  readonly validShare: number;
  /** Faults of the environment, each of which made an episode start over or was its last. */
  readonly faults: number;
  /** Episodes that were left out because the environment failed every time. */
  readonly dropped: number;
  /** Groups that were left out because they lost more than half of their episodes so. */
  readonly groupsLeftOut: number;
  /** Share of prompts that did not fit their budget whole. */
  readonly truncatedShare: number;
  /** How often a transcript was full and went on with its last turns, an episode; 0 for windows. */
  readonly reopenedContexts: number;
  /** Mean and standard deviation over rows of the joint advantage and its two levels. */
  readonly advantageMean: number;
  readonly advantageStd: number;
  readonly episodeAdvantageMean: number;
  readonly episodeAdvantageStd: number;
  readonly stepAdvantageMean: number;
  readonly stepAdvantageStd: number;
  /** Replies that were cut at `sampling.maxNewTokens`, and their share. */
  readonly truncatedReplies: number;
  readonly truncatedReplyShare: number;
  /** Groups of episodes of one task. */
  readonly groups: number;
  /** Share of groups whose episodes all had the same return: they teach nothing at the episode level. */
  readonly deadGroupShare: number;
  /** How many groups had 0, 1, … `groupSize` successes. */
  readonly groupSuccessHistogram: readonly number[];
  /** KL to the reference policy, by the configured estimator, a token; absent where there is no reference. */
  readonly kl?: number;
  /** Where there is none, the KL to the policy that sampled, which only the iteration's own steps move it away from. */
  readonly samplerKl?: number;
  /** Entropy of the policy in nats a token. */
  readonly entropy: number;
  /** Share of tokens whose ratio was clipped. */
  readonly clipShare: number;
  readonly policyLoss: number;
  /** Of the last optimiser step. */
  readonly learningRate: number;
  /** Mean over the optimiser steps, before clipping. */
  readonly gradientNorm: number;
  /** Optimiser steps that were made. The figures above, from the KL on, are theirs, and 0 if there was none. */
  readonly updates: number;
  /** Optimiser steps left out because their loss or gradient was not finite. */
  readonly skippedSteps: number;
  /**
   * Largest |Δ log-probability| between sampler and trainer, over the tokens that were trained before the first update.
   * Where an earlier policy played, that of the trainer with itself.
   */
  readonly samplerMismatch: number;
  /** Of what was played; absent where the policy itself always plays. */
  readonly staleness?: StalenessReport;
  /** Prompt and reply tokens of the rollout. */
  readonly tokens: number;
  /** Those tokens over the iteration's seconds. */
  readonly tokensPerSecond: number;
  /** Bind groups on the device at the end; their number is bounded. */
  readonly bindGroups: number;
  readonly seconds: PhaseSeconds & { readonly total: number };
}

interface IterationRecord {
  readonly iteration: number;
  readonly episodes: readonly Episode[];
  readonly dropped: number;
  readonly groupsLeftOut: number;
  readonly faults: number;
  /** Of each step, whether its reply was cut. */
  readonly cut: readonly boolean[];
  readonly advantages: AdvantageResult;
  readonly hasReference: boolean;
  readonly reports: readonly StepReport[];
  readonly learningRate: number;
  readonly staleness: StalenessReport;
  readonly seconds: PhaseSeconds;
  readonly bindGroups: number;
  readonly config: TrainConfig;
}

export function iterationMetrics({
  iteration,
  episodes,
  dropped,
  groupsLeftOut,
  faults,
  cut,
  advantages,
  hasReference,
  reports,
  learningRate,
  staleness,
  seconds,
  bindGroups,
  config,
}: IterationRecord): IterationMetrics {
  const steps = episodes.flatMap((episode) => episode.steps);
  const tokens = sum(steps.map(({ prompt, reply }) => prompt.length + reply.length));
  const total = seconds.rollout + seconds.advantage + seconds.update;
  const joint = spread(advantages.advantage);
  const episodeLevel = spread(advantages.episode);
  const stepLevel = spread(advantages.step);
  const groups = groupBy(episodes, ({ task }) => task.id);
  const made = reports.filter(({ skipped }) => skipped === null);
  const ppo = combinePpoStatistics(made.flatMap(({ statistics }) => statistics));
  return {
    iteration,
    episodes: episodes.length,
    steps: steps.length,
    success: share(episodes, ({ success }) => success),
    successByType: Object.fromEntries(
      [...groupBy(episodes, ({ task }) => task.type)].map(([type, members]) => [
        type,
        share(members, ({ success }) => success),
      ]),
    ),
    score: sum(episodes.map(({ score }) => score)) / episodes.length,
    components: meanComponents(episodes),
    return: sum(steps.map(({ reward }) => reward)) / episodes.length,
    length: steps.length / episodes.length,
    validShare: share(steps, ({ valid }) => valid),
    faults,
    dropped,
    groupsLeftOut,
    truncatedShare: share(steps, ({ truncated }) => truncated),
    reopenedContexts:
      config.prompt.memory === 'window'
        ? 0
        : sum(episodes.map(({ steps: turns }) => turns.at(-1)?.context ?? 0)) / episodes.length,
    advantageMean: joint.mean,
    advantageStd: joint.std,
    episodeAdvantageMean: episodeLevel.mean,
    episodeAdvantageStd: episodeLevel.std,
    stepAdvantageMean: stepLevel.mean,
    stepAdvantageStd: stepLevel.std,
    truncatedReplies: cut.filter(Boolean).length,
    truncatedReplyShare: share(cut, Boolean),
    groups: groups.size,
    deadGroupShare: share([...groups.values()], isDead),
    groupSuccessHistogram: histogram([...groups.values()], config.training.groupSize),
    ...(hasReference ? { kl: ppo.kl } : { samplerKl: ppo.kl }),
    entropy: ppo.entropy,
    clipShare: ppo.clipShare,
    policyLoss: ppo.policyLoss,
    learningRate,
    gradientNorm: sum(made.map(({ gradientNorm }) => gradientNorm)) / Math.max(1, made.length),
    updates: made.length,
    skippedSteps: reports.length - made.length,
    samplerMismatch: combinePpoStatistics(made[0]?.statistics ?? []).largestLogProbChange,
    ...(config.fleet.staleness > 0 ? { staleness } : {}),
    tokens,
    tokensPerSecond: tokens / total,
    bindGroups,
    seconds: { ...seconds, total },
  };
}

/** Measures phases by the wall clock. */
export class Stopwatch {
  private readonly measured: Record<keyof PhaseSeconds, number> = { rollout: 0, advantage: 0, update: 0 };

  get seconds(): PhaseSeconds {
    return { ...this.measured };
  }

  async time<T>(phase: keyof PhaseSeconds, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.measured[phase] += (performance.now() - started) / 1000;
    }
  }
}

function isDead(group: readonly Episode[]): boolean {
  const returns = group.map(({ steps }) => sum(steps.map(({ reward }) => reward)));
  return returns.every((value) => value === returns[0]);
}

function histogram(groups: readonly (readonly Episode[])[], groupSize: number): number[] {
  const counts = new Array<number>(groupSize + 1).fill(0);
  for (const group of groups) {
    const successes = group.filter(({ success }) => success).length;
    counts[successes] = (counts[successes] ?? 0) + 1;
  }
  return counts;
}

function spread(values: ArrayLike<number>): { mean: number; std: number } {
  const list = Array.from(values);
  const mean = sum(list) / list.length;
  return { mean, std: Math.sqrt(sum(list.map((value) => (value - mean) ** 2)) / list.length) };
}

function share<T>(items: readonly T[], holds: (item: T) => boolean): number {
  return items.length === 0 ? 0 : items.filter(holds).length / items.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
