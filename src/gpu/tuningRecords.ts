/**
 * Records of a tuner as text: JSON with a checksum, so that a file that was cut off, edited or mixed up is seen to be
 * so. Used for the cache that all runs on a device share, and for the choices that one run is bound to.
 */
import * as z from 'zod';
import { sha256 } from '../base/sha256.ts';
import type { TuningRecord } from './tuner.ts';

const recordSchema = z.strictObject({
  key: z.string(),
  variant: z.string(),
  ms: z.number().nonnegative(),
  defaultMs: z.number().nonnegative(),
});

const contentSchema = z.strictObject({
  format: z.literal('proxmo-tuning'),
  formatVersion: z.literal(1),
  /** Name of the adapter and its driver. */
  adapter: z.string(),
  driver: z.string(),
  /** Version of the package. */
  version: z.string(),
  records: z.array(recordSchema),
});

const fileSchema = z.strictObject({ ...contentSchema.shape, checksum: z.string() });

/** Where records hold. */
export interface TuningOrigin {
  readonly adapter: string;
  readonly driver: string;
  readonly version: string;
}

export async function formatTuning(origin: TuningOrigin, records: ReadonlyMap<string, TuningRecord>): Promise<string> {
  const { adapter, driver, version } = origin;
  const sorted = [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, record]) => ({ key, ...record }));
  const content = { format: 'proxmo-tuning', formatVersion: 1, adapter, driver, version, records: sorted };
  return `${JSON.stringify({ ...content, checksum: await checksumOf(content) }, null, 1)}\n`;
}

/** Null if the text is damaged, or something else altogether. */
export async function parseTuning(
  text: string,
): Promise<{ origin: TuningOrigin; records: Map<string, TuningRecord> } | null> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) return null;
  const { checksum, ...content } = parsed.data;
  if ((await checksumOf(content)) !== checksum) return null;
  const { adapter, driver, version, records } = content;
  return { origin: { adapter, driver, version }, records: new Map(records.map(({ key, ...record }) => [key, record])) };
}

/** Of the values in the schema's order: spaces and the order of keys do not count. */
function checksumOf(content: object): Promise<string> {
  return sha256(JSON.stringify(contentSchema.parse(content)));
}
