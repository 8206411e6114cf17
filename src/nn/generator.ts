/**
 * Batched generation with a KV cache. One program reads the prompts (prefill), samples the first token and decodes a
 * block of further tokens, all in one submit. Rows that are not finished by then go on in blocks, and rows that finish
 * leave the batch, or their places to the next prompts. Equal prompts that are read together are read once. Replies may
 * be bound to trees of token sequences (`constraint.ts`), and are told of as they grow.
 * Sessions keep their sequence in the cache between replies, so that only what is new of it is read.
 */
import { noSlot } from '../../kernels/kvAppend.ts';
import { noRow } from '../../kernels/scatterRows.ts';
import type { InputArray } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { Queue } from '../base/queue.ts';
import { positionLimit } from '../models/transformerConfig.ts';
import { KvCache } from '../ops/kvCache.ts';
import type { Engine, Program } from '../tensor/engine.ts';
import { Variable } from '../tensor/variable.ts';
import { bucketSize, Cache, destroyPrograms } from './buckets.ts';
import { type BoundReply, EdgeList } from './constraint.ts';
import { type GenerationRequest, nextBatch, type Row } from './generatorBatch.ts';
import { type BlockGraph, type BlockShape, decodeGraph, prefillGraph } from './generatorGraph.ts';
import { type BatchLimits, batchLimits, rowBucket, smallestTokenBucket } from './generatorLimits.ts';
import { packSequences, paddingIndex } from './packing.ts';
import { Session } from './session.ts';
import type { Transformer } from './transformer.ts';

export type { GenerationRequest } from './generatorBatch.ts';
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

/** How tokens are drawn from their probabilities. */
export interface SamplingControls {
  readonly seed: number;
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  /** Keeps the likeliest tokens up to this share of probability; 1 keeps all. */
  readonly topP: number;
  /** Keeps this many of the likeliest tokens; 0 keeps all. */
  readonly topK: number;
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
  private readonly programs = new Cache<Program>();
  /** Calls share programs and the KV cache. */
  private readonly queue = new Queue();
  private counts = { given: 0, read: 0 };
  private dispatchCount = 0;
  /** Places in the KV cache that no session has, rising. */
  private freeSlots: readonly number[];

  /**
   * @throws {ProxmoError} `config` if prompt and reply may be longer than the model can take; `shape` if they may be
   * longer than the device can bind
   */
  constructor(
    private readonly engine: Engine,
    private readonly model: Transformer,
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
  }

  /**
   * Whether steps take as few dispatches as they can: on software adapters, which wait for each. Only where there is
   * never more than one row, so that a row's bits do not depend on when its neighbours end.
   */
  private get fusesSteps(): boolean {
    return this.engine.gpu.profile.kind === 'cpu' && this.limits.rows === 1;
  }

