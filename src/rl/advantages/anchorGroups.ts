/**
 * GiGPO's step level (Feng et al., arXiv 2505.10978): the rows of a task whose anchors are the same state form a hard
 * group, and a row's step advantage is its penalised return against that group. A row alone in its group gets 0.
 */
import type { RolloutBatch, RolloutGroup } from '../rows.ts';
import type { Scaling } from './options.ts';
import { Alphabet, SimilarityTarget } from './similarity.ts';
import { moments, normalise } from './statistics.ts';

/**
 * The step groups of a batch, each with its rows in input order.
 *
 * Without a similarity, anchors must be equal. With one, a row joins the first step group of its task whose founder's
 * anchor it resembles at least that much (as the first text of `ratio`), or founds the next.
 */
export function anchorGroups(batch: RolloutBatch, similarity: number | null): readonly (readonly number[])[] {
  const place = similarity === null ? placeEqual : placeSimilar(similarity);
  return batch.groups.flatMap((group) => groupRows(batch, group, place));
}

/**
 * Finds, for a distinct anchor of a task, the number of an earlier anchor whose group it joins; its own number if it
 * founds one.
 */
type Placement = (anchors: readonly string[]) => readonly number[];

function groupRows(batch: RolloutBatch, group: RolloutGroup, place: Placement): readonly (readonly number[])[] {
  // Equal anchors always end in one group, so only distinct ones are placed: a text is found by the founder that took
  // its first copy, and a founder's copies resemble it with ratio 1.
  const anchors = [...new Set(group.rows.map((row) => batch.rows[row]!.observation))];
  const founders = place(anchors);
  const founderOf = new Map(anchors.map((anchor, index) => [anchor, founders[index]!]));
  const members = new Map<number, number[]>();
  for (const row of group.rows) {
    const founder = founderOf.get(batch.rows[row]!.observation)!;
    const rows = members.get(founder);
    if (rows) rows.push(row);
    else members.set(founder, [row]);
  }
  return [...members.values()];
}

const placeEqual: Placement = (anchors) => [...anchors.keys()];

function placeSimilar(similarity: number): Placement {
  return (anchors) => {
    const alphabet = new Alphabet();
    const clusters: { founder: number; target: SimilarityTarget }[] = [];
    return anchors.map((anchor, index) => {
      const text = alphabet.encode(anchor);
      const cluster = clusters.find(({ target }) => target.reaches(text, similarity));
      if (cluster) return cluster.founder;
      clusters.push({ founder: index, target: new SimilarityTarget(text) });
      return index;
    });
  };
}

/** Penalised returns normalised within step groups, `[rows]`. */
export function anchorRelative(
  groups: readonly (readonly number[])[],
  penalisedReturn: Float64Array,
  scaling: Scaling,
): Float64Array {
  const weights = new Float64Array(penalisedReturn.length).fill(1);
  const advantage = new Float64Array(penalisedReturn.length);
  for (const rows of groups) {
    if (rows.length === 1) continue;
    const group = moments(penalisedReturn, weights, rows);
    for (const row of rows) advantage[row] = normalise(penalisedReturn[row]!, group, scaling);
  }
  return advantage;
}
