/**
 * The course of a run of supervised fine-tuning: evaluations, optimiser steps, checkpoints, and at its end the summary
 * and what was trained. Whatever ends it early, what was learned up to the last whole step is saved first, as far as
 * the device still gives it.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { packedLength, replyTokens, type TokenSequence } from '../../nn/replies.ts';
import type { Transformer } from '../../nn/transformer.ts';
import type { OpenCheckpoint } from '../../runs/checkpoint.ts';
import type { MetricRecord } from '../../runs/metrics.ts';
import { followRun, type MetricsFollower } from '../../runs/metricsForms.ts';
import { type RunWriter, runFiles } from '../../runs/run.ts';
import type { Engine } from '../../tensor/engine.ts';
import { Random } from '../../tensor/random.ts';
import type { Left, LiveProgress } from '../liveProgress.ts';
import { evenParts } from '../miniBatches.ts';
import { type BeginEvent, endedEarly, whyUnsaved } from '../runSession.node.ts';
import { Scorer } from '../score.ts';
import { type Curriculum, type StepOutcome, SupervisedTraining, withWeights } from '../supervised.ts';
import { captureSupervised, restoreSupervised } from '../trainerState.node.ts';
import type { SftConfig } from './config.ts';
import { type ChatDataset, type EncodedChat, sizesOf } from './dataset.node.ts';
import { saveTrained } from './save.node.ts';
import { StepsLeft } from './stepsLeft.ts';

const heldOutLossSchema = z.object({
  /** Mean over the reply tokens, in nats a token. */
  loss: z.number(),
  /** e to the loss. */
  perplexity: z.number(),
  replyTokens: z.number(),
  chats: z.number(),
});
export type HeldOutLoss = z.output<typeof heldOutLossSchema>;

const sizes = z.object({ chats: z.number(), tokens: z.number(), replyTokens: z.number() });

export const sftSummarySchema = z.object({
  seed: z.number(),
  adapter: z.string(),
  model: z.string(),
  wallSeconds: z.number(),
  steps: z.number(),
  /** Mean loss of the replies in the last epoch, in nats a token. */
  trainingLoss: z.number(),
  /** On the held-out chats; null where there are none. */
  before: heldOutLossSchema.nullable(),
  after: heldOutLossSchema.nullable(),
  /** Read in training, over the seconds of its steps. */
  tokensPerSecond: z.number(),
  data: sizes.extend({ heldOut: z.number(), skipped: z.number(), cut: z.number(), changed: z.number() }),
  /** Folder, within the run's, of what was trained. */
  trained: z.string(),
});
/** `summary.json`. */
export type SftSummary = z.output<typeof sftSummarySchema>;

export type SftEvent =
  | BeginEvent
  /** The run that was to go on is finished already; nothing was changed. */
  | { readonly kind: 'finished'; readonly steps: number }
  | { readonly kind: 'data'; readonly training: ReturnType<typeof sizesOf>; readonly heldOut: number }
  | {
      readonly kind: 'step';
      readonly outcome: StepOutcome;
      readonly tokens: number;
      readonly seconds: number;
      /** How far the run is. */
      readonly run: Left;
    }
  | { readonly kind: 'evaluation'; readonly step: number; readonly result: HeldOutLoss; readonly seconds: number }
  | { readonly kind: 'warning'; readonly text: string };

/** What a checkpoint keeps besides the training itself. */
const stateSchema = z.object({
  wallSeconds: z.number(),
  stepSeconds: z.number(),
  tokens: z.number(),
  before: heldOutLossSchema.nullable(),
  /** The last evaluation, and the step after which it was made. */
  last: heldOutLossSchema.extend({ step: z.number() }).nullable(),
});
type State = z.output<typeof stateSchema>;

interface Surroundings {
  readonly config: SftConfig;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: SftEvent) => void;
}

