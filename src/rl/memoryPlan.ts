/**
 * What a training run needs of the device's memory, before any of it is allocated. Sizes of weights and caches follow
 * from the configuration; those of activations are the planner's own, from the same graphs that the run compiles.
 */
import { mebibytes } from '../base/sizes.ts';
import { bucketSize } from '../nn/buckets.ts';
import {
  type BatchLimits,
  fittingBatch,
  rowBucket,
  sequenceBytes,
  smallestTokenBucket,
} from '../nn/generatorLimits.ts';
import { packedInputs } from '../nn/packing.ts';
import { type ReplyBucket, type ReplyGraph, replyGraph } from '../nn/replies.ts';
import { packedAttention, type Transformer, vocabChunkSize } from '../nn/transformer.ts';
import { add } from '../ops/elementwise.ts';
import { dot } from '../ops/reduce.ts';
import { grad } from '../tensor/autograd.ts';
import { gatherGradients } from '../tensor/gradients.ts';
import { plan } from '../tensor/planner.ts';
import { input, type Tensor } from '../tensor/tensor.ts';
import { Variable } from '../tensor/variable.ts';
import { hiddenBaselines, hiddenCapacity } from './advantages/hiddenProgram.ts';
import type { TrainConfig } from './config.ts';
import { stateRowsOf } from './hiddenStates.ts';
import { trainingMode } from './optimise.ts';
import { batchRows, cachedSequences, maxBatchTokens } from './policy.ts';
import { ownWeightsOf, referenceOf } from './reference.ts';

export interface PlannedRun {
  /** The policy, with its adapters if it has any; made with null for its weights, it takes no memory. */
  readonly model: Transformer;
  readonly config: Pick<
    TrainConfig,
    | 'prompt'
    | 'sampling'
    | 'training'
    | 'warmStart'
    | 'loss'
    | 'lora'
    | 'optimiser'
    | 'evaluation'
    | 'advantages'
    | 'fleet'
  >;
  /** Most turns of an episode, as the task set says. */
  readonly maxSteps: number;
}

/** What a device allows, in bytes. */
export interface MemoryLimits {
  /** Most bytes that a kernel can bind: the smaller of the device's maxBufferSize and maxStorageBufferBindingSize. */
  readonly largestBuffer: number;
  /** Bytes of memory that the run may take; null if that is not known, as WebGPU does not tell. */
  readonly total: number | null;
}

/** Bytes by purpose. */
export interface MemoryParts {
  readonly weights: number;
  readonly adapters: number;
  /** The trained part of the reference, and of an earlier policy that plays; the frozen part is the policy's. */
  readonly reference: number;
  /** Those of a micro-batch, and their sum over the mini-batch. */
  readonly gradients: number;
  /** AdamW's. */
  readonly moments: number;
  readonly kvCache: number;
  /** Of the turns of an iteration, where they are compared by them. */
  readonly hiddenStates: number;
  /** Intermediate values of the largest programs, without logits. */
  readonly activations: number;
  /** Logits and their gradients within these programs. */
  readonly logits: number;
}

/** What a run takes on a device, in bytes, and whether it fits. */
export interface MemoryPlan {
  /** For micro-batches of this many packed tokens, as configured. */
  readonly microBatchTokens: number;
  readonly parts: MemoryParts;
  readonly total: number;
  readonly limits: MemoryLimits;
  /**
   * Sizes of the buffers that programs share for activations and logits, largest first: what `Engine.reserve` makes.
   */
  readonly shared: readonly number[];
  /** What to do where no micro-batch fits, as `lower prompt.maxTokens`. */
  readonly remedies: readonly string[];
  /**
   * The buffer that is larger than the device can bind, of those that cannot be cut into several (weights and what goes
   * with them can), by name and bytes; null if none is.
   */
  readonly tooLarge: { readonly name: keyof MemoryParts; readonly bytes: number } | null;
  readonly fits: boolean;
  /**
   * The largest micro-batch that fits, in packed tokens, up to `searchLimit`; null if not even one turn does. Searched
   * for when it is asked for: a run that fits needs no answer.
   */
  readonly largestMicroBatch: number | null;
}

/** Micro-batches beyond this are not tried. */
export const searchLimit = 2 ** 17;
const smallestMicroBatch = 256;

/**
 * @throws {ProxmoError} `config` or `shape` if the model cannot be built for these settings, or a task can have more
 * turns than can be compared
 */
