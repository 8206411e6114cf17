/** The index of a checkpoint that is split into several files: `model.safetensors.index.json`. */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { parseFetchedJson } from '../base/fetchedJson.ts';
import { repeatedKey } from '../base/repeatedKey.ts';

const schema = z.object({ metadata: z.unknown().optional(), weight_map: z.record(z.string(), z.string()) });

/** File names of shards: no folders, and nothing that leads out of the checkpoint's own. */
const shardName = /^[\w-][\w.-]*\.safetensors$/;

/**
 * The file of each tensor.
 * @param where names the index in messages
 * @throws {ProxmoError} `file` if the text is not such an index, or a file of it is not a safetensors file beside it
 */
export function parseShardIndex(text: string, where = 'model.safetensors.index.json'): ReadonlyMap<string, string> {
  const parsed = schema.safeParse(parseFetchedJson(text, where));
  if (!parsed.success)
    throw new ProxmoError('file', `${where} has no weight_map of tensors to files; it is damaged, so fetch it again.`);
  const repeated = repeatedKey(text);
  if (repeated !== undefined) {
    throw new ProxmoError(
      'file',
      `${where} has the key ${JSON.stringify(repeated)} twice; it is damaged, so fetch it again.`,
    );
  }
  const files = new Map(Object.entries(parsed.data.weight_map));
  if (files.size === 0)
    throw new ProxmoError('file', `${where} has a weight_map without tensors; it is damaged, so fetch it again.`);
  for (const [name, file] of files) {
    if (!shardName.test(file)) {
      throw new ProxmoError(
        'file',
        `${where} has the tensor "${name}" in ${JSON.stringify(file)}, which is not a safetensors file beside it.`,
      );
    }
  }
  return files;
}