export class SupervisedRun {
  private readonly started = performance.now();
  private readonly training: SupervisedTraining;
  private readonly scorer: Scorer;
  private readonly totals: { readonly stepsPerEpoch: number; readonly totalSteps: number };
  private readonly left: StepsLeft;
  private state: State = { wallSeconds: 0, stepSeconds: 0, tokens: 0, before: null, last: null };
  private follower!: MetricsFollower;
  /** Step of the last checkpoint, and when it was saved, in milliseconds. */
  private saved: number | null = null;
  private savedAt = performance.now();
  private stepStarted = performance.now();

  /** Optimiser steps of an epoch, and in all. */
  static stepsOf({ training }: SftConfig, { training: chats }: Pick<ChatDataset, 'training'>) {
    const stepsPerEpoch = Math.ceil(chats.length / training.batchChats);
    return { stepsPerEpoch, totalSteps: training.steps ?? training.epochs * stepsPerEpoch };
  }

  constructor(
    private readonly engine: Engine,
    private readonly surroundings: Surroundings,
    private readonly model: Transformer,
    private readonly dataset: ChatDataset,
    private readonly writer: RunWriter,
  ) {
    const { config } = surroundings;
    this.totals = SupervisedRun.stepsOf(config, dataset);
    this.left = new StepsLeft(this.totals, dataset.heldOut.length > 0 ? this.evaluateEvery : null);
    this.training = new SupervisedTraining(engine, model, curriculumOf(config, dataset.training, this.totals));
    this.scorer = new Scorer(engine, model, config.optimiser.microBatchTokens, 1);
  }

  /** Whether there is anything that it would be a loss to lose. */
  get isWorthKeeping(): boolean {
    return (this.saved ?? 0) > 0;
  }

  /** Goes back to a checkpoint. @throws {ProxmoError} `file` if it does not fit */
  async restore(checkpoint: OpenCheckpoint): Promise<void> {
    this.state = await restoreSupervised(this.engine, this.model, this.training, checkpoint, stateSchema);
    this.saved = checkpoint.iteration;
  }

  /** @throws {ProxmoError} what ended it, with a sentence on what was saved */
  async run(): Promise<SftSummary> {
    const { config, onEvent } = this.surroundings;
    const { dataset, writer } = this;
    const records = await writer.readMetrics();
    this.follower = await followRun(config.logging, writer.dir, records, Date.parse(writer.manifest.started));
    onEvent?.({ kind: 'data', training: sizesOf(dataset.training), heldOut: dataset.heldOut.length });
    for (const text of dataset.notes) this.warn(text);
    try {
      this.checkSignal();
      await this.evaluateIfDue(this.step);
      if (this.saved === null) await this.checkpoint();
      this.tellProgress('fine-tuning');
      this.stepStarted = performance.now();
      const trainingLoss = await this.training.run({
        onStep: (outcome) => this.afterStep(outcome),
        onSkip: (reason) => this.warn(`step ${this.step + 1} was left out, since ${reason}`),
      });
      await this.checkpoint();
      return await this.finish(trainingLoss);
    } catch (error) {
      throw await this.leave(error);
    } finally {
      this.follower.close();
    }
  }

  /** Steps done. */
  private get step(): number {
    return this.training.progress?.step ?? 0;
  }

