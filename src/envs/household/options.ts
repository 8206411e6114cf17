/** Options of the household: their meaning, defaults and checks. */
import { z } from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import { MOST_PLACES } from './catalogue.ts';

/** Task types in report order. */
export const TASK_TYPES = ['pick', 'look', 'clean', 'heat', 'cool', 'pickTwo'] as const;
/**
 * `pick`: put a thing somewhere; `look`: hold a thing by a lit lamp; `clean`, `heat`, `cool`: treat a thing, then put
 * it somewhere; `pickTwo`: put two things of a kind somewhere.
 */
export type TaskType = (typeof TASK_TYPES)[number];

/** Fewest places that make a room: a kitchen has three appliances and one place more. */
const LEAST_PLACES = 4;
/** Most things asked for, per place: always leaves room for each where it belongs. */
const THINGS_PER_PLACE = 2;

const schema = z.strictObject({
  receptacles: z.int().min(LEAST_PLACES).max(MOST_PLACES).default(6),
  objects: z.int().min(2).default(6),
  types: z
    .array(z.enum(TASK_TYPES))
    .min(1)
    .default([...TASK_TYPES]),
  commands: z.enum(['core', 'full']).default('core'),
  maxSteps: z.int().min(1).default(20),
  winReward: z.number().default(10),
  rooms: z.int().min(1).max(100_000).default(200),
  worldSeed: z.int().min(0).default(0),
  hastyShare: z.number().min(0).max(1).default(0),
});

/** Every option may be left out. */
export interface HouseholdOptions {
  /** Places per room, 4 to 36; more than 12 make a house of all rooms in one. Default 6. */
  readonly receptacles?: number;
  /** Portable things per room, 2 to two per place. Default 6. */
  readonly objects?: number;
  /** Task types to play. Default all six. */
  readonly types?: readonly TaskType[];
  /** `core`: the commands that tasks need; `full`: also `close`, `look`, `inventory` and `examine`. Default `core`. */
  readonly commands?: 'core' | 'full';
  /**
   * Most steps of an episode. Default 20, or 3 per place if that is more. Only tasks that the expert finishes in time
   * are handed out.
   */
  readonly maxSteps?: number;
  /** Reward of the step that accomplishes the task; all others give 0. Default 10. */
  readonly winReward?: number;
  /** Rooms of the train split; there is one unseen room for every four. Default 200. */
  readonly rooms?: number;
  /** Seed of the rooms. Default 0. */
  readonly worldSeed?: number;
  /**
   * Share of demonstrations by a hasty expert, which overlooks what must be done to the thing, or else which thing it
   * is. A policy that learns from them has something to surpass. Default 0.
   */
  readonly hastyShare?: number;
}

export type ResolvedOptions = Required<HouseholdOptions>;

/** @throws {ProxmoError} `config` on unknown keys, values out of range, or a size that cannot be furnished. */
export function resolveOptions(options: unknown): ResolvedOptions {
  const resolved = checked(
    schema,
    options ?? {},
    (problem) => new ProxmoError('config', `household: ${problem}; correct the environment options.`),
  );
  const { receptacles, objects, types } = resolved;
  const most = THINGS_PER_PLACE * receptacles;
  if (objects > most) {
    throw new ProxmoError(
      'config',
      `household: ${objects} objects do not fit ${receptacles} receptacles; use at most ${most}.`,
    );
  }
  const given = (options as HouseholdOptions | undefined)?.maxSteps;
  const maxSteps = given ?? Math.max(resolved.maxSteps, 3 * receptacles);
  return { ...resolved, types: TASK_TYPES.filter((type) => types.includes(type)), maxSteps };
}
