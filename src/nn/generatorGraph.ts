/**
 * The graphs of a generator's programs: reading prompts, and blocks of steps that each feed the token that the step
 * before sampled.
 */

import { followToken, maskLogits } from '../ops/allowedTokens.ts';
import { attention } from '../ops/attention.ts';
import { scatterRows } from '../ops/embedding.ts';
import { appendKv, attendStep, copyKv, extendAttention, type KvCache } from '../ops/kvCache.ts';
import { sample } from '../ops/sample.ts';
import { input, type Tensor } from '../tensor/tensor.ts';
import { canFuse, fusedLogits } from './fusedStep.ts';
import { packedInputs } from './packing.ts';
import { type AttentionPath, splitHeads, type Transformer } from './transformer.ts';

/** What a program is compiled for. */
export interface BlockShape {
  /** Rows, some of which may be padding. */
  readonly batch: number;
  /** Tokens that are sampled for each row. */
  readonly steps: number;
  /** Edges of the trees that rows are bound to; 0 if none is. */
  readonly edges: number;
  /** Positions that the KV cache has for each row. */
  readonly capacity: number;
  /** Whether steps of a single row take as few dispatches as they can (fusedStep.ts). */
  readonly fusesSteps: boolean;
}

export interface BlockGraph {
  /** `token0`, u32 `[batch]`, and `logProb0`, `[batch]`, and so on for each step. */
  readonly outputs: Record<string, Tensor>;
  readonly updates: Tensor[];
}

/** What is read before a block is sampled. */
export interface ReadingShape {
  /** Packed tokens. */
  readonly total: number;
  /** Rows may have the prompt of an earlier row, which is read once; its keys and values are copied to them. */
  readonly hasTwins: boolean;
  /** Some tokens follow others that are in the cache already. */
  readonly hasPast: boolean;
}

/**
 * Reads packed tokens and samples a block after them.
 * @param states `[states, dModel]`: gets the hidden states after the last tokens of rows; null if none are kept
 */
export function prefillGraph(
  model: Transformer,
  cache: KvCache,
  shape: BlockShape,
  { total, hasTwins, hasPast }: ReadingShape,
  states: Tensor | null,
): BlockGraph {
  const { tokens, positions, segments } = packedInputs(total);
  const cacheSlots = input('cacheSlots', [total], 'u32');
  const twins = {
    slots: input('twinSlots', [shape.batch], 'u32'),
    lengths: input('twinLengths', [shape.batch], 'u32'),
  };
  const block = new DecodeGraph(model, cache, shape, null);
  const attend: AttentionPath = (layer, projected) => {
    const { q, k, v } = splitHeads(projected);
    block.append(layer, k, v, cacheSlots, positions);
    if (hasTwins) block.copyFrom(layer, twins);
    const { window } = projected.layout;
    return hasPast ? block.attendCache(layer, q, cacheSlots, positions, window) : attention(q, k, v, segments, window);
  };
  const hidden = model.hidden(tokens, positions, attend, input('lastRows', [shape.batch], 'u32'));
  block.sampleFrom(hidden);
  for (let step = 1; step < shape.steps; step++) block.step();
  const { outputs, updates } = block.results();
  const kept = states ? [scatterRows(states, hidden, input('stateRows', [shape.batch], 'u32'))] : [];
  return { outputs, updates: [...updates, ...kept] };
}

/** Samples a block after the tokens that were sampled last. */
export function decodeGraph(model: Transformer, cache: KvCache, shape: BlockShape): BlockGraph {
  const block = new DecodeGraph(model, cache, shape, input('tokens', [shape.batch], 'u32'));
  for (let step = 0; step < shape.steps; step++) block.step();
  return block.results();
}

/** Where rows stand in the trees that they are bound to. */
interface BoundRows {
  readonly tokens: Tensor;
  readonly children: Tensor;
  /** `[batch, 2]` */
  ranges: Tensor;
}

