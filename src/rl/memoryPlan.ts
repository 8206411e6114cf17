/**
 * What a training run needs of the device's memory, before any of it is allocated. Sizes of weights and caches follow from the configuration; those of activations are the
 * planner's own, from the same graphs that the run compiles.
 */
import { bucketSize } from '../nn/buckets.ts';
import { packedInputs } from '../nn/packing.ts';
import { replyGraph } from '../nn/replies.ts';
import { type Checkpointing, packedAttention, type Transformer, vocabChunkSize } from '../nn/transformer.ts';
import { add } from '../ops/elementwise.ts';
import { dot } from '../ops/reduce.ts';
import { grad } from '../tensor/autograd.ts';
import { gatherGradients } from '../tensor/gradients.ts';
import { plan } from '../tensor/planner.ts';
import { input } from '../tensor/tensor.ts';
import { Variable } from '../tensor/variable.ts';
import type { TrainConfig } from './config.ts';
import { maxBatchTokens } from './policy.ts';

export interface PlannedRun {
  /** The policy, with its adapters if it has any; made with null for its weights, it takes no memory. */
  readonly model: Transformer;
  readonly config: Pick<TrainConfig, 'prompt' | 'sampling' | 'training' | 'warmStart' | 'loss' | 'optimiser'>;
  readonly checkpointing: Checkpointing;
}

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
  /** The trained part of the reference policy; its frozen part is the policy's. */
  readonly reference: number;
  /** Those of a micro-batch, and their sum over the mini-batch. */
  readonly gradients: number;
  /** AdamW's. */
  readonly moments: number;
  readonly kvCache: number;
  /** Intermediate values of the largest program, without logits. */
  readonly activations: number;
  /** Logits and their gradients within that program. */
  readonly logits: number;
}

export interface MemoryPlan {
  /** For micro-batches of this many packed tokens, as configured. */
  readonly microBatchTokens: number;
  readonly parts: MemoryParts;
  readonly total: number;
  readonly limits: MemoryLimits;
  /** The buffer that is larger than the device can bind, by name and bytes; null if none is. */
  readonly tooLarge: { readonly name: string; readonly bytes: number } | null;
  readonly fits: boolean;
  /** The largest micro-batch that fits, in packed tokens, up to `searchLimit`; null if not even one turn does. */
  readonly largestMicroBatch: number | null;
}

/** Micro-batches beyond this are not tried. */
export const searchLimit = 2 ** 17;
const smallestMicroBatch = 256;

/** @throws {ProxmoError} `config` or `shape` if the model cannot be built for these settings */
export function planMemory(run: PlannedRun, limits: MemoryLimits): MemoryPlan {
  const { config } = run;
  const buffers = fixedBuffers(run);
  const prefill = prefillMemory(run);
  const at = (tokens: number) => {
    const update = updateMemory(run, tokens);
    const shared = update.planned > prefill.planned ? update : prefill;
    const total = buffers.reduce((sum, { bytes, count }) => sum + bytes * count, 0) + shared.planned;
    const largest = [...buffers, { name: 'activations', bytes: Math.max(update.largest, prefill.largest) }].reduce((a, b) =>
      b.bytes > a.bytes ? b : a,
    );
    const tooLarge = largest.bytes > limits.largestBuffer ? { name: largest.name, bytes: largest.bytes } : null;
    return { shared, total, tooLarge, fits: tooLarge === null && (limits.total === null || total <= limits.total) };
  };
  const microBatchTokens = bucketSize(config.optimiser.microBatchTokens, smallestMicroBatch);
  const { shared, ...verdict } = at(microBatchTokens);
  const bytesOf = (part: keyof MemoryParts) =>
    buffers.reduce((sum, { name, bytes, count }) => sum + (name === part ? bytes * count : 0), 0);
  const fixed = ['weights', 'adapters', 'reference', 'gradients', 'moments', 'kvCache'] as const;
  const sizes = Object.fromEntries(fixed.map((part) => [part, bytesOf(part)])) as Pick<MemoryParts, (typeof fixed)[number]>;
  return {
    microBatchTokens,
    parts: { ...sizes, activations: shared.planned - shared.logits, logits: shared.logits },
    ...verdict,
    limits,
    largestMicroBatch: largestThat((tokens) => at(tokens).fits, oneTurn(run)),
  };
}

