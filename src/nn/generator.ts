/**
 * Batched generation with a KV cache. One program reads the prompts (prefill), samples the first token and decodes a
 * block of further tokens, all in one submit. Rows that are not finished by then go on in blocks, and rows that finish
 * leave the batch, or their places to the next prompts. Equal prompts that are read together are read once. Replies may
 * be bound to trees of token sequences (`constraint.ts`), and are told of as they grow.
 * Sessions keep their sequence in the cache between replies, so that only what is new of it is read.
 */
import { ProxmoError } from '../base/errors.ts';
import { Queue } from '../base/queue.ts';
import { positionLimit } from '../models/transformerConfig.ts';
import { KvCache } from '../ops/kvCache.ts';
import type { Engine } from '../tensor/engine.ts';
import { Variable } from '../tensor/variable.ts';
import { bucketSize } from './buckets.ts';
import type { BoundReply } from './constraint.ts';
import { type GenerationRequest, nextBatch, type Row } from './generatorBatch.ts';
import { BlockRunner, type SampledBlock, type SamplingControls } from './generatorBlocks.ts';
import { type BatchLimits, batchLimits, smallestTokenBucket } from './generatorLimits.ts';
import { Session } from './session.ts';
import type { Transformer } from './transformer.ts';

export type { GenerationRequest } from './generatorBatch.ts';
export type { SamplingControls } from './generatorBlocks.ts';
export type { Session } from './session.ts';

/** How long prompts and replies may be, in tokens, and how many are handled at once. */
export interface GeneratorOptions {
  /** Most tokens of a prompt, together with what stands before it in its session. */
  readonly maxPromptTokens: number;
  /** Most tokens of a reply, the end token included. */
  readonly maxNewTokens: number;
  /**
   * Most prompt tokens that are read at once; bounds memory. Fewer are, where the device cannot bind what they need.
   */
  readonly maxBatchTokens: number;
  /**
   * Most prompts in one batch. Fewer are, where the device cannot bind what they need, or the KV cache does not hold
   * them.
   */
  readonly maxBatchRows: number;
  /**
   * Sequences of the longest prompts and replies that the KV cache holds; shorter ones share its memory out. Default:
   * `maxBatchRows`.
   */
  readonly cachedSequences?: number;
  /** Tokens that are sampled in one submit. */
  readonly blockSize: number;
  /**
   * The same in the submit that reads prompts; default `blockSize`. With 1 the first token is there as soon as it can
   * be, and what is compiled before it is the smallest.
   */
  readonly firstBlock?: number;
  /** The token that ends a reply, or all that do. */
  readonly endToken: number | readonly number[];
  /**
   * A reply that is whole leaves its place to the next prompt at once. By default a batch is answered to its end first,
   * so that the last bits of a reply do not depend on when those before it ended.
   */
  readonly refills?: boolean;
  /** Hidden states that requests may keep; default 0. */
  readonly stateRows?: number;
}

/** One reply of a generator. */
export interface Reply {
  /**
   * The sampled tokens; an end token is the last unless the reply was cut at `maxNewTokens`, or stopped by `onTokens`.
   */
  readonly tokens: readonly number[];
  /** Log-probability of each under the policy at the sampling temperature, among the tokens that were allowed. */
  readonly logProbs: readonly number[];
  /** The part that was bound by the request's constraint. */
  readonly bound?: BoundReply;
}

/**
 * Told of the tokens of a reply as they come, a block at a time.
 * @param request index of the request
 * @returns true to stop the reply here
 */
export type OnTokens = (request: number, tokens: readonly number[]) => boolean;

/** Told of each reply when it is whole, which may be in another order than that of the requests. */
export type OnReply = (request: number, reply: Reply) => void;

/**
 * Generates replies to many prompts at once, with programs and a KV cache that it keeps.
 * @example
 * const generator = new Generator(engine, model, {
 *   maxPromptTokens: 128, maxNewTokens: 32, maxBatchTokens: 1024, maxBatchRows: 8, blockSize: 4, endToken: 2,
 * });
 * const controls = { seed: 1, temperature: 1, topP: 1, topK: 0 };
 * const [reply] = await generator.generate([{ prompt: [5, 6, 7], episode: 0, turn: 0 }], controls);
 */