class DecodeGraph {
  private readonly layers: { k: Tensor; v: Tensor }[];
  private readonly slots: Tensor;
  private readonly sampling: { streams: Tensor; seed: Tensor; controls: Tensor };
  private readonly bound: BoundRows | null;
  private readonly tokens: Tensor[] = [];
  private readonly logProbs: Tensor[] = [];
  private readonly isFused: boolean;

  constructor(
    private readonly model: Transformer,
    cache: KvCache,
    private readonly shape: BlockShape,
    private previous: Tensor | null,
  ) {
    const { batch, edges, capacity } = shape;
    this.layers = cache.view(capacity);
    this.isFused = shape.fusesSteps && batch === 1 && canFuse(model);
    this.slots = input('slots', [batch], 'u32');
    this.sampling = {
      streams: input('streams', [batch, 3], 'u32'),
      seed: input('seed', [2], 'u32'),
      controls: input('controls', [3]),
    };
    this.bound =
      edges === 0
        ? null
        : {
            tokens: input('edgeTokens', [edges], 'u32'),
            children: input('edgeChildren', [edges, 2], 'u32'),
            ranges: input('ranges', [batch, 2], 'u32'),
          };
  }

  /** Adds keys and values to a layer's cache. */
  append(layer: number, k: Tensor, v: Tensor, slots: Tensor, positions: Tensor): void {
    const { cacheK, cacheV } = appendKv(this.layers[layer]!.k, this.layers[layer]!.v, k, v, slots, positions);
    this.layers[layer] = { k: cacheK, v: cacheV };
  }

  /** Attention of tokens over the cache of their sequence up to themselves; they are in it already. */
  attendCache(layer: number, q: Tensor, slots: Tensor, positions: Tensor, window: number | undefined): Tensor {
    const { k, v } = this.layers[layer]!;
    return extendAttention(q, k, v, slots, positions, window);
  }

  /** Gives rows a copy of the first `lengths` keys and values of other slots of a layer's cache. */
  copyFrom(layer: number, { slots, lengths }: { readonly slots: Tensor; readonly lengths: Tensor }): void {
    const { cacheK, cacheV } = copyKv(this.layers[layer]!.k, this.layers[layer]!.v, slots, this.slots, lengths);
    this.layers[layer] = { k: cacheK, v: cacheV };
  }

  /** Samples a token for each row of hidden states `[batch, dModel]`. */
  sampleFrom(hidden: Tensor): void {
    this.sampleOf(this.model.logits(hidden));
  }

  /** Samples a token for each row of logits `[batch, vocabSize]`. */
  private sampleOf(logits: Tensor): void {
    const { bound } = this;
    const { token, logProb } = sample(bound ? maskLogits(logits, bound) : logits, this.sampling, this.tokens.length);
    this.tokens.push(token);
    this.logProbs.push(logProb);
    this.previous = token;
    if (bound) bound.ranges = followToken(bound.ranges, token, bound.tokens, bound.children);
  }

  /** Reads the previous token of each row and samples the next. */
  step(): void {
    const index = this.tokens.length;
    if (!this.previous) throw new Error('a decode step needs a previous token');
    const positions = input(`positions${index}`, [this.shape.batch], 'u32');
    const lengths = input(`lengths${index}`, [this.shape.batch], 'u32');
    const attend: AttentionPath = (layer, { qkv, layout }) => {
      const { k, v } = this.layers[layer]!;
      const { y, cacheK, cacheV } = attendStep(
        qkv,
        positions,
        layout,
        { cacheK: k, cacheV: v },
        { slots: this.slots, lengths },
      );
      this.layers[layer] = { k: cacheK, v: cacheV };
      return y;
    };
    if (this.isFused) this.sampleOf(fusedLogits(this.model, this.previous, positions, attend));
    else this.sampleFrom(this.model.hidden(this.previous, positions, attend));
  }

  results(): BlockGraph {
    const named = (name: string, tensors: readonly Tensor[]) =>
      tensors.map((tensor, step) => [`${name}${step}`, tensor] as const);
    return {
      outputs: Object.fromEntries([...named('token', this.tokens), ...named('logProb', this.logProbs)]),
      updates: this.layers.flatMap(({ k, v }) => [k, v]),
    };
  }
}
