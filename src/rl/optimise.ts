/**
 * Optimiser steps over mini-batches of token sequences. A mini-batch is split into micro-batches that fit memory; each
 * adds its gradient to a slab, and one update follows: norm, clipping and AdamW. Where products read f16, the loss is
 * scaled (src/nn/lossScale.ts) by the largest weight of the whole mini-batch.
 */
import { ProxmoError } from '../base/errors.ts';
import { firstNonFinite } from '../base/finite.ts';
import { Queue } from '../base/queue.ts';
import { Cache, destroyPrograms } from '../nn/buckets.ts';
import type { Checkpointing } from '../nn/checkpointing.ts';
import { lossScale } from '../nn/lossScale.ts';
import { AdamW, type AdamWOptions } from '../nn/optimizer.ts';
import { splitBySize } from '../nn/packing.ts';
import {
  bucketName,
  packColumn,
  packedLength,
  packReplies,
  type ReplyBucket,
  type ReplyGraph,
  replyBucket,
  replyGraph,
  replyTokens,
  type TokenSequence,
} from '../nn/replies.ts';
import type { TrainingMode, Transformer } from '../nn/transformer.ts';
import { norm as normOf } from '../ops/reduce.ts';
import { grad } from '../tensor/autograd.ts';
import type { Engine, Program } from '../tensor/engine.ts';
import { accumulate, gatherGradients } from '../tensor/gradients.ts';
import { input, type Tensor } from '../tensor/tensor.ts';
import type { Variable } from '../tensor/variable.ts';
import { nonFiniteParameter } from './nonFinite.ts';

/**
 * Numbers that go with each reply token, by column. `weight` is the token's share in the loss, and `imitation`, where a
 * loss has two parts, its share in the second.
 */
export interface TrainingSequence extends TokenSequence {
  readonly columns: {
    readonly weight: ArrayLike<number>;
    readonly imitation?: ArrayLike<number>;
    readonly [name: string]: ArrayLike<number> | undefined;
  };
}

/**
 * Builds the loss of a micro-batch. Losses of a mini-batch's micro-batches are summed, so weights must be relative to
 * the whole mini-batch.
 */
export type LossGraph = (inputs: {
  /** Log-probability of each reply token and entropy of what it was drawn from, `[targets]` each. */
  readonly logProbs: ReplyGraph['logProbs'];
  /** The named column, `[targets]`. */
  readonly column: (name: string) => Tensor;
}) => { readonly loss: Tensor; readonly statistics: Tensor };

/** What a gradient is computed from at once. */
export interface MicroBatch {
  readonly sequences: readonly TrainingSequence[];
  /** What the loss is multiplied by (src/nn/lossScale.ts). */
  readonly scale: number;
  /** Seed of the adapters' dropout. */
  readonly dropoutSeed: readonly [number, number];
}

/** What one micro-batch adds to an optimiser step. */
export interface MicroGradient {
  /** Of the scaled loss, as the slab of what is trained lays it out. */
  readonly gradient: Float32Array<ArrayBuffer>;
  /** As the loss graph lays them out. */
  readonly statistics: ArrayLike<number>;
}

/** Computes gradients in place of an optimiser's own device, with the weights as they are: one for each micro-batch. */
export type GradientSource = (batches: readonly MicroBatch[]) => Promise<readonly MicroGradient[]>;

export interface OptimiserOptions extends AdamWOptions {
  /** Most packed tokens in a micro-batch. */
  readonly microBatchTokens: number;
  readonly checkpointing: Checkpointing;
  /** With the count of micro-batches, the seed of the adapters' dropout. */
  readonly seed: number;
}

/** How far an optimiser has come; what follows depends on it. */
export interface OptimiserProgress {
  /** Updates made; AdamW's bias correction depends on them. */
  readonly steps: number;
  /** Micro-batches seen; each draws its own dropout. */
  readonly microBatches: number;
}

export interface StepReport {
  /** Statistics of each micro-batch, as the loss graph lays them out. */
  readonly statistics: readonly ArrayLike<number>[];
  /** Global gradient norm before clipping, of the loss as it is without a scale. */
  readonly gradientNorm: number;
  /** What was not finite, as `the gradient of head holds NaN`, so that nothing was changed; null for a step made. */
  readonly skipped: string | null;
}

/** Outputs of the program that makes a step. */
interface UpdateOutputs {
  readonly [name: string]: Tensor;
  /** Of the gradient. */
  readonly norm: Tensor;
  /** Of the weights after the step. */
  readonly weightNorm: Tensor;
}

/** Steps in a row that may be left out. More of them are no accident: the weights, and so the gradient, stay as bad. */
const patience = 2;