export class Generator {
  /**
   * `[stateRows, dModel]`: hidden states, as the head reads them, that requests kept; null where they may keep none.
   */
  readonly states: Variable | null;
  private readonly cache: KvCache;
  private readonly limits: BatchLimits;
  private readonly endTokens: ReadonlySet<number>;
  private readonly blocks: BlockRunner;
  /** Calls share programs and the KV cache. */
  private readonly queue = new Queue();
  /** Places in the KV cache that no session has, rising. */
  private freeSlots: readonly number[];

  /**
   * @throws {ProxmoError} `config` if prompt and reply may be longer than the model can take; `shape` if they may be
   * longer than the device can bind
   */
  constructor(
    private readonly engine: Engine,
    model: Transformer,
    private readonly options: GeneratorOptions,
  ) {
    const { layers, kvHeads, headDim, dModel } = model.config;
    const { stateRows = 0 } = options;
    this.states = stateRows > 0 ? new Variable('hidden states', [stateRows, dModel]) : null;
    const capacity = options.maxPromptTokens + options.maxNewTokens;
    const limit = positionLimit(model.config);
    if (capacity > limit) {
      throw new ProxmoError(
        'config',
        `prompts of ${options.maxPromptTokens} tokens with replies of ${options.maxNewTokens} are ${capacity} tokens, but the model takes ${limit}; lower either.`,
      );
    }
    this.endTokens = new Set([options.endToken].flat());
    this.limits = batchLimits(model.config, options, engine.largestBinding, model.stored);
    this.freeSlots = numbersTo(this.limits.slots);
    this.cache = new KvCache({ layers, slots: this.limits.slots, capacity, kvHeads, headDim, stored: model.stored });
    const { blockSize, firstBlock = blockSize } = options;
    // Software adapters wait for each dispatch. Only where there is never more than one row, so that a row's bits do
    // not depend on when its neighbours end.
    const fusesSteps = engine.gpu.profile.kind === 'cpu' && this.limits.rows === 1;
    this.blocks = new BlockRunner(engine, model, this.cache, this.states, { blockSize, firstBlock, fusesSteps });
  }

  /** Prompt tokens of all requests so far, and how many of them were read: equal prompts of a batch are read once. */
  get promptTokens(): { readonly given: number; readonly read: number } {
    return this.blocks.promptTokens;
  }

  /** Most sessions that can be open at a time. */
  get slots(): number {
    return this.limits.slots;
  }

  /**
   * Begins a sequence that stays in the KV cache between replies; give it to requests, and close it when it is done.
   * @throws {ProxmoError} `shape` if the cache has no place left
   */
  openSession(): Session {
    const [slot, ...others] = this.freeSlots;
    if (slot === undefined) {
      throw new ProxmoError(
        'shape',
        `The KV cache holds ${this.slots} sequences, and all are in use; close a session, or raise maxBatchRows.`,
      );
    }
    this.freeSlots = others;
    return new Session(slot, () => {
      this.freeSlots = [...this.freeSlots, slot].sort((a, b) => a - b);
    });
  }

  /** Kernel dispatches so far. */
  get dispatches(): number {
    return this.blocks.dispatches;
  }

  /**
   * Replies to prompts. A call while another is under way waits for its end.
   * @throws {ProxmoError} `shape` if a prompt is empty or longer than `maxPromptTokens`, or there is no such row for a
   * hidden state
   */
  generate(
    requests: readonly GenerationRequest[],
    controls: SamplingControls,
    onTokens?: OnTokens,
    onReply?: OnReply,
  ): Promise<Reply[]> {
    return this.queue.run(() => this.answer(requests, controls, onTokens, onReply));
  }

  /** Frees the KV cache and the programs. */
  destroy(): void {
    this.blocks.destroy();
    for (const variable of [...this.cache.variables, ...(this.states ? [this.states] : [])])
      this.engine.release(variable);
  }

