/**
 * The cache of the Hugging Face Hub, in its own layout, so that what one program has fetched is there for all:
 *
 *   models--OWNER--NAME/blobs/HASH               contents, by SHA-256 or, for small files, by Git's hash
 *   models--OWNER--NAME/snapshots/COMMIT/PATH    links to the contents, by their names
 *   models--OWNER--NAME/refs/REVISION            the commit that a branch or tag was when it was fetched
 */
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { exists } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { readTextOrNull } from '../../base/wholeFile.node.ts';
import { type HubName, parseHubName } from './names.ts';

/** Where the hub's programs keep what they have fetched. */
export function hubCache(env: NodeJS.ProcessEnv = process.env): string {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  return env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub');
}

/** Folder of a model in the cache. */
export function repositoryFolder(id: string): string {
  return join(hubCache(), `models--${id.replace('/', '--')}`);
}

export const commitPattern = /^[0-9a-f]{40}$/;

/** Parts of a GGUF file behind its first. */
const laterPart = /-(?!00001)\d{5}-of-\d{5}\.gguf$/;

/** GGUF files among names, each by its first part. */
export function ggufFiles(names: readonly string[]): string[] {
  return names.filter((name) => name.endsWith('.gguf') && !laterPart.test(name)).sort();
}

/**
 * The path of a model that is given by its path or, where there is none, by its name on the hub: the folder or file in
 * the hub's cache. What cannot be a name is returned as it is.
 * @throws {ProxmoError} `file` if the model is not in the cache; the message has the command that fetches it
 */
export async function locateModel(model: string): Promise<string> {
  if (await exists(model)) return model;
  const name = parseHubName(model);
  if (name === null) return model;
  const snapshot = await snapshotOf(name);
  if (snapshot === null) {
    throw new ProxmoError(
      'file',
      `There is no file or folder ${model}, and no model of that name in ${hubCache()}; check the path, or fetch it from the hub: ${fetchCommand(name)}`,
    );
  }
  return modelIn(snapshot, name);
}

/** The command that gets a model. */
function fetchCommand({ id, revision, file }: HubName): string {
  const options = [
    ...(revision === 'main' ? [] : ['--revision', revision]),
    ...(file === null ? [] : ['--file', file]),
  ];
  return ['proxmo model fetch', id, ...options].join(' ');
}

/** Folder of the commit that a name stands for; null if it was not fetched. */
async function snapshotOf({ id, revision }: HubName): Promise<string | null> {
  const folder = repositoryFolder(id);
  const commit = commitPattern.test(revision)
    ? revision
    : (await readTextOrNull(join(folder, 'refs', revision)))?.trim();
  if (commit === undefined || !commitPattern.test(commit)) return null;
  const snapshot = join(folder, 'snapshots', commit);
  return (await exists(snapshot)) ? snapshot : null;
}

/** The model in a snapshot: a folder with safetensors, or a GGUF file. */
async function modelIn(snapshot: string, name: HubName): Promise<string> {
  const { id, file } = name;
  const names = await readdir(snapshot, { recursive: true });
  const isFolder = names.includes('config.json') && names.some((each) => each.endsWith('.safetensors'));
  if (file === null && isFolder) return snapshot;
  const files = ggufFiles(names.map((each) => each.replaceAll('\\', '/')));
  const [only, another] = file === null ? files : files.filter((each) => each === file);
  if (only !== undefined && another === undefined) return join(snapshot, only);
  if (only !== undefined) {
    throw new ProxmoError(
      'file',
      `${id} has ${files.length} GGUF files in the hub's cache; name one of them, as ${id}/${only} (also ${files.slice(1).join(', ')}).`,
    );
  }
  const what = file === null ? 'no whole model' : `no ${file}`;
  throw new ProxmoError('file', `${snapshot} has ${what} of ${id}; fetch it: ${fetchCommand(name)}`);
}
