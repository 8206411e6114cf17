/**
 * Learning from what an earlier policy played. Workers play an iteration with the weights before the last update, while
 * that update is made. The loss then has three policies (Hilton et al., arXiv 2110.00641). The behaviour policy μ
 * sampled the tokens. An update begins with the proximal policy π_prox, which PPO's clip holds on to. The policy π is
 * learned. A token's surrogate is min(π_prox / μ, cap) times that of π / π_prox: truncated importance sampling (Ionides
 * 2008), as in asynchronous training of language models (arXiv 2505.24298).
 */
import { ProxmoError } from '../base/errors.ts';
import type { Task } from '../envs/environment.ts';
import { type Fault, FaultLog } from '../envs/faults.ts';
import { copyWeights } from '../nn/halfWeights.ts';
import type { Transformer } from '../nn/transformer.ts';
import type { Engine } from '../tensor/engine.ts';
import type { TrainConfig } from './config.ts';
import type { RolloutResult } from './rollout.ts';

/** How far behind what was played is. */
export interface StalenessReport {
  /** Iterations between the weights that played and those that an update begins with. */
  readonly age: number;
  /** Mean of π_prox / μ over the tokens that are trained on. */
  readonly ratio: number;
  readonly largestRatio: number;
  /** Share of these tokens whose ratio was cut to the cap. */
  readonly truncatedShare: number;
}

/** Of what the policy itself has played. */
export const upToDate: StalenessReport = { age: 0, ratio: 1, largestRatio: 1, truncatedShare: 0 };

/** By what tokens count, and a report on it. */
export class ImportanceWeights {
  private tokens = 0;
  private sum = 0;
  private largest = 0;
  private truncated = 0;

  constructor(private readonly cap: number) {}

  /**
   * min(π_prox / μ, cap) of each token.
   * @param isCounted whether the token is trained on
   */
  of(
    proximal: ArrayLike<number>,
    behaviour: ArrayLike<number>,
    isCounted: (index: number) => boolean,
  ): Float32Array<ArrayBuffer> {
    return Float32Array.from(proximal, (logProb, index) => {
      const ratio = Math.exp(logProb - behaviour[index]!);
      if (isCounted(index)) this.note(ratio);
      return Math.min(ratio, this.cap);
    });
  }

  /** Of all tokens so far. */
  get report(): StalenessReport {
    const { tokens, sum, largest, truncated } = this;
    if (tokens === 0) return { ...upToDate, age: 1 };
    return { age: 1, ratio: sum / tokens, largestRatio: largest, truncatedShare: truncated / tokens };
  }

  private note(ratio: number): void {
    this.tokens++;
    this.sum += ratio;
    this.largest = Math.max(this.largest, ratio);
    if (ratio > this.cap) this.truncated++;
  }
}

/** @throws {ProxmoError} `config` where nobody can play while the policy learns */
export function checkStaleness({ fleet }: Pick<TrainConfig, 'fleet'>, hasActors: boolean): void {
  if (fleet.staleness === 0 || hasActors) return;
  throw new ProxmoError(
    'config',
    'fleet.staleness is 1, but the run has no workers that could play while its policy learns; train with --fleet or --workers, or set fleet.staleness to 0.',
  );
}

/**
 * Plays an iteration.
 * @param model with whose weights
 * @param faults takes note of those of the environment
 * @param isAwaited whether the run waits for it
 */
type PlayIteration = (
  iteration: number,
  tasks: readonly Task[],
  model: Transformer,
  faults: FaultLog,
  isAwaited: () => boolean,
) => Promise<RolloutResult>;

interface Begun {
  readonly iteration: number;
  readonly result: Promise<RolloutResult>;
  readonly faults: readonly Fault[];
  isAwaited: boolean;
}

/** Has each iteration played by the policy before the last update, while that update is made. */
export class NextRollout {
  /** The behaviour policy. Its weights are part of a checkpoint. */
  readonly model: Transformer;
  /** The iteration that it plays; null before the first update. */
  iteration: number | null = null;
  private begun: Begun | null = null;

  constructor(
    private readonly engine: Engine,
    private readonly policy: Transformer,
    private readonly play: PlayIteration,
  ) {
    this.model = policy.twin('behaviour');
  }

  /** Keeps the policy as it is before an update, to play the iteration after it. */
  keepPolicy(iteration: number): void {
    copyWeights(this.engine, this.policy.trainable, this.model.trainable);
    this.iteration = iteration;
  }

  /** Begins to play the iteration that the policy was kept for. Its faults are noted when it is taken. */
  begin(tasks: readonly Task[]): void {
    const { iteration, model } = this;
    const faults: Fault[] = [];
    // Where there are too many, the run's own log says so.
    const log = new FaultLog({ onFailure: 'drop', maxFaults: Number.MAX_SAFE_INTEGER }, (fault) => faults.push(fault));
    const result = this.play(iteration!, tasks, model, log, () => begun.isAwaited);
    const begun: Begun = { iteration: iteration!, result, faults, isAwaited: false };
    // Whoever takes it gets the error; where the run ends before, nobody does.
    result.catch(() => undefined);
    this.begun = begun;
  }

  /** Waits for what an iteration that is to be played by the behaviour policy comes to. */
  async take(iteration: number, tasks: readonly Task[], faults: FaultLog): Promise<RolloutResult> {
    if (this.begun?.iteration !== iteration) return this.play(iteration, tasks, this.model, faults, () => true);
    const { begun } = this;
    this.begun = null;
    begun.isAwaited = true;
    const result = await begun.result;
    for (const fault of begun.faults) faults.note(fault);
    return result;
  }
}