  private async afterStep(outcome: StepOutcome): Promise<void> {
    const seconds = (performance.now() - this.stepStarted) / 1000;
    const { step, loss, learningRate, gradientNorm, sequences } = outcome;
    const tokens = sequences.reduce((sum, sequence) => sum + packedLength(sequence), 0);
    this.left.noteStep(seconds);
    const learned = sequences.reduce((sum, sequence) => sum + replyTokens(sequence), 0);
    this.state = {
      ...this.state,
      stepSeconds: this.state.stepSeconds + seconds,
      tokens: this.state.tokens + tokens,
    };
    await this.report({
      kind: 'train',
      time: new Date().toISOString(),
      iteration: step,
      epoch: step / this.totals.stepsPerEpoch,
      loss,
      learningRate,
      gradientNorm,
      tokens,
      replyTokens: learned,
      tokensPerSecond: tokens / seconds,
      'seconds/total': seconds,
    });
    const run = this.left.run(step);
    this.tellProgress('fine-tuning', { detail: `loss ${outcome.epochLoss.toFixed(3)}` });
    this.surroundings.onEvent?.({ kind: 'step', outcome, tokens, seconds, run });
    // Where it is to stop, what is known is saved first: an evaluation that is due is made when it goes on.
    if (!this.surroundings.signal?.aborted) await this.evaluateIfDue(step);
    if (this.isCheckpointDue(step) || this.surroundings.signal?.aborted) await this.checkpoint();
    this.checkSignal();
    this.stepStarted = performance.now();
  }

  private isCheckpointDue(step: number): boolean {
    const { every, minutes } = this.surroundings.config.checkpoints;
    const isTime = minutes > 0 && performance.now() - this.savedAt >= 60_000 * minutes;
    return isTime || (every > 0 && step % every === 0);
  }

  /** Evaluates before the first step, on the way and after the last one, where it was not done. */
  private async evaluateIfDue(step: number): Promise<void> {
    const { heldOut } = this.dataset;
    const isDue = step % this.evaluateEvery === 0 || step === this.totals.totalSteps;
    if (heldOut.length === 0 || !isDue || this.state.last?.step === step) return;
    const started = performance.now();
    this.tellProgress('evaluation');
    const sequences = packed(heldOut.flat(), this.surroundings.config.optimiser.microBatchTokens);
    const logProbs = await this.scorer.score(sequences);
    const count = sequences.reduce((sum, sequence) => sum + replyTokens(sequence), 0);
    const loss = -logProbs.reduce((sum, values) => sum + values.reduce((total, value) => total + value, 0), 0) / count;
    if (!Number.isFinite(loss))
      throw new ProxmoError(
        'non-finite',
        `The loss on the held-out chats is ${loss} after step ${step}; lower training.learningRate, or set precision to f32.`,
      );
    const result = { loss, perplexity: Math.exp(loss), replyTokens: count, chats: heldOut.length };
    await this.report({ kind: 'eval', time: new Date().toISOString(), iteration: step, ...result });
    this.state = { ...this.state, before: this.state.before ?? result, last: { ...result, step } };
    const seconds = (performance.now() - started) / 1000;
    this.left.noteEvaluation(seconds);
    this.tellProgress('fine-tuning');
    this.surroundings.onEvent?.({ kind: 'evaluation', step, result, seconds });
  }

  /** Steps from one evaluation to the next. */
  private get evaluateEvery(): number {
    return this.surroundings.config.evaluation.every || this.totals.stepsPerEpoch;
  }

  private tellProgress(phase: LiveProgress['phase'], more: Pick<LiveProgress, 'detail'> = {}): void {
    const { step, left } = this;
    const epoch = left.epoch(step);
    // An evaluation is one program after another, without a measure of how far it is.
    const [done, stage] = phase === 'evaluation' ? [0, { share: 0, seconds: null }] : [epoch.share, epoch];
    const state = { iteration: step, phase, done, ...more, stage, run: left.run(step) };
    this.writer.progress.write(state satisfies Omit<LiveProgress, 'time'>);
  }

  private async report(record: MetricRecord): Promise<void> {
    this.writer.metrics.append(record);
    await this.follower.append(record);
  }

  private async checkpoint(): Promise<void> {
    const { progress } = this.training;
    if (progress === null || this.saved === progress.step) return;
    const state = { ...this.state, wallSeconds: this.wallSeconds };
    const checkpoint = captureSupervised(this.engine, this.model, this.training, progress, state);
    await this.writer.saveCheckpoint(checkpoint, this.surroundings.config.checkpoints.keep);
    this.saved = progress.step;
    this.savedAt = performance.now();
  }