export class Optimiser {
  readonly adamW: AdamW;
  private readonly micro: Variable;
  private readonly total: Variable;
  private readonly programs = new Cache<Program<{ statistics: Tensor }>>();
  /** Calls share gradients and programs, and each goes on from the weights that the one before left. */
  private readonly queue = new Queue();
  private updateProgram: Promise<Program<UpdateOutputs>> | undefined;
  /** Adds a gradient that was computed elsewhere. */
  private addProgram: Promise<Program> | undefined;
  /** Why the last steps could not be made; empty after one that was. */
  private skips: readonly string[] = [];
  /** Where a run goes on, this is set to what it was. */
  progress: OptimiserProgress = { steps: 0, microBatches: 0 };

  constructor(
    private readonly engine: Engine,
    private readonly model: Transformer,
    private readonly options: OptimiserOptions,
    private readonly columns: readonly string[],
    private readonly loss: LossGraph,
    /** Who computes gradients; by default this device. */
    private readonly source: GradientSource | null = null,
  ) {
    const { trainable } = model;
    this.adamW = new AdamW(trainable, options);
    this.micro = trainable.variableLike('micro-batch gradients');
    this.total = trainable.variableLike('gradients');
  }

  /**
   * One update from a mini-batch. A call while another is under way waits for its end.
   * @throws {ProxmoError} `non-finite`, naming the tensor, if a weight is not finite after the step, or if this is the
   * third step in a row that cannot be made
   */
  step(sequences: readonly TrainingSequence[], learningRate: number): Promise<StepReport> {
    return this.queue.run(() => this.makeStep(sequences, learningRate));
  }

  /** @throws {ProxmoError} `non-finite`, naming the tensor, if steps were tried and none could ever be made */
  checkLearned(): void {
    if (this.progress.steps === 0 && this.skips.length > 0) this.giveUp();
  }

  /** Frees gradients, moments and programs. */
  destroy(): void {
    const others = [this.updateProgram, this.addProgram].filter((program) => program !== undefined);
    destroyPrograms([...this.programs.drain(), ...others]);
    this.updateProgram = undefined;
    this.addProgram = undefined;
    for (const variable of [this.micro, this.total, ...this.adamW.variables]) this.engine.release(variable);
  }

  /** The gradient of one micro-batch, for whoever adds it up elsewhere. A call while another is under way waits. */
  gradientOf(batch: MicroBatch): Promise<MicroGradient> {
    return this.queue.run(async () => {
      this.engine.clear(this.total);
      const statistics = await this.addGradient(batch);
      return { gradient: Float32Array.from(await this.engine.read(this.total)), statistics };
    });
  }

  private async makeStep(sequences: readonly TrainingSequence[], learningRate: number): Promise<StepReport> {
    const scale = lossScale(this.model.stored, largestWeight(sequences));
    const { microBatches } = this.progress;
    const batches = splitBySize(sequences, packedLength, this.options.microBatchTokens).map(
      (batch, index): MicroBatch => ({
        sequences: batch,
        scale,
        dropoutSeed: [this.options.seed, microBatches + index],
      }),
    );
    const statistics = this.source ? await this.addGiven(await this.source(batches)) : await this.addOwn(batches);
    this.progress = { ...this.progress, microBatches: microBatches + batches.length };
    if (statistics.some((values) => firstNonFinite(values) >= 0)) return this.leaveOut(statistics, 'the loss');
    this.updateProgram ??= this.compileUpdate();
    const { norm, weightNorm } = await (await this.updateProgram).run({
      hyperparameters: this.adamW.hyperparameters(this.progress.steps + 1, learningRate, 1 / scale),
    });
    const gradientNorm = norm[0] ?? Number.NaN;
    if (!Number.isFinite(gradientNorm)) return this.leaveOut(statistics, 'the norm of the gradient');
    this.progress = { ...this.progress, steps: this.progress.steps + 1 };
    this.skips = [];
    if (!Number.isFinite(weightNorm[0])) await this.refuseWeights();
    return { statistics, gradientNorm, skipped: null };
  }

  private async addOwn(batches: readonly MicroBatch[]): Promise<ArrayLike<number>[]> {
    this.engine.clear(this.total);
    const statistics: ArrayLike<number>[] = [];
    for (const batch of batches) statistics.push(await this.addGradient(batch));
    return statistics;
  }

  /** Adds gradients in their order, as `addOwn` does, so that their sum has the same bits. */
  private async addGiven(given: readonly MicroGradient[]): Promise<ArrayLike<number>[]> {
    this.engine.clear(this.total);
    this.addProgram ??= this.engine.compile({
      name: 'add gradient',
      updates: [accumulate(this.total.tensor, this.micro.tensor)],
    });
    const program = await this.addProgram;
    for (const { gradient } of given) {
      this.engine.write(this.micro, gradient);
      await program.run({});
    }
    return given.map(({ statistics }) => statistics);
  }

