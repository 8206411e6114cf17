/**
 * Batched generation with a KV cache. One program reads the prompts (prefill), samples the first token and decodes a block of further tokens, all in one
 * submit; rows that are not finished by then go on in blocks, and rows that finish leave the batch.
 */
import { noSlot } from '../../kernels/kvAppend.ts';
import type { InputArray } from '../../kernels/spec.ts';
import { ProxmoError } from '../errors.ts';
import { positionLimit } from '../models/transformerConfig.ts';
import { attention } from '../ops/attention.ts';
import { gatherRows } from '../ops/embedding.ts';
import { appendKv, decodeAttention, KvCache } from '../ops/kvCache.ts';
import { sample } from '../ops/sample.ts';
import type { Engine, Program } from '../tensor/engine.ts';
import { input, type Tensor } from '../tensor/tensor.ts';
import { bucketSize, Cache } from './buckets.ts';
import { packedInputs, packSequences, paddingIndex, splitBySize } from './packing.ts';
import type { AttentionPath, Transformer } from './transformer.ts';

export interface GeneratorOptions {
  /** Most tokens of a prompt. */
  readonly maxPromptTokens: number;
  /** Most tokens of a reply, the end token included. */
  readonly maxNewTokens: number;
  /** Most prompt tokens that are read at once; bounds memory. */
  readonly maxBatchTokens: number;
  /** Most prompts in one batch: the KV cache has a slot for each. */
  readonly maxBatchRows: number;
  /** Tokens that are sampled in one submit. */
  readonly blockSize: number;
  /** The token that ends a reply, or all that do. */
  readonly endToken: number | readonly number[];
}

/** Which random numbers a reply draws: a sample depends on the seed and on these, not on its neighbours in the batch. */
export interface GenerationRequest {
  readonly prompt: ArrayLike<number>;
  readonly episode: number;
  readonly turn: number;
}

export interface SamplingControls {
  readonly seed: number;
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  /** Keeps the likeliest tokens up to this share of probability; 1 keeps all. */
  readonly topP: number;
  /** Keeps this many of the likeliest tokens; 0 keeps all. */
  readonly topK: number;
}

export interface Reply {
  /** The sampled tokens; an end token is the last unless the reply was cut at `maxNewTokens`. */
  readonly tokens: readonly number[];
  /** Log-probability of each under the policy at the sampling temperature. */
  readonly logProbs: readonly number[];
}

/** A reply in the making. */
interface Row {
  readonly request: GenerationRequest;
  readonly slot: number;
  readonly tokens: number[];
  readonly logProbs: number[];
}

const smallestTokenBucket = 64;
const smallestRowBucket = 4;

export class Generator {
  private readonly cache: KvCache;
  private readonly endTokens: ReadonlySet<number>;
  private readonly programs = new Cache<Program>();

  /** @throws {ProxmoError} `config` if prompt and reply may be longer than the model can take */
  constructor(
    private readonly engine: Engine,
    private readonly model: Transformer,
    private readonly options: GeneratorOptions,
  ) {
    const { layers, kvHeads, headDim } = model.config;
    const capacity = options.maxPromptTokens + options.maxNewTokens;
    const limit = positionLimit(model.config);
    if (capacity > limit) {
      throw new ProxmoError(
        'config',
        `prompts of ${options.maxPromptTokens} tokens with replies of ${options.maxNewTokens} are ${capacity} tokens, but the model takes ${limit}; lower either.`,
      );
    }
    this.endTokens = new Set([options.endToken].flat());
    this.cache = new KvCache({ layers, slots: options.maxBatchRows, capacity, kvHeads, headDim });
  }

  /**
   * Replies to prompts.
   * @throws {ProxmoError} `shape` if a prompt is empty or longer than `maxPromptTokens`
   */
  async generate(requests: readonly GenerationRequest[], controls: SamplingControls): Promise<Reply[]> {
    for (const { prompt } of requests) this.checkPrompt(prompt);
    const byTokens = splitBySize(requests, ({ prompt }) => prompt.length, this.options.maxBatchTokens);
    const batches = byTokens.flatMap((batch) => splitBySize(batch, () => 1, this.options.maxBatchRows));
    const replies: Reply[] = [];
    for (const batch of batches) replies.push(...(await this.generateBatch(batch, controls)));
    return replies;
  }

