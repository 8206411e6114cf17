/**
 * The similarity of anchors within each group of a batch, on the host: computed once, it gives ProxMO's step level at
 * any temperature and with anything left out, and says which states a baseline is made of. In float64; the definition
 * is that of `proximity.ts`, for each distinct anchor of a group in place of each row.
 */
import { type TermCounts, weighTerms } from '../../text/tfidf.ts';
import type { RolloutBatch, RolloutGroup } from '../rows.ts';
import type { ProximityOptions } from './proximity.ts';

/** The distinct anchors of one group. */
export interface GroupAnchors {
  readonly group: RolloutGroup;
  /** Rows of each anchor, indices into the batch, in input order. */
  readonly rowsOf: readonly (readonly number[])[];
  /** Cosine of any two of them, `[anchors, anchors]`. */
  readonly cosine: Float64Array;
}

/** What is left of an anchor for a baseline. */
export interface AnchorShare {
  /** Rows that count. */
  readonly rows: readonly number[];
  readonly similarity: number;
  /** Share in the baseline of all of these rows together. */
  readonly weight: number;
}

/** Lists of shares that are remembered; rows come group by group. */
const rememberedShares = 1024;
/** Below this, a sum of weights may have lost what is to be told apart, and is taken again from its largest. */
const smallestTotal = 1e-200;

export class AnchorSimilarity {
  readonly groups: readonly GroupAnchors[];
  /** The anchor of each row within its group, `[rows]`. */
  readonly anchorOf: Int32Array;
  private readonly groupOf: Int32Array;
  private readonly lastShares = new Map<string, readonly AnchorShare[]>();

  constructor(
    private readonly batch: RolloutBatch,
    readonly terms: TermCounts,
  ) {
    this.anchorOf = new Int32Array(batch.rows.length);
    this.groupOf = new Int32Array(batch.rows.length);
    const weights = weighTerms(terms);
    const table = new Float64Array(terms.vocabulary.length);
    this.groups = batch.groups.map((group, index) => {
      for (const row of group.rows) this.groupOf[row] = index;
      const { documents, rowsOf } = this.distinctAnchors(group);
      return { group, rowsOf, cosine: cosines(terms, weights, documents, table) };
    });
  }

  /**
   * Step advantages, `[rows]`, as `referenceSoftAdvantages` defines them.
   * @param centredReturn penalised returns less their group's mean, `[rows]`
   */
  advantages(centredReturn: Float64Array, options: ProximityOptions): Float64Array {
    const advantage = new Float64Array(centredReturn.length);
    if (this.terms.vocabulary.length === 0) return advantage;
    const largest = this.groups.reduce((most, { rowsOf }) => Math.max(most, rowsOf.length), 0);
    const scratch = new Float64Array(largest * largest);
    for (const anchors of this.groups) {
      const proximity = exponentials(anchors, options.temperature, scratch);
      if (options.leaveTrajectoryOut) this.withoutTrajectories(anchors, proximity, centredReturn, options, advantage);
      else this.withAll(anchors, proximity, centredReturn, options, advantage);
    }
    return advantage;
  }

  /**
   * The anchors that the baseline of a row is made of, the most similar first, and the heaviest of those; none where
   * there is nothing to compare with. Where nothing is left out, rows of an anchor get the same list.
   * @param most how many are wanted
   */
  shares(row: number, options: ProximityOptions, most = Number.POSITIVE_INFINITY): readonly AnchorShare[] {
    if (this.terms.vocabulary.length === 0) return [];
    if (options.leaveTrajectoryOut || options.leaveSelfOut) return this.computeShares(row, options, most);
    const key = `${this.groupOf[row]} ${this.anchorOf[row]} ${options.temperature} ${most}`;
    const known = this.lastShares.get(key);
    if (known) return known;
    if (this.lastShares.size >= rememberedShares) this.lastShares.clear();
    const shares = this.computeShares(row, options, most);
    this.lastShares.set(key, shares);
    return shares;
  }

