/**
 * ProxMO's step level on the device: a program of two kernels, TF-IDF weighting (`kernels/tfidf.ts`) and softmax
 * baselines (`kernels/proximity.ts`).
 *
 * Rows of a group with the same anchor have the same baseline, so they go to the device as one key with their number
 * and the sum of their returns; the result is exactly that of single rows. Where rows are left out of baselines, only
 * rows that are left out together share a key.
 */
import { proximity } from '../../../kernels/proximity.ts';
import type { Engine, Program } from '../../tensor/engine.ts';
import { input, launch, type Tensor } from '../../tensor/tensor.ts';
import type { TermCounts } from '../../text/tfidf.ts';
import type { RolloutBatch } from '../rows.ts';
import type { ProximityOptions } from './proximity.ts';
import {
  bucket,
  clearLoneRows,
  ownerOf,
  padded,
  type TermCapacity,
  termCapacity,
  termInputs,
  weighedTerms,
} from './proximityInputs.ts';

/** Sizes that a program is compiled for; real sizes are at most these. */
interface Capacity extends TermCapacity {
  readonly keys: number;
}

/** Keys of a batch in the kernel's layout, and the key of each row. */
interface Keys {
  readonly count: number;
  /** (first entry, end of entries, owner, rows) of each key, `[keys, 4]`. */
  readonly keys: readonly number[];
  /** (first key, end) of each key's group, `[keys, 2]`. */
  readonly ranges: readonly number[];
  /** Sum of returns less their group's mean, `[keys]`. */
  readonly returns: readonly number[];
  readonly keyOf: Int32Array;
}

/** Compiled programs for one engine and one set of options, by capacity. */
export class ProximityPrograms {
  private readonly programs = new Map<string, Promise<Program<{ readonly baseline: Tensor }>>>();

  constructor(
    private readonly engine: Engine,
    private readonly options: ProximityOptions,
  ) {}

  /**
   * Step advantages, `[rows]`, as `referenceSoftAdvantages` defines them; baselines have the precision of float32.
   * @param centredReturn penalised returns less their group's mean, `[rows]`
   * @throws {ProxmoError} `gpu-error`, `device-lost`
   */
  async advantages(batch: RolloutBatch, terms: TermCounts, centredReturn: Float64Array): Promise<Float64Array> {
    if (terms.vocabulary.length === 0) return new Float64Array(batch.rows.length);
    const keys = collectKeys(batch, terms, centredReturn, this.options);
    const capacity = { ...termCapacity(terms), keys: bucket(keys.count) };
    const program = await this.program(capacity);
    const { baseline } = await program.run({
      ...termInputs(terms, capacity),
      keys: padded(Uint32Array, keys.keys, 4 * capacity.keys),
      ranges: padded(Uint32Array, keys.ranges, 2 * capacity.keys),
      returns: padded(Float32Array, keys.returns, capacity.keys),
    });
    const advantage = centredReturn.map((value, row) => value - baseline[keys.keyOf[row]!]!);
    clearLoneRows(batch, this.options, advantage);
    return advantage;
  }

  /** Frees the programs. */
  async destroy(): Promise<void> {
    for (const program of this.programs.values()) (await program).destroy();
    this.programs.clear();
  }

  private program(capacity: Capacity): Promise<Program<{ readonly baseline: Tensor }>> {
    const name = `advantages ${Object.values(capacity).join('x')}`;
    const known = this.programs.get(name);
    if (known) return known;
    const baseline = softBaselines(capacity, this.options.temperature);
    const program = this.engine.compile({ name, outputs: { baseline } });
    this.programs.set(name, program);
    return program;
  }
}

/** The graph: counts and keys in, `baseline [keys]` out. */
function softBaselines(capacity: Capacity, temperature: number): Tensor {
  const { entries, keys, features } = capacity;
  const { columns, weights } = weighedTerms(capacity);
  const { baseline } = launch(
    proximity,
    { keys, entries, features, temperature },
    {
      columns,
      weights,
      keys: input('keys', [keys, 4], 'u32'),
      ranges: input('ranges', [keys, 2], 'u32'),
      returns: input('returns', [keys]),
    },
    { baseline: [keys] },
  );
  return baseline;
}

function collectKeys(
  batch: RolloutBatch,
  terms: TermCounts,
  centredReturn: Float64Array,
  options: ProximityOptions,
): Keys {
  const keys: number[] = [];
  const ranges: number[] = [];
  const returns: number[] = [];
  const keyOf = new Int32Array(batch.rows.length);
  const documents = terms.offsets.length - 1;
  for (const group of batch.groups) {
    const first = returns.length;
    const numbers = new Map<number, number>();
    for (const row of group.rows) {
      const document = terms.documentOf[row]!;
      const owner = ownerOf(batch, row, options);
      const identity = owner * documents + document;
      let key = numbers.get(identity);
      if (key === undefined) {
        key = returns.length;
        numbers.set(identity, key);
        keys.push(terms.offsets[document]!, terms.offsets[document + 1]!, owner, 0);
        returns.push(0);
      }
      keys[4 * key + 3]!++;
      returns[key]! += centredReturn[row]!;
      keyOf[row] = key;
    }
    for (let key = first; key < returns.length; key++) ranges.push(first, returns.length);
  }
  return { count: returns.length, keys, ranges, returns, keyOf };
}