export function planMemory(run: PlannedRun, limits: MemoryLimits): MemoryPlan {
  const { config } = run;
  const batch = generatorBatch(run, limits);
  const prefill = prefillMemory(run, batch);
  const others = [prefill.slots, comparisonSlots(run)];
  return assemble(
    {
      buffers: fixedBuffers(run, batch.slots),
      programs: (tokens) => {
        const update = updateMemory(run, tokens);
        return {
          slots: [update.slots, ...others].reduce(sharedBuffers),
          logits: Math.max(update.logits, prefill.logits),
        };
      },
      remedies: ['lower training.tasks, prompt.maxTokens or sampling.maxNewTokens', ...adapterRemedy(run.model)],
      microBatchTokens: config.optimiser.microBatchTokens,
      longest: config.prompt.maxTokens + config.sampling.maxNewTokens - 1,
    },
    limits,
  );
}

/** Supervised training, as its memory depends on it. */
export interface PlannedTraining {
  /** As that of `PlannedRun`. */
  readonly model: Transformer;
  readonly optimiser: TrainConfig['optimiser'];
  /** Reply tokens of a micro-batch, as a share of what is read in it. */
  readonly replyShare: number;
  /** Tokens of the longest sequence. */
  readonly longest: number;
}

/** @throws {ProxmoError} `config` or `shape` if the model cannot be built for these settings */
export function planTraining(
  { model, optimiser, replyShare, longest }: PlannedTraining,
  limits: MemoryLimits,
): MemoryPlan {
  return assemble(
    {
      buffers: trainedBuffers(model),
      programs: (rows) => {
        const bucket = { rows, targets: bucketSize(Math.ceil(rows * replyShare), 64), edges: 0 };
        return gradientMemory(model, optimiser, bucket, (logProbs) =>
          dot(logProbs().logProb, input('weight', [bucket.targets])),
        );
      },
      remedies: ['lower data.maxTokens', ...adapterRemedy(model)],
      microBatchTokens: Math.max(optimiser.microBatchTokens, longest),
      longest,
    },
    limits,
  );
}

function adapterRemedy({ adapters }: Transformer): string[] {
  return adapters ? [] : ['train adapters (lora)'];
}

interface FixedBuffer {
  readonly name: keyof MemoryParts;
  readonly bytes: number;
  readonly count: number;
}

/** What a plan consists of. */
interface Needs {
  /** Buffers that outlive programs. */
  readonly buffers: readonly FixedBuffer[];
  /** Of all programs together, with micro-batches of so many tokens. */
  programs(microBatchTokens: number): ProgramMemory;
  readonly remedies: readonly string[];
  readonly microBatchTokens: number;
  /** Tokens of the longest sequence, which a micro-batch must hold. */
  readonly longest: number;
}

function assemble({ buffers, programs, longest, ...needs }: Needs, limits: MemoryLimits): MemoryPlan {
  const at = (tokens: number) => {
    const { slots: shared, logits } = programs(tokens);
    const sharedBytes = shared.reduce((sum, bytes) => sum + bytes, 0);
    const total = buffers.reduce((sum, { bytes, count }) => sum + bytes * count, sharedBytes);
    const uncut = [
      ...buffers.filter(({ name }) => name === 'kvCache' || name === 'hiddenStates'),
      { name: 'activations' as const, bytes: shared[0] ?? 0 },
    ];
    const largest = uncut.reduce((a, b) => (b.bytes > a.bytes ? b : a));
    const tooLarge = largest.bytes > limits.largestBuffer ? { name: largest.name, bytes: largest.bytes } : null;
    return {
      shared,
      parts: { activations: sharedBytes - logits, logits },
      total,
      tooLarge,
      fits: tooLarge === null && (limits.total === null || total <= limits.total),
    };
  };
  const microBatchTokens = bucketSize(needs.microBatchTokens, smallestMicroBatch);
  const { parts, ...verdict } = at(microBatchTokens);
  const bytesOf = (part: keyof MemoryParts) =>
    buffers.reduce((sum, { name, bytes, count }) => sum + (name === part ? bytes * count : 0), 0);
  const fixed = ['weights', 'adapters', 'reference', 'gradients', 'moments', 'kvCache', 'hiddenStates'] as const;
  const sizes = Object.fromEntries(fixed.map((part) => [part, bytesOf(part)])) as Pick<
    MemoryParts,
    (typeof fixed)[number]
  >;
  let found: { readonly tokens: number | null } | null = null;
  return {
    microBatchTokens,
    parts: { ...sizes, ...parts },
    ...verdict,
    limits,
    remedies: needs.remedies,
    get largestMicroBatch() {
      found ??= { tokens: largestThat((tokens) => at(tokens).fits, bucketSize(longest, smallestMicroBatch)) };
      return found.tokens;
    },
  };
}