  private computeShares(row: number, options: ProximityOptions, most: number): AnchorShare[] {
    const { rowsOf, cosine } = this.groups[this.groupOf[row]!]!;
    const first = this.anchorOf[row]! * rowsOf.length;
    const counts = rowsOf.map((rows, anchor) => this.countedRows(row, rows, anchor, options));
    let largest = 0;
    for (const [anchor, count] of counts.entries()) if (count > 0) largest = Math.max(largest, cosine[first + anchor]!);
    const weightOf = (count: number, anchor: number) =>
      count * Math.exp((cosine[first + anchor]! - largest) / options.temperature);
    // One of which nothing counts may be nearer than the largest that does.
    const weights = counts.map((count, anchor) => (count === 0 ? 0 : weightOf(count, anchor)));
    const isNearer = (a: number, b: number) =>
      cosine[first + a]! > cosine[first + b]! ||
      (cosine[first + a]! === cosine[first + b]! && weights[a]! > weights[b]!);
    const nearest: number[] = [];
    for (const [anchor, count] of counts.entries()) {
      if (count === 0 || (nearest.length >= most && !isNearer(anchor, nearest.at(-1)!))) continue;
      let place = nearest.length;
      while (place > 0 && isNearer(anchor, nearest[place - 1]!)) place--;
      nearest.splice(place, 0, anchor);
      if (nearest.length > most) nearest.pop();
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return nearest.map((anchor) => ({
      rows: rowsOf[anchor]!.filter((other) => !this.isLeftOut(row, other, options)),
      similarity: cosine[first + anchor]!,
      weight: weights[anchor]! / total,
    }));
  }

  /** How many rows of an anchor count in the baseline of a row. */
  private countedRows(row: number, rows: readonly number[], anchor: number, options: ProximityOptions): number {
    if (options.leaveTrajectoryOut) {
      let count = 0;
      for (const other of rows) if (this.batch.trajectoryOf[other] !== this.batch.trajectoryOf[row]) count++;
      return count;
    }
    return rows.length - (options.leaveSelfOut && anchor === this.anchorOf[row] ? 1 : 0);
  }

  private isLeftOut(row: number, other: number, options: ProximityOptions): boolean {
    if (options.leaveTrajectoryOut) return this.batch.trajectoryOf[row] === this.batch.trajectoryOf[other];
    return options.leaveSelfOut && row === other;
  }

  private distinctAnchors({ rows }: RolloutGroup): { documents: readonly number[]; rowsOf: readonly number[][] } {
    const numbers = new Map<number, number>();
    const documents: number[] = [];
    const rowsOf: number[][] = [];
    for (const row of rows) {
      const document = this.terms.documentOf[row]!;
      let anchor = numbers.get(document);
      if (anchor === undefined) {
        anchor = documents.length;
        numbers.set(document, anchor);
        documents.push(document);
        rowsOf.push([]);
      }
      rowsOf[anchor]!.push(row);
      this.anchorOf[row] = anchor;
    }
    return { documents, rowsOf };
  }

  /** Every row's baseline is over all rows, or over all but itself. */
  private withAll(
    { rowsOf }: GroupAnchors,
    proximity: Float64Array,
    returns: Float64Array,
    options: ProximityOptions,
    advantage: Float64Array,
  ): void {
    const sums = rowsOf.map((rows) => sumOf(rows, returns));
    for (const [anchor, rows] of rowsOf.entries()) {
      const first = anchor * rowsOf.length;
      let [total, sum] = [0, 0];
      for (let other = 0; other < rowsOf.length; other++) {
        if (options.leaveSelfOut && other === anchor) continue;
        total += rowsOf[other]!.length * proximity[first + other]!;
        sum += sums[other]! * proximity[first + other]!;
      }
      const own = options.leaveSelfOut ? proximity[first + anchor]! : 0;
      for (const row of rows) {
        const rowTotal = total + (rows.length - 1) * own;
        const rowSum = sum + (sums[anchor]! - returns[row]!) * own;
        advantage[row] =
          rowTotal > smallestTotal ? returns[row]! - rowSum / rowTotal : this.againFromLargest(row, returns, options);
      }
    }
  }

  /** Every row's baseline is over the rows of other trajectories. */
  private withoutTrajectories(
    { group, rowsOf }: GroupAnchors,
    proximity: Float64Array,
    returns: Float64Array,
    options: ProximityOptions,
    advantage: Float64Array,
  ): void {
    const counts = Float64Array.from(rowsOf, ({ length }) => length);
    const sums = Float64Array.from(rowsOf, (rows) => sumOf(rows, returns));
    for (const trajectory of group.trajectories) {
      const { rows } = this.batch.trajectories[trajectory]!;
      const left = { counts: counts.slice(), sums: sums.slice() };
      for (const row of rows) {
        left.counts[this.anchorOf[row]!]!--;
        left.sums[this.anchorOf[row]!]! -= returns[row]!;
      }
      for (const row of rows) {
        const first = this.anchorOf[row]! * rowsOf.length;
        let [total, sum] = [0, 0];
        for (let other = 0; other < rowsOf.length; other++) {
          if (left.counts[other] === 0) continue;
          total += left.counts[other]! * proximity[first + other]!;
          sum += left.sums[other]! * proximity[first + other]!;
        }
        advantage[row] =
          total > smallestTotal ? returns[row]! - sum / total : this.againFromLargest(row, returns, options);
      }
    }
  }

  /** For a row whose others are all too far at the temperature, so that only their distance to each other counts. */
  private againFromLargest(row: number, returns: Float64Array, options: ProximityOptions): number {
    const shares = this.shares(row, options);
    if (shares.length === 0) return 0;
    return shares.reduce(
      (advantage, { rows, weight }) => advantage - (weight * sumOf(rows, returns)) / rows.length,
      returns[row]!,
    );
  }
}

function sumOf(rows: readonly number[], values: Float64Array): number {
  let sum = 0;
  for (const row of rows) sum += values[row]!;
  return sum;
}

/** exp((cosine − 1) / temperature) of any two anchors, `[anchors, anchors]` at the start of `scratch`. */
function exponentials({ rowsOf, cosine }: GroupAnchors, temperature: number, scratch: Float64Array): Float64Array {
  const size = rowsOf.length;
  for (let a = 0; a < size; a++) {
    for (let b = a; b < size; b++) {
      const value = Math.exp((cosine[a * size + b]! - 1) / temperature);
      scratch[a * size + b] = value;
      scratch[b * size + a] = value;
    }
  }
  return scratch;
}

/** @param table `[features]` of zeros, which it is again afterwards */
function cosines(
  { offsets, columns }: TermCounts,
  weights: Float64Array,
  documents: readonly number[],
  table: Float64Array,
): Float64Array {
  const size = documents.length;
  const cosine = new Float64Array(size * size);
  for (const [a, document] of documents.entries()) {
    const [begin, end] = [offsets[document]!, offsets[document + 1]!];
    for (let entry = begin; entry < end; entry++) table[columns[entry]!] = weights[entry]!;
    for (let b = a; b < size; b++) {
      let sum = 0;
      const last = offsets[documents[b]! + 1]!;
      for (let entry = offsets[documents[b]!]!; entry < last; entry++) sum += weights[entry]! * table[columns[entry]!]!;
      cosine[a * size + b] = sum;
      cosine[b * size + a] = sum;
    }
    for (let entry = begin; entry < end; entry++) table[columns[entry]!] = 0;
  }
  return cosine;
}
