/** What is played together and kept together: the episodes of an iteration, or of an evaluation. */

export const rolloutSplits = ['training', 'held-out'] as const;
export type RolloutSplit = (typeof rolloutSplits)[number];

export interface PlayedBatch {
  readonly split: RolloutSplit;
  /** Iterations that were done with it; of held-out episodes 0 before training. */
  readonly iteration: number;
}

/** Where the rows of a group are in their file. */
export interface RowPlace {
  /** Number of the first among all rows of the file, counted from 0. */
  readonly first: number;
  readonly count: number;
  /** Of the gzip member, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Rows as JSON Lines, packed group by group, and where each group is then.
 * @param groups each is asked for when the one before is packed
 * @param pack makes a gzip member of a text
 */
export async function packGroups<Member extends Uint8Array>(
  groups: Iterable<readonly object[]>,
  pack: (text: string) => Promise<Member>,
): Promise<{ readonly members: readonly Member[]; readonly places: readonly RowPlace[] }> {
  const members: Member[] = [];
  const places: RowPlace[] = [];
  let [first, offset] = [0, 0];
  for (const rows of groups) {
    const member = await pack(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    members.push(member);
    places.push({ first, count: rows.length, offset, bytes: member.length });
    first += rows.length;
    offset += member.length;
  }
  return { members, places };
}