  /** Frees the KV cache. */
  destroy(): void {
    for (const variable of this.cache.variables) this.engine.release(variable);
  }

  private checkPrompt(prompt: ArrayLike<number>): void {
    if (prompt.length === 0 || prompt.length > this.options.maxPromptTokens) {
      throw new ProxmoError(
        'shape',
        `a prompt has ${prompt.length} tokens, but 1 to ${this.options.maxPromptTokens} are allowed; shorten the prompt or raise prompt.maxTokens.`,
      );
    }
  }

  private async generateBatch(requests: readonly GenerationRequest[], controls: SamplingControls): Promise<Row[]> {
    const rows = requests.map((request, slot): Row => ({ request, slot, tokens: [], logProbs: [] }));
    this.collect(rows, await this.prefill(rows, controls));
    for (let open = rows.filter((row) => this.isOpen(row)); open.length > 0; open = open.filter((row) => this.isOpen(row))) {
      this.collect(open, await this.decodeBlock(open, controls));
    }
    return rows;
  }

  private isOpen({ tokens }: Row): boolean {
    return tokens.length < this.options.maxNewTokens && !this.endTokens.has(tokens.at(-1) ?? -1);
  }

  /** Appends the tokens of a block, `[block, batch]` in `sampled`, to their rows, up to each row's end. */
  private collect(rows: readonly Row[], sampled: SampledBlock): void {
    rows.forEach((row, index) => {
      for (let step = 0; step < sampled.tokens.length && this.isOpen(row); step++) {
        row.tokens.push(sampled.tokens[step]?.[index] ?? 0);
        row.logProbs.push(sampled.logProbs[step]?.[index] ?? 0);
      }
    });
  }

  private async prefill(rows: readonly Row[], controls: SamplingControls): Promise<SampledBlock> {
    const batch = bucketSize(rows.length, smallestRowBucket);
    const sequences = rows.map(({ request }) => request.prompt);
    const total = bucketSize(
      sequences.reduce((sum, { length }) => sum + length, 0),
      smallestTokenBucket,
    );
    const program = await this.programs.get(`prefill ${total} ${batch}`, () => this.compilePrefill(total, batch));
    const { arrays, starts } = packSequences(sequences, total);
    const cacheSlots = new Uint32Array(total).fill(noSlot);
    const lastRows = new Uint32Array(batch).fill(paddingIndex);
    rows.forEach(({ slot, request }, index) => {
      const start = starts[index] ?? 0;
      cacheSlots.fill(slot, start, start + request.prompt.length);
      lastRows[index] = start + request.prompt.length - 1;
    });
    return this.runBlock(program, rows, batch, controls, { ...arrays, cacheSlots, lastRows });
  }

  private async decodeBlock(rows: readonly Row[], controls: SamplingControls): Promise<SampledBlock> {
    const batch = bucketSize(rows.length, smallestRowBucket);
    const program = await this.programs.get(`decode ${batch}`, () => this.compileDecode(batch));
    const tokens = new Uint32Array(batch);
    rows.forEach((row, index) => {
      tokens[index] = row.tokens.at(-1) ?? 0;
    });
    return this.runBlock(program, rows, batch, controls, { tokens });
  }

  private async runBlock(
    program: Program,
    rows: readonly Row[],
    batch: number,
    controls: SamplingControls,
    inputs: Record<string, InputArray>,
  ): Promise<SampledBlock> {
    const { blockSize } = this.options;
    const slots = new Uint32Array(batch).fill(noSlot);
    const streams = new Uint32Array(batch * 3);
    const steps: Record<string, InputArray> = {};
    for (let step = 0; step < blockSize; step++) {
      steps[`positions${step}`] = new Uint32Array(batch);
      steps[`lengths${step}`] = new Uint32Array(batch);
    }
    rows.forEach(({ request, slot, tokens }, index) => {
      slots[index] = slot;
      streams.set([request.episode, request.turn, tokens.length], index * 3);
      // Prefill samples the token after the prompt in step 0; a decode step reads the token sampled before it, at the position after the last known one.
      const first = request.prompt.length + tokens.length - 1;
      for (let step = 0; step < blockSize; step++) {
        const position = Math.min(first + step, this.cache.capacity - 1);
        steps[`positions${step}`]![index] = position;
        steps[`lengths${step}`]![index] = position + 1;
      }
    });
    const seed = new Uint32Array([controls.seed >>> 0, Math.floor(controls.seed / 2 ** 32) >>> 0]);
    const sampling = new Float32Array([controls.temperature, controls.topP, controls.topK]);
    const result = await program.run({ ...inputs, ...steps, slots, streams, seed, controls: sampling });
    const named = (name: string) => Array.from({ length: blockSize }, (_, step) => result[`${name}${step}`]!);
    return { tokens: named('token'), logProbs: named('logProb') };
  }