  /** Adds the gradient of a micro-batch to the sum. @returns its statistics */
  private async addGradient({ sequences, scale, dropoutSeed }: MicroBatch): Promise<ArrayLike<number>> {
    const bucket = replyBucket(sequences);
    const program = await this.programs.get(bucketName(bucket), () => this.compileGradient(bucket));
    const columns = this.columns.map((name) => [
      name,
      packColumn(
        sequences.map((sequence) => columnOf(sequence, name)),
        bucket,
      ),
    ]);
    const { statistics } = await program.run({
      ...packReplies(sequences, bucket),
      ...Object.fromEntries(columns),
      dropoutSeed: Uint32Array.from(dropoutSeed),
      lossScale: Float32Array.of(scale),
    });
    return statistics;
  }

  /** @param what is known not to be finite, for where every gradient is */
  private async leaveOut(statistics: readonly ArrayLike<number>[], what: string): Promise<StepReport> {
    const parameter = await nonFiniteParameter(this.engine, this.model.trainable, this.total);
    const skipped = parameter === null ? `${what} is not finite` : `the gradient of ${parameter}`;
    this.skips = [...this.skips, skipped];
    if (this.skips.length > patience) this.giveUp();
    return { statistics, gradientNorm: Number.NaN, skipped };
  }

  private giveUp(): never {
    const [first = ''] = this.skips;
    const count = this.skips.length === 1 ? 'The optimiser step' : `${this.skips.length} optimiser steps in a row`;
    throw new ProxmoError(
      'non-finite',
      `${count} could not be made, since ${first}; lower the learning rate or the size of rewards, or set precision to f32.`,
    );
  }

  private async refuseWeights(): Promise<never> {
    const { trainable } = this.model;
    const parameter = await nonFiniteParameter(this.engine, trainable, trainable.variable);
    throw new ProxmoError(
      'non-finite',
      `After optimiser step ${this.progress.steps} the weights are no numbers any more: ${parameter ?? 'the sum of their squares overflows'}; lower the learning rate.`,
    );
  }

  private compileGradient(bucket: ReplyBucket): Promise<Program<{ statistics: Tensor }>> {
    const { logProbs } = replyGraph(this.model.inTraining(trainingMode(this.model, this.options)), bucket);
    const column = (name: string) => input(name, [bucket.targets]);
    const { loss, statistics } = this.loss({ logProbs, column });
    const { trainable, stored } = this.model;
    const seed = stored === 'f16' ? input('lossScale', [1]) : undefined;
    const gradients = gatherGradients(trainable, this.micro, grad(loss, trainable.tensors, seed));
    const total = accumulate(this.total.tensor, gradients);
    return this.engine.compile({
      name: `gradient ${bucket.rows}`,
      outputs: { statistics },
      updates: [total],
      optionalInputs: [...this.columns, 'dropoutSeed', 'lossScale'],
      remedy: 'lower optimiser.microBatchTokens',
    });
  }

  private compileUpdate(): Promise<Program<UpdateOutputs>> {
    const { updates, norm } = this.adamW.update(this.total.tensor);
    return this.engine.compile({ name: 'update', outputs: { norm, weightNorm: normOf(updates[0]!) }, updates });
  }
}

/**
 * The column of a sequence, which must have a number for each token of its replies: with one more or less, all later
 * replies would get each other's.
 */
function columnOf(sequence: TrainingSequence, name: string): ArrayLike<number> {
  const column = sequence.columns[name];
  const expected = replyTokens(sequence);
  if (column?.length !== expected) {
    throw new Error(
      `replies of ${expected} tokens have ${column ? `${column.length} numbers in their` : 'no'} column ${name}`,
    );
  }
  return column;
}

function largestWeight(sequences: readonly TrainingSequence[]): number {
  let largest = 0;
  for (const sequence of sequences) {
    for (const shares of [columnOf(sequence, 'weight'), sequence.columns.imitation ?? []])
      for (const share of Array.from(shares)) largest = Math.max(largest, Math.abs(share));
  }
  return largest;
}

/** What a model's training step needs: the seed of dropout is an input only where there is dropout. */
export function trainingMode(
  { adapters }: Transformer,
  { checkpointing }: Pick<OptimiserOptions, 'checkpointing'>,
): TrainingMode {
  const hasDropout = (adapters?.config.dropout ?? 0) > 0;
  return { checkpointing, ...(hasDropout ? { dropoutSeed: input('dropoutSeed', [2], 'u32') } : {}) };
}
