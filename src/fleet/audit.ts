/**
 * Reads answers, and looks at some as if their workers were not to be trusted: plays episodes again in the environment
 * itself, with the replies that the answer has, and computes the log-probabilities of some of them again. Which answers
 * are looked at is drawn by chance, which workers cannot foresee; those of a worker that is new all are.
 */
import { ProxmoError } from '../base/errors.ts';
import type { TaskSet } from '../envs/environment.ts';
import type { SamplingControls } from '../nn/generator.ts';
import type { Transformer } from '../nn/transformer.ts';
import { contextSequences } from '../rl/episodeMemory.ts';
import type { Policy } from '../rl/policy.ts';
import type { EpisodeBatch, RolloutResult } from '../rl/rollout.ts';
import { Scorer } from '../rl/score.ts';
import { disagreement, playedAgain, recordedWorld, type Told } from './recorded.ts';

/** A worker is new until so many of its answers were found to be sound. */
const provenAfter = 3;
/** Sequences whose log-probabilities are computed again, at most: some of each answer. */
const scoredSequences = 8;
/**
 * Log-probabilities differ by less than this, between sampler and trainer and between adapters: matrices in f16 or
 * packed lose more.
 */
const logProbTolerances = { f32: 0.01, f16: 0.2, packed: 0.2 } as const;

/** Draws a number from 0 to 1. */
type Draw = () => number;

export class Auditor {
  /** Sound answers of each worker, of those that were looked at. */
  private readonly sound = new Map<string, number>();
  private readonly scorers: { readonly model: Transformer; readonly temperature: number; readonly scorer: Scorer }[] =
    [];

  /** @param share of the answers of workers that are not new */
  constructor(
    private readonly policy: Policy,
    private readonly taskSet: TaskSet,
    private readonly share: number,
    private readonly draw: Draw = Math.random,
  ) {}

  /**
   * The episodes of an answer.
   * @param told what it says of them
   * @param model that played
   * @throws {ProxmoError} `data` if it is not sound
   */
  async episodesOf(
    worker: string,
    batch: EpisodeBatch,
    told: Told,
    controls: SamplingControls,
    model: Transformer,
  ): Promise<RolloutResult> {
    const played = await playedAgain(this.policy, recordedWorld(this.taskSet, told.episodes), batch, told, controls);
    if (this.isDue(worker)) {
      await this.checkWorld(batch, told, controls);
      await this.checkReplies(played, model, controls.temperature);
      this.sound.set(worker, (this.sound.get(worker) ?? 0) + 1);
    }
    return played;
  }

  private isDue(worker: string): boolean {
    if (this.share === 0) return false;
    return (this.sound.get(worker) ?? 0) < provenAfter || this.draw() < this.share;
  }

  private async checkWorld(batch: EpisodeBatch, { episodes }: Told, controls: SamplingControls): Promise<void> {
    const again = await playedAgain(
      this.policy,
      this.taskSet,
      batch,
      { kind: 'episodes', episodes, faults: [] },
      controls,
    );
    const problem = disagreement(batch, episodes, again);
    if (problem !== null) throw new ProxmoError('data', `The environment answers otherwise: ${problem}.`);
  }

  /** Computes the log-probabilities of some replies again. */
  private async checkReplies({ episodes }: RolloutResult, model: Transformer, temperature: number): Promise<void> {
    // The likeliest token was not drawn.
    if (temperature === 0) return;
    const sequences = this.some(
      episodes.flatMap(({ id, steps }) => contextSequences(steps).map((it) => ({ id, ...it }))),
    );
    const scores = await this.scorerOf(model, temperature).score(sequences);
    const { precision } = this.policy.config;
    for (const [index, { id, turns }] of sequences.entries()) {
      const told = turns.flatMap(({ logProbs }) => logProbs);
      const difference = told.reduce((most, value, at) => Math.max(most, Math.abs(value - scores[index]![at]!)), 0);
      if (!(difference <= logProbTolerances[precision]))
        throw new ProxmoError(
          'data',
          `Log-probabilities of ${id} differ by ${difference.toPrecision(3)} from what the policy gives.`,
        );
    }
  }

  /** Some of a list, drawn by chance. */
  private some<T>(list: readonly T[]): T[] {
    const left = [...list];
    const count = Math.min(scoredSequences, left.length);
    return Array.from({ length: count }, () => left.splice(Math.floor(this.draw() * left.length), 1)[0]!);
  }

  private scorerOf(model: Transformer, temperature: number): Scorer {
    const known = this.scorers.find((each) => each.model === model && each.temperature === temperature);
    if (known) return known.scorer;
    const { engine, config } = this.policy;
    const scorer = new Scorer(engine, model, config.optimiser.microBatchTokens, temperature);
    this.scorers.push({ model, temperature, scorer });
    return scorer;
  }
}
