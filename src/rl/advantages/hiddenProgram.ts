/**
 * ProxMO's step level by the policy's hidden states, alone or beside TF-IDF, on the device, where the states lie. They
 * are gathered by group, centred and scaled to length 1 (`kernels/centreRows.ts`), multiplied with each other within
 * each group, and softmax baselines follow (`kernels/proximity.ts`). None of the states comes to the host.
 *
 * Groups are laid out with the same number of rows, as many as the largest has, rounded up. Their similarities are held
 * at once, so a batch of large groups is taken in parts, a few groups a run.
 */
import { centreRows } from '../../../kernels/centreRows.ts';
import { columnSum } from '../../../kernels/columnSum.ts';
import { proximityMixed } from '../../../kernels/proximity.ts';
import { ProxmoError } from '../../base/errors.ts';
import { bucketSize } from '../../nn/buckets.ts';
import { gatherRows } from '../../ops/embedding.ts';
import { product } from '../../ops/matmul.ts';
import type { Engine, Program } from '../../tensor/engine.ts';
import { constant, input, launch, paddingIndex, type Tensor } from '../../tensor/tensor.ts';
import type { Variable } from '../../tensor/variable.ts';
import type { TermCounts } from '../../text/tfidf.ts';
import type { RolloutBatch, RolloutGroup } from '../rows.ts';
import type { ProximityOptions } from './proximity.ts';
import {
  clearLoneRows,
  ownerOf,
  type TermCapacity,
  termCapacity,
  termInputs,
  weighedTerms,
} from './proximityInputs.ts';

/** Hidden states on the device, and which of them is each row's. */
export interface HiddenStates {
  /** `[states, dModel]`, f32 */
  readonly table: Variable;
  /** `[rows]` */
  readonly stateOf: ArrayLike<number>;
}

export interface HiddenOptions extends ProximityOptions {
  /** Weight of the hidden states' cosine against TF-IDF's; 1 where there are no terms. */
  readonly hiddenWeight: number;
}

/** Most rows of a task: their similarities are 64 MiB. */
export const largestGroup = 4096;
const mostSimilarities = largestGroup ** 2;

/** Sizes that a program is compiled for. */
export interface HiddenCapacity {
  readonly groups: number;
  /** Rows of a group. */
  readonly stride: number;
  /** Null where hidden states alone count. */
  readonly terms: TermCapacity | null;
}

/** The sizes of `groups` groups of up to `rows` rows, or of the part of them that is handled at once. */
export function hiddenCapacity(groups: number, rows: number, terms: TermCapacity | null): HiddenCapacity {
  const stride = bucketSize(rows, 64);
  return { groups: Math.min(groups, Math.max(1, Math.floor(mostSimilarities / stride ** 2))), stride, terms };
}

/** Compiled programs for one engine, one set of options and one table of states, by capacity. */
export class HiddenPrograms {
  private readonly programs = new Map<string, Promise<Program<{ readonly baseline: Tensor }>>>();

  constructor(
    private readonly engine: Engine,
    private readonly options: HiddenOptions,
    readonly table: Variable,
  ) {}

  /**
   * Step advantages, `[rows]`, as `referenceSoftAdvantages` defines them; baselines have the precision of float32.
   * @param stateOf row of the table that is each row's, `[rows]`
   * @param terms of the anchors; null where hidden states alone count
   * @param centredReturn penalised returns less their group's mean, `[rows]`
   * @throws {ProxmoError} `config` if a group has more rows than can be compared; `gpu-error`, `device-lost`
   */
  async advantages(
    batch: RolloutBatch,
    stateOf: ArrayLike<number>,
    terms: TermCounts | null,
    centredReturn: Float64Array,
  ): Promise<Float64Array> {
    const advantage = new Float64Array(batch.rows.length);
    const largest = batch.groups.reduce((a, b) => (b.rows.length > a.rows.length ? b : a));
    checkGroupSize(largest.rows.length, `task ${largest.id} has`);
    const capacity = hiddenCapacity(batch.groups.length, largest.rows.length, terms && termCapacity(terms));
    for (let first = 0; first < batch.groups.length; first += capacity.groups) {
      const groups = batch.groups.slice(first, first + capacity.groups);
      const size = { ...capacity, groups: groups.length };
      const { baseline } = await (await this.program(size)).run({
        ...(terms && size.terms ? termInputs(terms, size.terms) : {}),
        ...this.rowInputs(batch, groups, size, stateOf, terms, centredReturn),
      });
      for (const [index, { rows }] of groups.entries()) {
        for (const [place, row] of rows.entries())
          advantage[row] = centredReturn[row]! - baseline[index * size.stride + place]!;
      }
    }
    clearLoneRows(batch, this.options, advantage);
    return advantage;
  }

