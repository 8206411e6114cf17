/**
 * The rows that advantages are computed from, one for each environment step, and the index of a batch of them: which
 * rows form a trajectory, which trajectories form a group. Rows come from the trainer's rollouts or, as JSON Lines,
 * from another framework.
 *
 * `parseRollout` reads text, `indexRollout` takes objects. Both check everything that an estimator relies on, so that
 * estimators check nothing.
 */
import { ProxmoError } from '../base/errors.ts';
import { largestReward } from '../envs/turns.ts';

/** One environment step. */
export interface RolloutRow {
  /** The task: all trajectories that started from the same initial state share it. */
  readonly group: string;
  /** The episode; unique over all groups. */
  readonly trajectory: string;
  /** Index in the episode. The rows of a trajectory are contiguous in it, and may come in any order. */
  readonly step: number;
  /** Environment reward of this step, before any penalty; from -1e30 to 1e30. */
  readonly reward: number;
  /** Whether the episode succeeded: the same on all its rows. */
  readonly success: boolean;
  /** Whether the action was well formed. */
  readonly valid: boolean;
  /** The anchor: the observation that the action was chosen from, without history or action list. */
  readonly observation: string;
}

/** One episode of a rollout. */
export interface RolloutTrajectory {
  readonly id: string;
  /** Index into `RolloutBatch.groups`. */
  readonly group: number;
  /** Its rows in the order of their steps. */
  readonly rows: readonly number[];
  readonly success: boolean;
}

/** One task of a rollout. */
export interface RolloutGroup {
  readonly id: string;
  /** Its rows in input order. */
  readonly rows: readonly number[];
  /** Indices into `RolloutBatch.trajectories`. */
  readonly trajectories: readonly number[];
}

/** Rows that passed every check, with groups and trajectories in the order of their first row. */
export interface RolloutBatch {
  readonly rows: readonly RolloutRow[];
  readonly groups: readonly RolloutGroup[];
  readonly trajectories: readonly RolloutTrajectory[];
  /** Trajectory of each row, `[rows]`. */
  readonly trajectoryOf: Int32Array;
}

type FieldCheck = readonly [field: keyof RolloutRow, expected: string, accepts: (value: unknown) => boolean];

const isText = (value: unknown): boolean => typeof value === 'string';
const isReward = (value: unknown): boolean => Math.abs(value as number) <= largestReward && typeof value === 'number';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';

const fieldChecks: readonly FieldCheck[] = [
  ['group', 'a string', isText],
  ['trajectory', 'a string', isText],
  ['step', 'an integer of 0 or more', (value) => Number.isSafeInteger(value) && (value as number) >= 0],
  ['reward', `a number from -${largestReward} to ${largestReward}`, isReward],
  ['success', 'true or false', isFlag],
  ['valid', 'true or false', isFlag],
  ['observation', 'a string', isText],
];

/** How errors name the rollout and its rows. */
interface Names {
  readonly rollout: string;
  /** The row at an index where the rollout was named before. */
  readonly row: (index: number) => string;
  /** The same as the beginning of a sentence. */
  readonly rowOf: (index: number) => string;
}

/** @param source what the rows come from, as a path; a rollout by default */
function namesIn(source: string | undefined, row: (index: number) => string): Names {
  const owner = source ?? "The rollout's";
  return { rollout: source ?? 'The rollout', row, rowOf: (index) => `${owner} ${row(index)}` };
}

/**
 * Checks rows and finds their trajectories and groups. Fields beyond those of `RolloutRow` are ignored.
 *
 * @throws {ProxmoError} `data`, naming the first bad row (counted from 0), if there is no row, a field has the wrong
 * type, a reward is not finite or beyond 1e30, a trajectory misses or repeats a step, differs in `success` between its
 * rows, or belongs to two groups.
 */
export function indexRollout(rows: readonly RolloutRow[]): RolloutBatch {
  return indexNamedRows(
    rows,
    namesIn(undefined, (index) => `row ${index}`),
  );
}

/**
 * Reads rows from JSON Lines: one object a line; blank lines are skipped.
 * @param source names the text in errors, as the path of its file
 *
 * @throws {ProxmoError} `data`, naming the line (counted from 1), if a line is not JSON or for any reason that
 * `indexRollout` gives.
 */