  /** `destroy`, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
  }

  private async answer(
    requests: readonly GenerationRequest[],
    controls: SamplingControls,
    onTokens: OnTokens | undefined,
    onReply: OnReply | undefined,
  ): Promise<Reply[]> {
    this.checkRequests(requests);
    const replies: Reply[] = new Array(requests.length);
    let open: Row[] = [];
    let { slots, capacity } = this.placesFor(requests);
    for (let next = 0; next < requests.length || open.length > 0; ) {
      if (open.length === 0) ({ slots, capacity } = this.placesFor(requests.slice(next)));
      const hasRoom = open.length === 0 || this.options.refills;
      const room = { ...this.limits, rows: this.limits.rows - open.length, slots };
      const rows = hasRoom ? nextBatch(requests, room, next) : [];
      next += rows.length;
      slots = slots.filter((slot) => rows.every((row) => row.slot !== slot));
      if (rows.length > 0) this.collect(rows, await this.blocks.prefill(rows, capacity, controls), onTokens);
      else this.collect(open, await this.blocks.decode(open, capacity, controls), onTokens);
      for (const row of [...open, ...rows].filter((each) => !this.isOpen(each))) {
        const { request, index, slot, tokens, logProbs, bound } = row;
        if (request.session) request.session.extend(request.prompt, tokens);
        else slots = [...slots, slot];
        const reply = { tokens, logProbs, ...(bound ? { bound } : {}) };
        replies[index] = reply;
        onReply?.(index, reply);
      }
      open = [...open, ...rows].filter((row) => this.isOpen(row));
    }
    return replies;
  }

  /**
   * Where the rows of the next batch have their keys and values: where there are fewer slots than rows, in shorter
   * ones, as long as the longest of the next prompts needs, so that more of them fit. Sessions, and replies that follow
   * each other in one batch, have slots of full length.
   */
  private placesFor(requests: readonly GenerationRequest[]): { slots: readonly number[]; capacity: number } {
    const { rows } = this.limits;
    const next = requests.slice(0, rows);
    const isHeld = this.options.refills || this.freeSlots.length < this.slots || next.some(({ session }) => session);
    const isWhole = isHeld || this.slots >= rows;
    if (isWhole) return { slots: this.freeSlots, capacity: this.cache.capacity };
    const longest = next.reduce((most, { prompt }) => Math.max(most, prompt.length), 0);
    const needed = bucketSize(longest + this.options.maxNewTokens, smallestTokenBucket);
    const capacity = Math.min(needed, this.cache.capacity);
    return { slots: numbersTo(this.cache.slotsOf(capacity)), capacity };
  }

  private checkRequests(requests: readonly GenerationRequest[]): void {
    const sessions = requests.flatMap(({ session }) => session ?? []);
    if (sessions.some(({ isClosed }) => isClosed) || new Set(sessions).size < sessions.length) {
      throw new ProxmoError('shape', 'A session is closed, or has two requests at once; ask one after another.');
    }
    if (sessions.length < requests.length && this.freeSlots.length === 0) {
      throw new ProxmoError('shape', 'Sessions have all places of the KV cache; close one to answer other prompts.');
    }
    const { maxPromptTokens, stateRows = 0 } = this.options;
    for (const { prompt, session, stateRow = -1 } of requests) {
      if (stateRow >= stateRows) {
        throw new ProxmoError(
          'shape',
          `a hidden state goes to row ${stateRow}, but there are ${stateRows} rows; raise stateRows.`,
        );
      }
      const length = (session?.tokens.length ?? 0) + prompt.length;
      if (prompt.length > 0 && length <= maxPromptTokens) continue;
      throw new ProxmoError(
        'shape',
        `a prompt has ${length} tokens${session ? ' with its session' : ''}, but 1 to ${maxPromptTokens} are allowed; shorten the prompt or raise prompt.maxTokens.`,
      );
    }
  }

  private isOpen(row: Row): boolean {
    const { tokens, isStopped, isAtEnd } = row;
    return (
      !isStopped && !isAtEnd && tokens.length < this.options.maxNewTokens && !this.endTokens.has(tokens.at(-1) ?? -1)
    );
  }

  /** Appends the tokens of a block, `[block, batch]` in `sampled`, to their rows, up to each row's end. */
  private collect(rows: readonly Row[], sampled: SampledBlock, onTokens: OnTokens | undefined): void {
    rows.forEach((row, index) => {
      const known = row.tokens.length;
      for (let step = 0, goesOn = true; goesOn && step < sampled.tokens.length && this.isOpen(row); step++) {
        goesOn = row.push(sampled.tokens[step]?.[index] ?? 0, sampled.logProbs[step]?.[index] ?? 0);
      }
      row.isStopped = onTokens?.(row.index, row.tokens.slice(known)) ?? false;
    });
  }
}

function numbersTo(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}
