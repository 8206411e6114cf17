/** Opens the tokenizer of a model folder as Hugging Face tools write it. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ProxmoError } from '../../base/errors.ts';
import { parseFetchedJson } from '../../base/fetchedJson.ts';
import { refuseLfsPointer } from '../../base/lfsPointer.ts';
import { systemReason } from '../../base/systemErrors.node.ts';
import type { HfTokenizerFiles } from './files.ts';
import { HfTokenizer } from './hfTokenizer.ts';

/** Most bytes of one file; the largest vocabularies take some 35 MB. */
const maxFileBytes = 256 << 20;

/**
 * Reads the tokenizer of a folder: `tokenizer.json`, and where they are there `tokenizer_config.json`,
 * `special_tokens_map.json`, `chat_template.jinja`, `generation_config.json` and `config.json`.
 * @throws {ProxmoError} `file` if `tokenizer.json` is missing, or a file is not what it should be or holds what is not
 * supported.
 */
export async function loadHfTokenizer(folder: string): Promise<HfTokenizer> {
  return new HfTokenizer(await readTokenizerFiles(folder), folder);
}

/** The files of a folder's tokenizer, parsed. @throws {ProxmoError} `file` as `loadHfTokenizer` */
export async function readTokenizerFiles(folder: string): Promise<HfTokenizerFiles> {
  const tokenizer = await readJson(join(folder, 'tokenizer.json'));
  if (tokenizer === undefined) {
    throw new ProxmoError(
      'file',
      `${folder} has no tokenizer.json; give the folder of a model that was saved with its (fast) tokenizer.`,
    );
  }
  const chatTemplate = await readText(join(folder, 'chat_template.jinja'));
  const files = {
    tokenizer,
    tokenizerConfig: await readJson(join(folder, 'tokenizer_config.json')),
    specialTokensMap: await readJson(join(folder, 'special_tokens_map.json')),
    generationConfig: await readJson(join(folder, 'generation_config.json')),
    modelConfig: await readJson(join(folder, 'config.json')),
  };
  return chatTemplate === undefined ? files : { ...files, chatTemplate };
}

async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  return text === undefined ? undefined : parseFetchedJson(text, path);
}

/** The text of a file; undefined where there is none. */
async function readText(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined;
    throw new ProxmoError('file', `${path} cannot be opened: ${systemReason(cause)}; check its permissions.`, {
      cause,
    });
  });
  if (!handle) return undefined;
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new ProxmoError('file', `${path} is not a file; give the folder of a model.`);
    if (stat.size > maxFileBytes) {
      throw new ProxmoError(
        'file',
        `${path} has ${stat.size} bytes, where ${maxFileBytes} are allowed; fetch it again.`,
      );
    }
    const bytes = await handle.readFile();
    refuseLfsPointer(bytes, path);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch (cause) {
    if (cause instanceof ProxmoError) throw cause;
    throw new ProxmoError('file', `${path} is not text in UTF-8; fetch it again.`, { cause });
  } finally {
    await handle.close();
  }
}
