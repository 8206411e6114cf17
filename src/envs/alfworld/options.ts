/** Options of ALFWorld: their meaning, defaults and checks. */
import { z } from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import type { Split } from '../environment.ts';
import { TASK_TYPES, type TaskType } from './taskTypes.ts';

const folderName = z.string().regex(/^[\w.-]+$/, 'expected the name of a folder');

const schema = z.strictObject({
  data: z.string().min(1).optional(),
  splits: z
    .strictObject({ train: folderName.optional(), seen: folderName.optional(), unseen: folderName.optional() })
    .default({}),
  list: z.string().min(1).optional(),
  types: z
    .array(z.enum(TASK_TYPES))
    .min(1)
    .default([...TASK_TYPES]),
  maxSteps: z.int().min(1).default(50),
  winReward: z.number().default(10),
});

/** Every option may be left out. */
export interface AlfworldOptions {
  /**
   * Where the games are: a folder in ALFWorld's layout (`json_2.1.1`, or one above it), a folder of packed games, or a
   * single game file. Default `$ALFWORLD_DATA`, then where `proxmo env fetch alfworld` puts them, then
   * `~/.cache/alfworld`.
   */
  readonly data?: string;
  /**
   * The data's name of a split, for example `{ seen: 'valid_train' }`. Defaults `train`, `valid_seen`, `valid_unseen`.
   */
  readonly splits?: { readonly [split in Split]?: string };
  /**
   * A JSON file of game paths, as AgentBench has: splits that it names games of are cut down to those. Default none.
   */
  readonly list?: string;
  /** Task types to play. Default all six. */
  readonly types?: readonly TaskType[];
  /** Most steps of an episode. Default 50. */
  readonly maxSteps?: number;
  /** Reward of the step that accomplishes the task; all others give 0. Default 10. */
  readonly winReward?: number;
}

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
    schema,
    options ?? {},
    (problem) => new ProxmoError('config', `alfworld: ${problem}; correct the environment options.`),
  );
  const { data = null, list = null, splits, types, maxSteps, winReward } = resolved;
  return {
    data,
    list,
    splits: {
      train: splits.train ?? 'train',
      seen: splits.seen ?? 'valid_seen',
      unseen: splits.unseen ?? 'valid_unseen',
    },
    types: TASK_TYPES.filter((type) => types.includes(type)),
    maxSteps,
    winReward,
  };
}