/** Buffers of a training run that outlive programs. */
function fixedBuffers({ model, config, maxSteps }: PlannedRun, cacheRows: number): FixedBuffer[] {
  const { layers } = model.config;
  const reference = ownWeightsOf(referenceOf(model, config), model);
  const lengths = { maxPromptTokens: config.prompt.maxTokens, maxNewTokens: config.sampling.maxNewTokens };
  const cache = cacheRows * sequenceBytes(model.config, lengths, model.stored);
  return [
    ...trainedBuffers(model),
    { name: 'reference', bytes: reference?.bytes ?? 0, count: 1 },
    { name: 'reference', bytes: config.fleet.staleness > 0 ? model.twin('behaviour').trainable.bytes : 0, count: 1 },
    { name: 'kvCache', bytes: cache, count: 2 * layers },
    { name: 'hiddenStates', bytes: stateRowsOf(config, { maxSteps }) * model.config.dModel * 4, count: 1 },
  ];
}

/** A model, and what its optimiser holds. */
function trainedBuffers({ slab, trainable, adapters }: Transformer): FixedBuffer[] {
  const trained = trainable.size * 4;
  return [
    { name: 'weights', bytes: slab.bytes, count: 1 },
    { name: 'adapters', bytes: trained, count: adapters ? 1 : 0 },
    { name: 'gradients', bytes: trained, count: 2 },
    { name: 'moments', bytes: trained, count: 2 },
  ];
}

/** What the policy's generator handles at once; at least what one prompt needs. */
function generatorBatch({ model, config }: PlannedRun, { largestBuffer }: MemoryLimits): BatchLimits {
  const { prompt, sampling } = config;
  const sizes = {
    maxPromptTokens: prompt.maxTokens,
    maxNewTokens: sampling.maxNewTokens,
    maxBatchTokens: Math.max(maxBatchTokens, prompt.maxTokens),
    maxBatchRows: batchRows(config),
    cachedSequences: cachedSequences(config),
  };
  const { rows, slots, tokens } = fittingBatch(model.config, sizes, largestBuffer, model.stored);
  return { rows: Math.max(rows, 1), slots: Math.max(slots, 1), tokens: Math.max(tokens, prompt.maxTokens) };
}

interface ProgramMemory {
  /** Sizes of its buffers. */
  readonly slots: readonly number[];
  readonly logits: number;
}

/** Sizes of the buffers in which each of two programs finds its own, largest first. */
function sharedBuffers(a: readonly number[], b: readonly number[]): number[] {
  const [first, second] = [a, b].map((sizes) => [...sizes].sort((x, y) => y - x)) as [number[], number[]];
  return Array.from({ length: Math.max(a.length, b.length) }, (_, rank) =>
    Math.max(first[rank] ?? 0, second[rank] ?? 0),
  );
}

/** The gradient program of a micro-batch. */
function updateMemory({ model, config }: PlannedRun, rows: number): ProgramMemory {
  const { warmStart, sampling, prompt, optimiser } = config;
  // Demonstrations are learnt with their prompts, where these count; replies are a share of a sequence's tokens.
  const share =
    warmStart.tasks > 0 && warmStart.promptWeight > 0
      ? 1
      : sampling.maxNewTokens / (leastRead(prompt) + sampling.maxNewTokens);
  const bucket = { rows, targets: bucketSize(Math.ceil(rows * share), 64), edges: sampling.constrained ? 64 : 0 };
  return gradientMemory(model, optimiser, bucket, (logProbs) => {
    const { logProb, entropy } = logProbs(sampling.temperature);
    return add(dot(logProb, input('weight', [bucket.targets])), dot(entropy, input('entropyWeight', [bucket.targets])));
  });
}

/** The gradient program of a micro-batch, with a loss of its replies. */
function gradientMemory(
  model: Transformer,
  optimiser: TrainConfig['optimiser'],
  bucket: ReplyBucket,
  lossOf: (logProbs: ReplyGraph['logProbs']) => Tensor,
): ProgramMemory {
  const loss = lossOf(replyGraph(model.inTraining(trainingMode(model, optimiser)), bucket).logProbs);
  const { trainable } = model;
  const gradients = gatherGradients(trainable, trainable.variableLike('gradients'), grad(loss, trainable.tensors));
  const { memory, slots } = plan([loss], [gradients]);
  const { vocabSize } = model.config;
  const width = vocabChunkSize(bucket.targets, vocabSize) ?? vocabSize;
  return { slots, logits: Math.min(memory.planned, 2 * bucket.targets * width * 4) };
}