  /** Prompt tokens of all requests so far, and how many of them were read: equal prompts of a batch are read once. */
  get promptTokens(): { readonly given: number; readonly read: number } {
    return this.counts;
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
    return this.dispatchCount;
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
    destroyPrograms(this.programs.drain());
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
      if (rows.length > 0) this.collect(rows, await this.prefill(rows, capacity, controls), onTokens);
      else this.collect(open, await this.decodeBlock(open, capacity, controls), onTokens);
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

  private async prefill(rows: readonly Row[], capacity: number, controls: SamplingControls): Promise<SampledBlock> {
    const batch = rowBucket(rows.length);
    const readers = rows.filter(({ twin }) => !twin);
    const read = readers.reduce((sum, { unread }) => sum + unread.length, 0);
    const given = rows.reduce((sum, { unread }) => sum + unread.length, 0);
    this.counts = { given: this.counts.given + given, read: this.counts.read + read };
    const shape = {
      total: bucketSize(read, smallestTokenBucket),
      hasTwins: readers.length < rows.length,
      hasPast: readers.some(({ past }) => past > 0),
    };
    const { arrays, starts } = packSequences(
      readers.map(({ unread }) => unread),
      shape.total,
      readers.map(({ past }) => past),
    );
    const startOf = new Map(readers.map((row, index) => [row, starts[index] ?? 0]));
    const cacheSlots = new Uint32Array(shape.total).fill(noSlot);
    const lastRows = new Uint32Array(batch).fill(paddingIndex);
    const twinSlots = new Uint32Array(batch).fill(noSlot);
    const twinLengths = new Uint32Array(batch);
    const stateRows = new Uint32Array(batch).fill(noRow);
    rows.forEach((row, index) => {
      const { slot, unread, twin, request } = row;
      const start = startOf.get(twin ?? row) ?? 0;
      lastRows[index] = start + unread.length - 1;
      stateRows[index] = request.stateRow ?? noRow;
      twinLengths[index] = unread.length;
      if (twin) twinSlots[index] = twin.slot;
      else cacheSlots.fill(slot, start, start + unread.length);
    });
    const inputs = { ...arrays, cacheSlots, lastRows, twinSlots, twinLengths, stateRows };
    const states = rows.some(({ request }) => request.stateRow !== undefined) ? this.states : null;
    const features = { ' with twins': shape.hasTwins, ' behind a past': shape.hasPast, ' keeping states': states };
    const kinds = Object.entries(features).flatMap(([kind, has]) => (has ? [kind] : []));
    const name = `prefill ${shape.total}${kinds.join('')}`;
    const { blockSize, firstBlock: steps = blockSize } = this.options;
    return this.runBlock(name, rows, { batch, capacity, steps }, controls, inputs, (block) =>
      prefillGraph(this.model, this.cache, block, shape, states?.tensor ?? null),
    );
  }

  private async decodeBlock(rows: readonly Row[], capacity: number, controls: SamplingControls): Promise<SampledBlock> {
    const batch = rowBucket(rows.length);
    const tokens = new Uint32Array(batch);
    rows.forEach((row, index) => {
      tokens[index] = row.tokens.at(-1) ?? 0;
    });
    const steps = this.options.blockSize;
    return this.runBlock('decode', rows, { batch, capacity, steps }, controls, { tokens }, (shape) =>
      decodeGraph(this.model, this.cache, shape),
    );
  }

  /**
   * Runs the program that samples a block for rows.
   * @param graph what the program is compiled from, the first time that it is needed
   */
  private async runBlock(
    name: string,
    rows: readonly Row[],
    shape: Omit<BlockShape, 'edges' | 'fusesSteps'>,
    controls: SamplingControls,
    inputs: Record<string, InputArray>,
    graph: (shape: BlockShape) => BlockGraph,
  ): Promise<SampledBlock> {
    const { batch, capacity, steps } = shape;
    const edgeList = new EdgeList(rows.flatMap(({ bound }) => bound?.trie ?? []));
    const edges = edgeList.bucket;
    const label = `${name}, ${batch} rows of ${capacity}, ${edges} edges`;
    const program = await this.programs.get(label, () =>
      this.engine.compile({
        name: label,
        remedy: 'lower prompt.maxTokens',
        optionalInputs,
        ...graph({ ...shape, edges, fusesSteps: this.fusesSteps }),
      }),
    );
    this.dispatchCount += program.dispatches;
    const ranges = new Uint32Array(batch * 2);
    for (const [index, { bound, node }] of rows.entries())
      ranges.set(edgeList.rangeAt(bound?.trie ?? null, node), index * 2);
    const result = await program.run({
      ...inputs,
      ...this.placeInputs(rows, shape),
      ranges,
      edgeTokens: edgeList.tokens(edges),
      edgeChildren: edgeList.children(edges),
      seed: new Uint32Array([controls.seed >>> 0, Math.floor(controls.seed / 2 ** 32) >>> 0]),
      controls: new Float32Array([controls.temperature, controls.topP, controls.topK]),
    });
    const named = (kind: string) => Array.from({ length: steps }, (_, step) => result[`${kind}${step}`]!);
    return { tokens: named('token'), logProbs: named('logProb') };
  }

  /** Where the tokens of a block belong: slots, positions of each step, and random streams. */
  private placeInputs(
    rows: readonly Row[],
    { batch, capacity, steps }: Omit<BlockShape, 'edges' | 'fusesSteps'>,
  ): Record<string, InputArray> {
    const slots = new Uint32Array(batch).fill(noSlot);
    const streams = new Uint32Array(batch * 3);
    const places = Array.from({ length: steps }, () => ({
      positions: new Uint32Array(batch),
      lengths: new Uint32Array(batch),
    }));
    rows.forEach(({ request, slot, tokens, replyStart }, index) => {
      slots[index] = slot;
      streams.set([request.episode, request.turn, tokens.length], index * 3);
      // Prefill samples the token after the prompt in step 0; a decode step reads the token sampled before it, at the
      // position after the last known one.
      const first = replyStart + tokens.length - 1;
      for (const [step, { positions, lengths }] of places.entries()) {
        positions[index] = Math.min(first + step, capacity - 1);
        lengths[index] = positions[index]! + 1;
      }
    });
    const named = places.flatMap(({ positions, lengths }, step) => [
      [`positions${step}`, positions] as const,
      [`lengths${step}`, lengths] as const,
    ]);
    return { ...Object.fromEntries(named), slots, streams };
  }
}

/** What not all programs read: whether they do depends on the rows. */
const optionalInputs = [
  ...['segmentStart', 'segmentEnd', 'twinSlots', 'twinLengths', 'stateRows', 'positions0', 'lengths0', 'slots'],
  ...['ranges', 'edgeTokens', 'edgeChildren'],
];

function numbersTo(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

/** Arrays `[block][batch]`. */
interface SampledBlock {
  readonly tokens: readonly ArrayLike<number>[];
  readonly logProbs: readonly ArrayLike<number>[];
}
