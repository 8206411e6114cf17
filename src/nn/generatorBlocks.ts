/**
 * Runs a generator's programs: gives rows what the graphs read (generatorGraph.ts), and brings back the tokens of a
 * block. A program is compiled the first time that its shape is needed, and kept.
 */
import { noSlot } from '../../kernels/kvAppend.ts';
import { noRow } from '../../kernels/scatterRows.ts';
import type { InputArray } from '../../kernels/spec.ts';
import type { KvCache } from '../ops/kvCache.ts';
import type { Engine, Program } from '../tensor/engine.ts';
import type { Variable } from '../tensor/variable.ts';
import { bucketSize, Cache, destroyPrograms } from './buckets.ts';
import { EdgeList } from './constraint.ts';
import type { Row } from './generatorBatch.ts';
import { type BlockGraph, type BlockShape, decodeGraph, prefillGraph } from './generatorGraph.ts';
import { rowBucket, smallestTokenBucket } from './generatorLimits.ts';
import { packSequences, paddingIndex } from './packing.ts';
import type { Transformer } from './transformer.ts';

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

/** Arrays `[block][batch]`. */
export interface SampledBlock {
  readonly tokens: readonly ArrayLike<number>[];
  readonly logProbs: readonly ArrayLike<number>[];
}

/** How long blocks are, and how they are computed. */
export interface BlockOptions {
  /** Tokens that are sampled in one submit. */
  readonly blockSize: number;
  /** The same in the submit that reads prompts. */
  readonly firstBlock: number;
  /** As of `BlockShape`. */
  readonly fusesSteps: boolean;
}

export class BlockRunner {
  private readonly programs = new Cache<Program>();
  private counts = { given: 0, read: 0 };
  private dispatchCount = 0;

  /** @param states `[stateRows, dModel]`: hidden states that requests keep; null where they may keep none */
  constructor(
    private readonly engine: Engine,
    private readonly model: Transformer,
    private readonly cache: KvCache,
    private readonly states: Variable | null,
    private readonly options: BlockOptions,
  ) {}

  /** Prompt tokens of all rows so far, and how many of them were read: equal prompts of a batch are read once. */
  get promptTokens(): { readonly given: number; readonly read: number } {
    return this.counts;
  }

  /** Kernel dispatches so far. */
  get dispatches(): number {
    return this.dispatchCount;
  }

  /** Frees the programs. */
  destroy(): void {
    destroyPrograms(this.programs.drain());
  }

  /**
   * Reads what is new of rows and samples their first block.
   * @param capacity positions that the KV cache has for each row
   */
  async prefill(rows: readonly Row[], capacity: number, controls: SamplingControls): Promise<SampledBlock> {
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
    const { firstBlock: steps } = this.options;
    return this.runBlock(name, rows, { batch, capacity, steps }, controls, inputs, (block) =>
      prefillGraph(this.model, this.cache, block, shape, states?.tensor ?? null),
    );
  }

  /** Samples the next block of rows. */
  async decode(rows: readonly Row[], capacity: number, controls: SamplingControls): Promise<SampledBlock> {
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
        ...graph({ ...shape, edges, fusesSteps: this.options.fusesSteps }),
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