/** Tokens that are read for a reply: a window is full, and a turn of a transcript has two markers at least. */
function leastRead({ memory, maxTokens }: PlannedRun['config']['prompt']): number {
  return memory === 'transcript' ? 2 : maxTokens;
}

/** The generator's program that reads prompts. */
function prefillMemory({ model }: PlannedRun, limits: BatchLimits): ProgramMemory {
  const rows = bucketSize(limits.tokens, smallestTokenBucket);
  const batch = rowBucket(limits.rows);
  const { tokens, positions, segments } = packedInputs(rows);
  const hidden = model.hidden(tokens, positions, packedAttention(segments), input('lastRows', [batch], 'u32'));
  const logits = model.logits(hidden);
  return { slots: plan([logits], []).slots, logits: logits.size * 4 };
}

/** Terms of an anchor, as observations of text games have them. */
const usualTerms = 32;

/** Buffers of the program that compares turns by hidden states, where an iteration's episodes are as long as can be. */
function comparisonSlots({ model, config, maxSteps }: PlannedRun): readonly number[] {
  const { advantages, training } = config;
  const rows = stateRowsOf(config, { maxSteps });
  if (rows === 0 || advantages.estimator !== 'proxmo') return [];
  const terms = { documents: rows, entries: rows * usualTerms, features: 1024 };
  const capacity = hiddenCapacity(
    training.tasks,
    training.groupSize * maxSteps,
    advantages.similarity === 'mixed' ? terms : null,
  );
  const states = new Variable('hidden states', [rows, model.config.dModel]);
  return plan([hiddenBaselines(states.tensor, capacity, { temperature: 1, hiddenWeight: 1 })], []).slots;
}

/** The largest bucket from `least` on that passes, where those after one that fails fail too. */
function largestThat(passes: (tokens: number) => boolean, least: number): number | null {
  const candidates: number[] = [];
  for (let tokens = least; tokens <= Math.max(least, searchLimit); tokens = bucketSize(tokens + 1, smallestMicroBatch))
    candidates.push(tokens);
  if (!passes(least)) return null;
  let [passed, failed] = [0, candidates.length];
  while (failed - passed > 1) {
    const middle = Math.floor((passed + failed) / 2);
    if (passes(candidates[middle]!)) passed = middle;
    else failed = middle;
  }
  return candidates[passed]!;
}

const labels: Readonly<Record<keyof MemoryParts, string>> = {
  weights: 'weights',
  adapters: 'adapters',
  reference: 'reference',
  gradients: 'gradients',
  moments: 'moments',
  kvCache: 'KV cache',
  hiddenStates: 'hidden states',
  activations: 'activations',
  logits: 'logits',
};

/** Why a plan does not fit and what does, as a sentence; null if it fits. */
export function memoryProblem(plan: MemoryPlan): string | null {
  if (plan.fits) return null;
  const { total, limits, tooLarge, microBatchTokens, largestMicroBatch } = plan;
  const need = tooLarge
    ? `The ${labels[tooLarge.name]} need a buffer of ${mebibytes(tooLarge.bytes)} MiB, but the device binds ${mebibytes(limits.largestBuffer)} MiB`
    : `The run needs ${mebibytes(total)} MiB, but engine.memory allows ${mebibytes(limits.total ?? 0)} MiB`;
  const advice =
    largestMicroBatch === null
      ? `no micro-batch fits, so ${[...plan.remedies, 'take a smaller model'].join(', or ')}`
      : `lower optimiser.microBatchTokens from ${microBatchTokens} to ${largestMicroBatch}`;
  return `${need}; ${advice}.`;
}

/** The plan as lines for a terminal: a table in MiB, and whether it fits. */
export function formatMemoryPlan(plan: MemoryPlan): string {
  const { parts, total, limits, microBatchTokens, largestMicroBatch } = plan;
  const rows = [
    ...Object.entries(parts).map(([name, bytes]) => [labels[name as keyof MemoryParts], bytes] as const),
    ['total', total] as const,
  ];
  const table = rows.map(([name, bytes]) => `${name.padEnd(13)}${mebibytes(bytes).padStart(10)} MiB`);
  const room = limits.total === null ? '' : ` of ${mebibytes(limits.total)} MiB`;
  const verdict =
    memoryProblem(plan) ??
    `It needs ${mebibytes(total)} MiB${room}. Micro-batches of ${microBatchTokens} tokens fit, and up to ${largestMicroBatch} would.`;
  return [...table, '', verdict].join('\n');
}