  /** Frees the programs. */
  async destroy(): Promise<void> {
    for (const program of this.programs.values()) (await program).destroy();
    this.programs.clear();
  }

  private program(capacity: HiddenCapacity): Promise<Program<{ readonly baseline: Tensor }>> {
    const { groups, stride, terms } = capacity;
    const name = `advantages ${[groups, stride, ...Object.values(terms ?? {})].join('x')}`;
    const known = this.programs.get(name);
    if (known) return known;
    const baseline = hiddenBaselines(this.table.tensor, capacity, this.options);
    const program = this.engine.compile({ name, outputs: { baseline } });
    this.programs.set(name, program);
    return program;
  }

  private rowInputs(
    batch: RolloutBatch,
    groups: readonly RolloutGroup[],
    { stride }: HiddenCapacity,
    stateOf: ArrayLike<number>,
    terms: TermCounts | null,
    centredReturn: Float64Array,
  ) {
    const count = groups.length * stride;
    const [keys, ranges] = [new Uint32Array(4 * count), new Uint32Array(2 * count)];
    const [states, returns] = [new Uint32Array(count).fill(paddingIndex), new Float32Array(count)];
    for (const [index, { rows }] of groups.entries()) {
      const first = index * stride;
      for (const [place, row] of rows.entries()) {
        const document = terms?.documentOf[row] ?? 0;
        const entries = terms ? [terms.offsets[document]!, terms.offsets[document + 1]!] : [0, 0];
        keys.set([...entries, ownerOf(batch, row, this.options), 1], 4 * (first + place));
        ranges.set([first, first + rows.length], 2 * (first + place));
        states[first + place] = stateOf[row]!;
        returns[first + place] = centredReturn[row]!;
      }
    }
    return { keys, ranges, states, returns, sizes: Uint32Array.from(groups, ({ rows }) => rows.length) };
  }
}

/** @throws {ProxmoError} `config`. @param what has so many turns, as `task 3 has` */
export function checkGroupSize(turns: number, what: string): void {
  if (turns <= largestGroup) return;
  throw new ProxmoError(
    'config',
    `advantages.similarity compares every turn of a task with every other by their hidden states, of ${largestGroup} turns at most, but ${what} ${turns}; lower training.groupSize or the environment's steps, or set it to tfidf.`,
  );
}

/** The graph: states, terms and keys in, `baseline [groups · stride]` out. @param table `[states, dModel]` */
export function hiddenBaselines(
  table: Tensor,
  capacity: HiddenCapacity,
  options: Pick<HiddenOptions, 'temperature' | 'hiddenWeight'>,
): Tensor {
  const { groups, stride, terms } = capacity;
  const keys = groups * stride;
  const { columns, weights } = terms ? weighedTerms(terms) : noTerms;
  const { baseline } = launch(
    proximityMixed,
    {
      keys,
      entries: columns.size,
      features: terms?.features ?? 1,
      temperature: options.temperature,
      stride,
      share: options.hiddenWeight,
    },
    {
      columns,
      weights,
      keys: input('keys', [keys, 4], 'u32'),
      ranges: input('ranges', [keys, 2], 'u32'),
      returns: input('returns', [keys]),
      given: stateSimilarity(table, capacity),
    },
    { baseline: [keys] },
  );
  return baseline;
}

const noTerms = { columns: constant([0], [1], 'u32'), weights: constant([0], [1]) };

/** Cosines of the states of each group, less their mean, `[groups, stride, stride]`. */
function stateSimilarity(table: Tensor, { groups, stride }: HiddenCapacity): Tensor {
  const rows = groups * stride;
  const width = table.dim(1);
  const x = gatherRows(table, input('states', [rows], 'u32'));
  const { y: sums } = launch(columnSum, { rows, columns: width, run: stride }, { x }, { y: [groups, width] });
  const counts = input('sizes', [groups], 'u32');
  const { y } = launch(centreRows, { rows, stride, width }, { x, sums, counts }, { y: [groups, stride, width] });
  return product('nt', y, y);
}
