/** Which files of a model on the hub are fetched. */
import { ProxmoError } from '../../base/errors.ts';
import { escapeRegExp } from '../../text/hf/addedTokens.ts';
import { describingFiles } from '../modelFiles.ts';
import type { HubFile } from './names.ts';

const weights = 'model.safetensors';
const index = `${weights}.index.json`;
const isShard = (path: string) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(path);
/** Parts of one GGUF file have the same name but for their number. */
const wholeName = (path: string) => path.replace(/-\d{5}-of-\d{5}\.gguf$/, '.gguf');
/** Most names in a message. */
const mostNames = 20;

/**
 * @param wanted names, in which `*` stands for anything; where there are none, configuration, tokenizer and weights, or
 * the one GGUF file
 * @throws {ProxmoError} `usage` if there is no such file, or several that could be meant; `file` if there is no model
 */
export function chooseFiles(id: string, files: readonly HubFile[], wanted: readonly string[]): HubFile[] {
  if (wanted.length > 0) return filesNamed(id, files, wanted);
  const has = (path: string) => files.some((file) => file.path === path);
  if (has(weights) || has(index)) {
    const isWeights = (path: string) => (has(weights) ? path === weights : path === index || isShard(path));
    return files.filter(({ path }) => describingFiles.includes(path) || isWeights(path));
  }
  const parts = files.filter(({ path }) => path.endsWith('.gguf'));
  const names = [...new Set(parts.map(({ path }) => wholeName(path)))];
  if (names.length === 1) return parts;
  if (names.length > 1) {
    const choices = listed(names.map((name) => name.replace(/\.gguf$/, '*.gguf')));
    throw new ProxmoError('usage', `${id} has several GGUF files; choose one with --file: ${choices}.`);
  }
  throw new ProxmoError(
    'file',
    `${id} has no weights as safetensors or GGUF, but ${listed(files.map(({ path }) => path))}; use another model.`,
  );
}

function filesNamed(id: string, files: readonly HubFile[], wanted: readonly string[]): HubFile[] {
  const chosen = wanted.flatMap((name) => {
    const pattern = new RegExp(`^${name.split('*').map(escapeRegExp).join('.*')}$`, 'su');
    const found = files.filter(({ path }) => pattern.test(path));
    if (found.length > 0) return found;
    const known = listed(files.map(({ path }) => path));
    throw new ProxmoError('usage', `${id} has no file ${name}; it has ${known}.`);
  });
  return [...new Set(chosen)];
}

function listed(names: readonly string[]): string {
  const more = names.length - mostNames;
  return [...names.slice(0, mostNames), ...(more > 0 ? [`${more} more`] : [])].join(', ') || 'no files';
}
