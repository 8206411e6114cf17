/**
 * Replaying recorded sessions: an environment is fed the recorded actions, and all it says is compared with the record,
 * character for character.
 */

/** What came out of a replay. A step is one comparison: a turn of a session, or a query. */
export interface ReplayReport {
  readonly steps: number;
  readonly equal: number;
  readonly firstDifference: ReplayDifference | null;
}

export interface ReplayDifference {
  /** Which record. */
  readonly session: string;
  /** Counted from 0; 0 is the opening. */
  readonly step: number;
  /** What differs: `feedback`, `admissible`, `won`. */
  readonly field: string;
  readonly expected: string;
  readonly actual: string;
}
