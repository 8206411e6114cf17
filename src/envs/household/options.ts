/** Options of the household: their meaning, defaults and checks. */
import * as z from 'zod';
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

export const householdOptionsSchema = z.strictObject({
  receptacles: z
    .int()
    .min(LEAST_PLACES)
    .max(MOST_PLACES)
    .default(6)
    .describe('Places per room; more than 12 make a house of all rooms in one.'),
  objects: z.int().min(2).default(6).describe('Portable things per room, at most two per place.'),
  types: z
    .array(z.enum(TASK_TYPES))
    .min(1)
    .readonly()
    .default([...TASK_TYPES])
    .describe('Task types to play.'),
  commands: z
    .enum(['core', 'full'])
    .default('core')
    .describe('`core`: the commands that tasks need; `full`: also `close`, `look`, `inventory` and `examine`.'),
  maxSteps: z
    .int()
    .min(1)
    .default(20)
    .describe(
      'Most steps of an episode; 3 per place if that is more and none are set. Only tasks that the expert ' +
        'finishes in time are handed out.',
    ),
  winReward: z.number().default(10).describe('Reward of the step that accomplishes the task; all others give 0.'),
  rooms: z
    .int()
    .min(1)
    .max(100_000)
    .default(200)
    .describe('Rooms of the train split; there is one unseen room for every four.'),
  worldSeed: z.int().min(0).default(0).describe('Seed of the rooms.'),
  hastyShare: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      'Share of demonstrations by a hasty expert, which overlooks what must be done to the thing, or else ' +
        'which thing it is. A policy that learns from them has something to surpass.',
    ),
});

/** Every option may be left out. */
export type HouseholdOptions = Readonly<z.input<typeof householdOptionsSchema>>;

export type ResolvedOptions = Readonly<z.output<typeof householdOptionsSchema>>;

/** @throws {ProxmoError} `config` on unknown keys, values out of range, or a size that cannot be furnished. */
export function resolveOptions(options: unknown): ResolvedOptions {
  const resolved = checked(
    householdOptionsSchema,
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