export function parseRollout(text: string, source?: string): RolloutBatch {
  const rows: RolloutRow[] = [];
  const lineOf: number[] = [];
  const names = namesIn(source, (index) => `line ${lineOf[index]}`);
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    lineOf.push(index + 1);
    rows.push(parseLine(line, names.rowOf(rows.length)));
  }
  return indexNamedRows(rows, names);
}

function parseLine(line: string, name: string): RolloutRow {
  try {
    return JSON.parse(line) as RolloutRow;
  } catch (cause) {
    throw new ProxmoError('data', `${name} is not valid JSON; write one JSON object a line.`, { cause });
  }
}

function indexNamedRows(rows: readonly RolloutRow[], names: Names): RolloutBatch {
  if (rows.length === 0)
    throw new ProxmoError('data', `${names.rollout} has no rows; give at least one environment step.`);
  const groups = new Map<string, { id: string; rows: number[]; trajectories: number[] }>();
  const trajectories = new Map<string, { id: string; index: number; group: string; rows: number[] }>();
  const trajectoryOf = new Int32Array(rows.length);
  for (const [index, row] of rows.entries()) {
    checkFields(row, names.rowOf(index));
    const group = groups.get(row.group) ?? { id: row.group, rows: [], trajectories: [] };
    groups.set(row.group, group);
    let trajectory = trajectories.get(row.trajectory);
    if (trajectory === undefined) {
      trajectory = { id: row.trajectory, index: trajectories.size, group: row.group, rows: [] };
      trajectories.set(row.trajectory, trajectory);
      group.trajectories.push(trajectory.index);
    }
    checkAgainstTrajectory(row, trajectory, rows, index, names);
    group.rows.push(index);
    trajectory.rows.push(index);
    trajectoryOf[index] = trajectory.index;
  }
  const groupIndex = new Map([...groups.keys()].map((id, index) => [id, index]));
  return {
    rows,
    groups: [...groups.values()],
    trajectories: [...trajectories.values()].map(({ id, group, rows: members }) => ({
      id,
      group: groupIndex.get(group)!,
      rows: inStepOrder(rows, members, names),
      success: rows[members[0]!]!.success,
    })),
    trajectoryOf,
  };
}

function checkFields(row: unknown, name: string): void {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw new ProxmoError('data', `${name} is ${describe(row)}; each row must be an object.`);
  }
  for (const [field, expected, accepts] of fieldChecks) {
    const value = (row as Record<string, unknown>)[field];
    if (!accepts(value)) {
      throw new ProxmoError('data', `${name} has ${describe(value)} as "${field}"; it must be ${expected}.`);
    }
  }
}

function checkAgainstTrajectory(
  row: RolloutRow,
  trajectory: { group: string; rows: readonly number[] },
  rows: readonly RolloutRow[],
  index: number,
  names: Names,
): void {
  const what = `${names.rowOf(index)} puts trajectory "${row.trajectory}"`;
  if (row.group !== trajectory.group) {
    throw new ProxmoError(
      'data',
      `${what} in group "${row.group}", but its earlier rows are in group "${trajectory.group}"; give each episode a name of its own.`,
    );
  }
  const first = trajectory.rows[0];
  if (first !== undefined && rows[first]!.success !== row.success) {
    throw new ProxmoError(
      'data',
      `${what} down as success ${row.success}, but ${names.row(first)} says ${rows[first]!.success}; all rows of an episode carry its outcome.`,
    );
  }
}

/** Sorts the rows of a trajectory by step and checks that no step is missing or repeated. */
function inStepOrder(rows: readonly RolloutRow[], members: number[], names: Names): readonly number[] {
  members.sort((a, b) => rows[a]!.step - rows[b]!.step);
  for (let i = 1; i < members.length; i++) {
    const row = rows[members[i]!]!;
    const expected = rows[members[i - 1]!]!.step + 1;
    if (row.step !== expected) {
      throw new ProxmoError(
        'data',
        `${names.rowOf(members[i]!)} has step ${row.step} in trajectory "${row.trajectory}" where step ${expected} belongs; ` +
          'give every step of an episode exactly once.',
      );
    }
  }
  return members;
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string')
    return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
