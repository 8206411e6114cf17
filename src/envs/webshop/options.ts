/** Options of the shop: their meaning, defaults and checks. */
import { z } from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';

const schema = z.strictObject({
  data: z.string().min(1).optional(),
  goals: z.enum(['synthetic', 'human']).default('synthetic'),
  products: z.int().min(500).max(100_000).default(600),
  seed: z.int().min(0).default(0),
  maxSteps: z.int().min(1).default(15),
  shaping: z.enum(['win', 'score']).default('win'),
  winReward: z.number().default(10),
});

/**
 * Every option may be left out. The defaults are ProxMO's setting; the original's is `{ data, goals: 'human', seed:
 * 233, shaping: 'score' }` without a limit of steps.
 */
export interface WebshopOptions {
  /** Folder with WebShop's data files, or the products' file in it. Default: the self-made catalogue. */
  readonly data?: string;
  /**
   * `synthetic`: every combination of options of products with a template sentence; `human`: sentences that people
   * wrote, which need `data`. Default `synthetic`.
   */
  readonly goals?: 'synthetic' | 'human';
  /** Products of the self-made catalogue, 500 to 100,000. Default 600. */
  readonly products?: number;
  /** Seed of prices, price caps and the order of goals, as the original draws them. Default 0. */
  readonly seed?: number;
  /** Most steps of an episode. Default 15. */
  readonly maxSteps?: number;
  /** `win`: `winReward` for a purchase worth 1 and nothing else; `score`: what the purchase is worth. Default `win`. */
  readonly shaping?: 'win' | 'score';
  /** Reward of a purchase worth 1, with `shaping: win`. Default 10. */
  readonly winReward?: number;
}

export type ResolvedOptions = z.infer<typeof schema>;

/** @throws {ProxmoError} `config` on unknown keys, values out of range, or options that do not go together. */
export function resolveOptions(options: unknown): ResolvedOptions {
  const resolved = checked(
    schema,
    options ?? {},
    (problem) => new ProxmoError('config', `webshop: ${problem}; correct the environment options.`),
  );
  const { data, goals } = resolved;
  const given = (options ?? {}) as WebshopOptions;
  if (data === undefined && goals === 'human') {
    throw new ProxmoError('config', "webshop: human goals come with WebShop's data files; set data to their folder.");
  }
  if (data !== undefined && given.products !== undefined) {
    throw new ProxmoError('config', 'webshop: products is for the self-made catalogue; leave out products or data.');
  }
  return resolved;
}