  private async finish(trainingLoss: number): Promise<SftSummary> {
    const { config } = this.surroundings;
    const { before, last, tokens, stepSeconds } = this.state;
    const form = this.model.adapters ? 'adapters' : 'model';
    const folder = join(this.writer.dir, runFiles[form]);
    await rm(folder, { recursive: true, force: true });
    await saveTrained(this.engine, this.model, config.model, folder);
    const { step: _, ...after } = last ?? { step: 0 };
    const summary = sftSummarySchema.parse({
      seed: config.seed,
      adapter: this.engine.gpu.adapter.name,
      model: config.model,
      wallSeconds: this.wallSeconds,
      steps: this.step,
      trainingLoss,
      before,
      after: last && after,
      tokensPerSecond: stepSeconds > 0 ? tokens / stepSeconds : 0,
      data: { ...sizesOf(this.dataset.training), heldOut: this.dataset.heldOut.length, ...this.dataset.counts },
      trained: runFiles[form],
    });
    await this.writer.writeSummary(summary);
    this.writer.log(`finished after step ${this.step}`);
    return summary;
  }

  /**
   * Saves what can be saved before the run ends early.
   * @returns the error, which says what was saved
   */
  private async leave(error: unknown): Promise<unknown> {
    let problem = 'the step that failed had begun to change the weights';
    await this.checkpoint().catch((cause: unknown) => {
      problem = whyUnsaved(cause);
    });
    const { saved } = this;
    const command = `proxmo sft --resume ${this.writer.dir}`;
    const isWhole = this.training.progress !== null && saved === this.step;
    const outcome =
      saved === null
        ? `Nothing was saved (${problem}); begin again with: ${command}`
        : isWhole
          ? `Step ${saved} of ${this.totals.totalSteps} is saved; go on with: ${command}`
          : `What came after step ${saved} is lost (${problem}); go on from there with: ${command}`;
    return endedEarly(this.writer, error, outcome, this.isWorthKeeping);
  }

  private checkSignal(): void {
    if (this.surroundings.signal?.aborted) throw new ProxmoError('interrupted', 'The run was interrupted.');
  }

  private warn(text: string): void {
    this.writer.log(text);
    this.surroundings.onEvent?.({ kind: 'warning', text });
  }

  private get wallSeconds(): number {
    return this.state.wallSeconds + (performance.now() - this.started) / 1000;
  }
}

/** The chats as mini-batches: in each epoch in another order. */
function curriculumOf(
  { seed, training, optimiser }: SftConfig,
  chats: readonly EncodedChat[],
  steps: { readonly stepsPerEpoch: number; readonly totalSteps: number },
): Curriculum {
  const { learningRate, schedule, warmup } = training;
  return {
    ...steps,
    schedule: { peak: learningRate, course: schedule, warmup },
    optimiser: { ...optimiser, seed: new Random(seed, 'sft dropout').nextWord() },
    batchesOf: (epoch) =>
      evenParts(new Random(seed, `sft ${epoch}`).shuffle(chats), steps.stepsPerEpoch).map(
        (batch) => () => withWeights(packed(batch.flat(), optimiser.microBatchTokens), 0),
      ),
  };
}

/**
 * Sequences in an order in which micro-batches of consecutive ones are full: each goes, longest first, into the first
 * micro-batch that has room. What splits them up again by their order comes to the same micro-batches.
 */
export function packed<T extends TokenSequence>(sequences: readonly T[], microBatchTokens: number): T[] {
  const bins: { room: number; readonly held: T[] }[] = [];
  for (const sequence of [...sequences].sort((a, b) => packedLength(b) - packedLength(a))) {
    const length = packedLength(sequence);
    let bin = bins.find(({ room }) => room >= length);
    if (bin === undefined) bins.push((bin = { room: microBatchTokens, held: [] }));
    bin.room -= length;
    bin.held.push(sequence);
  }
  return bins.flatMap(({ held }) => held);
}