  private compilePrefill(total: number, batch: number): Promise<Program> {
    const { tokens, positions, segments } = packedInputs(total);
    const cacheSlots = input('cacheSlots', [total], 'u32');
    const block = new DecodeGraph(this.model, this.cache, batch);
    const hidden = this.model.hidden(tokens, positions, (layer, heads) => {
      block.append(layer, heads.k, heads.v, cacheSlots, positions);
      return attention(heads.q, heads.k, heads.v, segments);
    });
    block.sampleFrom(gatherRows(hidden, input('lastRows', [batch], 'u32')));
    for (let step = 1; step < this.options.blockSize; step++) block.step();
    return this.engine.compile({ name: `prefill ${total}x${batch}`, ...block.results() });
  }

  private compileDecode(batch: number): Promise<Program> {
    const block = new DecodeGraph(this.model, this.cache, batch, input('tokens', [batch], 'u32'));
    for (let step = 0; step < this.options.blockSize; step++) block.step();
    return this.engine.compile({ name: `decode ${batch}`, ...block.results() });
  }
}

/** Arrays `[block][batch]`. */
interface SampledBlock {
  readonly tokens: readonly ArrayLike<number>[];
  readonly logProbs: readonly ArrayLike<number>[];
}

/** The graph of a block: each step feeds the token that the step before it sampled. */
class DecodeGraph {
  private readonly layers: { k: Tensor; v: Tensor }[];
  private readonly slots: Tensor;
  private readonly sampling: { streams: Tensor; seed: Tensor; controls: Tensor };
  private readonly tokens: Tensor[] = [];
  private readonly logProbs: Tensor[] = [];

  constructor(
    private readonly model: Transformer,
    cache: KvCache,
    private readonly batch: number,
    private previous: Tensor | null = null,
  ) {
    this.layers = cache.layers.map(({ k, v }) => ({ k: k.tensor, v: v.tensor }));
    this.slots = input('slots', [batch], 'u32');
    this.sampling = { streams: input('streams', [batch, 3], 'u32'), seed: input('seed', [2], 'u32'), controls: input('controls', [3]) };
  }

  /** Adds keys and values to a layer's cache. */
  append(layer: number, k: Tensor, v: Tensor, slots: Tensor, positions: Tensor): void {
    const { cacheK, cacheV } = appendKv(this.layers[layer]!.k, this.layers[layer]!.v, k, v, slots, positions);
    this.layers[layer] = { k: cacheK, v: cacheV };
  }

  /** Samples a token for each row of hidden states `[batch, dModel]`. */
  sampleFrom(hidden: Tensor): void {
    const { token, logProb } = sample(this.model.logits(hidden), this.sampling, this.tokens.length);
    this.tokens.push(token);
    this.logProbs.push(logProb);
    this.previous = token;
  }

  /** Reads the previous token of each row and samples the next. */
  step(): void {
    const index = this.tokens.length;
    if (!this.previous) throw new Error('a decode step needs a previous token');
    const positions = input(`positions${index}`, [this.batch], 'u32');
    const lengths = input(`lengths${index}`, [this.batch], 'u32');
    const attend: AttentionPath = (layer, { q, k, v }) => {
      this.append(layer, k, v, this.slots, positions);
      return decodeAttention(q, this.layers[layer]!.k, this.layers[layer]!.v, this.slots, lengths);
    };
    this.sampleFrom(this.model.hidden(this.previous, positions, attend));
  }

  results(): { outputs: Record<string, Tensor>; updates: Tensor[] } {
    const named = (name: string, tensors: readonly Tensor[]) => tensors.map((tensor, step) => [`${name}${step}`, tensor] as const);
    return {
      outputs: Object.fromEntries([...named('token', this.tokens), ...named('logProb', this.logProbs)]),
      updates: this.layers.flatMap(({ k, v }) => [k, v]),
    };
  }
}
