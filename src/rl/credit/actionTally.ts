/**
 * What a policy did, by kinds of action: how often it took one where it could, and what advantage that got. From one
 * iteration to the next this shows what training makes more likely, and whether that is what succeeds.
 */
import { matchAction } from '../../text/actionFormat.ts';
import type { RecordedRow } from './record.ts';

/** A kind of action in the turns of one iteration. */
export interface KindTally {
  /** Turns that took one. */
  readonly taken: number;
  /** Turns in which one was on offer; all turns for what is never on offer, and where nobody says what is. */
  readonly offered: number;
  /** Mean joint advantage of the turns that took one; null if none did. */
  readonly advantage: number | null;
}

/** Kinds of replies that are no action on offer. */
const malformedKind = '[malformed]';
const strayKind = '[not on offer]';

/** The kind of an action: its first word, so `take` of `take mug 1 from shelf 2`, and `click` of `click[buy now]`. */
export function kindOf(action: string): string {
  return /^[^\s[(]+/.exec(action.trim())?.[0] ?? '';
}

/** Counts the turns of an iteration by kinds of action, those that are taken most often first. */
export function tallyActions(rows: readonly RecordedRow[]): Map<string, KindTally> {
  const sums = new Map<string, { taken: number; offered: number; advantage: number }>();
  const sumOf = (kind: string) => {
    const sum = sums.get(kind) ?? { taken: 0, offered: 0, advantage: 0 };
    sums.set(kind, sum);
    return sum;
  };
  for (const row of rows) {
    for (const kind of new Set(row.actions?.map(kindOf))) sumOf(kind).offered++;
    const sum = sumOf(takenKind(row));
    sum.taken++;
    sum.advantage += row.advantage;
  }
  const tallies = [...sums].map(([kind, { taken, offered, advantage }]): [string, KindTally] => [
    kind,
    { taken, offered: offered || rows.length, advantage: taken === 0 ? null : advantage / taken },
  ]);
  return new Map(tallies.sort(([, a], [, b]) => b.taken - a.taken || b.offered - a.offered));
}

function takenKind({ valid, action, actions }: RecordedRow): string {
  if (!valid) return malformedKind;
  const offered = actions === null ? action : matchAction(action, actions);
  return offered === null ? strayKind : kindOf(offered);
}
