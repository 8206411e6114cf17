/** Options of the shop: their meaning, defaults and checks. */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';

export const webshopOptionsSchema = z.strictObject({
  data: z
    .string()
    .min(1)
    .optional()
    .describe("Folder with WebShop's data files, or the products' file in it. Not set: the self-made catalogue."),
  goals: z
    .enum(['synthetic', 'human'])
    .default('synthetic')
    .describe(
      '`synthetic`: every combination of options of products with a template sentence; `human`: sentences ' +
        'that people wrote, which need `data`.',
    ),
  products: z.int().min(500).max(100_000).default(600).describe('Products of the self-made catalogue.'),
  seed: z
    .int()
    .min(0)
    .default(0)
    .describe('Seed of prices, price caps and the order of goals, as the original draws them.'),
  maxSteps: z.int().min(1).default(15).describe('Most steps of an episode.'),
  shaping: z
    .enum(['win', 'score'])
    .default('win')
    .describe('`win`: `winReward` for a purchase worth 1 and nothing else; `score`: what the purchase is worth.'),
  winReward: z.number().default(10).describe('Reward of a purchase worth 1, with `shaping: win`.'),
});

/**
 * Every option may be left out. The defaults are ProxMO's setting; the original's is `{ data, goals: 'human', seed:
 * 233, shaping: 'score' }` without a limit of steps.
 */
export type WebshopOptions = Readonly<z.input<typeof webshopOptionsSchema>>;

export type ResolvedOptions = z.infer<typeof webshopOptionsSchema>;

/** @throws {ProxmoError} `config` on unknown keys, values out of range, or options that do not go together. */
export function resolveOptions(options: unknown): ResolvedOptions {
  const resolved = checked(
    webshopOptionsSchema,
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