/** Buffers that outlive programs: the bytes of each, and how many there are. */
function fixedBuffers({ model, config }: PlannedRun): { name: keyof MemoryParts; bytes: number; count: number }[] {
  const { layers, kvHeads, headDim } = model.config;
  const trained = model.trainable.size * 4;
  const cache = policyRows(config) * (config.prompt.maxTokens + config.sampling.maxNewTokens) * kvHeads * headDim * 4;
  return [
    { name: 'weights', bytes: model.slab.size * 4, count: 1 },
    { name: 'adapters', bytes: trained, count: model.adapters ? 1 : 0 },
    { name: 'reference', bytes: trained, count: config.loss.klCoefficient > 0 ? 1 : 0 },
    { name: 'gradients', bytes: trained, count: 2 },
    { name: 'moments', bytes: trained, count: 2 },
    { name: 'kvCache', bytes: cache, count: 2 * layers },
  ];
}

/** Episodes that are played at once. */
function policyRows({ training }: PlannedRun['config']): number {
  return Math.max(training.tasks * training.groupSize, 64);
}

interface ProgramMemory {
  readonly planned: number;
  /** The largest buffer. */
  readonly largest: number;
  readonly logits: number;
}

/** The gradient program of a micro-batch. */
function updateMemory({ model, config, checkpointing }: PlannedRun, rows: number): ProgramMemory {
  const { warmStart, sampling, prompt } = config;
  // Demonstrations are learnt with their prompts, where these count; replies of turns are a share of their tokens.
  const share = warmStart.tasks > 0 && warmStart.promptWeight > 0 ? 1 : sampling.maxNewTokens / (prompt.maxTokens + sampling.maxNewTokens);
  const bucket = { rows, targets: bucketSize(Math.ceil(rows * share), 64), edges: sampling.constrained ? 64 : 0 };
  const { logProb, entropy } = replyGraph(model.inTraining({ checkpointing }), bucket).logProbs(sampling.temperature);
  const loss = add(dot(logProb, input('weight', [bucket.targets])), dot(entropy, input('entropyWeight', [bucket.targets])));
  const { trainable } = model;
  const gradients = gatherGradients(
    trainable,
    new Variable('gradients', [trainable.size]),
    grad(
      loss,
      trainable.parameters.map(({ tensor }) => tensor),
    ),
  );
  const { memory, slots } = plan([loss], [gradients]);
  const { vocabSize } = model.config;
  const width = (sampling.constrained ? null : vocabChunkSize(bucket.targets, vocabSize)) ?? vocabSize;
  return { planned: memory.planned, largest: Math.max(...slots), logits: Math.min(memory.planned, 2 * bucket.targets * width * 4) };
}

/** The generator's program that reads prompts. */
function prefillMemory({ model, config }: PlannedRun): ProgramMemory {
  const rows = bucketSize(Math.max(maxBatchTokens, config.prompt.maxTokens), 64);
  const batch = bucketSize(policyRows(config), 4);
  const { tokens, positions, segments } = packedInputs(rows);
  const hidden = model.hidden(tokens, positions, packedAttention(segments), input('lastRows', [batch], 'u32'));
  const logits = model.logits(hidden);
  const { memory, slots } = plan([logits], []);
  return { planned: memory.planned, largest: Math.max(...slots), logits: logits.size * 4 };
}

/** The smallest micro-batch that holds any turn. */
function oneTurn({ config: { prompt, sampling } }: PlannedRun): number {
  return bucketSize(prompt.maxTokens + sampling.maxNewTokens - 1, smallestMicroBatch);
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
  activations: 'activations',
  logits: 'logits',
};

/** The plan as lines for a terminal: a table in MiB, and whether it fits. */
export function formatMemoryPlan({ parts, total, limits, tooLarge, fits, microBatchTokens, largestMicroBatch }: MemoryPlan): string {
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const rows = [
    ...Object.entries(parts).map(([name, bytes]) => [labels[name as keyof MemoryParts], bytes] as const),
    ['total', total] as const,
  ];
  const table = rows.map(([name, bytes]) => `${name.padEnd(12)}${mebibytes(bytes).padStart(10)} MiB`);
  const room = limits.total === null ? '' : ` of ${mebibytes(limits.total)} MiB`;
  const problem = tooLarge
    ? `The ${labels[tooLarge.name as keyof MemoryParts]} need a buffer of ${mebibytes(tooLarge.bytes)} MiB, but the device binds ${mebibytes(limits.largestBuffer)} MiB.`
    : `It needs ${mebibytes(total)} MiB${room}.`;
  const most = largestMicroBatch === null ? 'no micro-batch does' : `micro-batches of up to ${largestMicroBatch} tokens do`;
  const verdict = fits
    ? `Micro-batches of ${microBatchTokens} tokens fit; ${most}.`
    : `Micro-batches of ${microBatchTokens} tokens do not fit; ${most}.`;
  return [...table, '', problem, verdict].join('\n');
}
