/** Options of ALFWorld: their meaning, defaults and checks. */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import type { Split } from '../environment.ts';
import { TASK_TYPES, type TaskType } from './taskTypes.ts';

/** The data's names of the splits. */
export const usualNames: Readonly<Record<Split, string>> = {
  train: 'train',
  seen: 'valid_seen',
  unseen: 'valid_unseen',
};

const folderOf = (split: Split) =>
  z
    .string()
    .regex(/^[\w.-]+$/, 'expected the name of a folder')
    .optional()
    .meta({ description: `The data's name of the ${split} split.`, default: usualNames[split] });

export const alfworldOptionsSchema = z.strictObject({
  data: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Where the games are: a folder in ALFWorld's layout (`json_2.1.1`, or one above it), a folder of " +
        'packed games, or a single game file. Not set: `$ALFWORLD_DATA`, then where `proxmo env fetch ' +
        'alfworld` puts them, then `~/.cache/alfworld`.',
    ),
  splits: z
    .strictObject({
      train: folderOf('train'),
      seen: folderOf('seen'),
      unseen: folderOf('unseen'),
    })
    .default({})
    .describe("The data's names of the splits."),
  list: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A JSON file of game paths, as AgentBench has: splits that it names games of are cut down to those. ' +
        'Not set: all games.',
    ),
  types: z
    .array(z.enum(TASK_TYPES))
    .min(1)
    .readonly()
    .default([...TASK_TYPES])
    .describe('Task types to play.'),
  maxSteps: z.int().min(1).default(50).describe('Most steps of an episode.'),
  winReward: z.number().default(10).describe('Reward of the step that accomplishes the task; all others give 0.'),
});

/** Every option may be left out. */
export type AlfworldOptions = Readonly<z.input<typeof alfworldOptionsSchema>>;

export interface ResolvedOptions {
  readonly data: string | null;
  readonly splits: Readonly<Record<Split, string>>;
  readonly list: string | null;
  readonly types: readonly TaskType[];
  readonly maxSteps: number;
  readonly winReward: number;
}

/** @throws {ProxmoError} `config` on unknown keys and values out of range. */
export function resolveOptions(options: unknown): ResolvedOptions {
  const resolved = checked(
    alfworldOptionsSchema,
    options ?? {},
    (problem) => new ProxmoError('config', `alfworld: ${problem}; correct the environment options.`),
  );
  const { data = null, list = null, splits, types, maxSteps, winReward } = resolved;
  return {
    data,
    list,
    splits: {
      train: splits.train ?? usualNames.train,
      seen: splits.seen ?? usualNames.seen,
      unseen: splits.unseen ?? usualNames.unseen,
    },
    types: TASK_TYPES.filter((type) => types.includes(type)),
    maxSteps,
    winReward,
  };
}
