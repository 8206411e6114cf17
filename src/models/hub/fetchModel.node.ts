/** Fetching a model from the Hugging Face Hub into the hub's cache: whole files, checked by their hashes. */
import { copyFile, mkdir, rm, statfs, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { exists, writeFileAtomic } from '../../base/atomicFile.node.ts';
import { download, type ExpectedFile } from '../../base/download.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { acquireLock } from '../../base/lock.node.ts';
import { mebibytes } from '../../base/sizes.ts';
import { isSystemError, systemReason } from '../../base/systemErrors.node.ts';
import { commitPattern, repositoryFolder } from './cache.node.ts';
import { chooseFiles } from './chooseFiles.ts';
import { type HubAccess, hubAccess, listHub } from './listing.node.ts';
import type { HubFile, HubName } from './names.ts';

export interface FetchProgress {
  /** The file that comes. */
  readonly path: string;
  /** Bytes of all files that are there, and that there will be. */
  readonly done: number;
  readonly total: number;
}

export interface FetchedModel {
  readonly id: string;
  readonly revision: string;
  readonly commit: string;
  /** Folder of the files. */
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

/**
 * @param wanted names of files, in which `*` stands for anything; by default those that a model needs
 * @throws {ProxmoError} `network` if the hub has no such model or file, or cannot be reached; `file` if the disk is
 * full or cannot be written; `usage` if it has to be said which file is wanted
 */
export async function fetchModel(
  name: HubName,
  wanted: readonly string[] = [],
  onProgress: (progress: FetchProgress) => void = () => {},
): Promise<FetchedModel> {
  const access = hubAccess();
  const { commit, files: listed } = await listHub(name, access);
  const files = chooseFiles(name.id, listed, wanted);
  const repository = repositoryFolder(name.id);
  const folder = join(repository, 'snapshots', commit);
  try {
    await mkdir(join(repository, 'blobs'), { recursive: true });
    const release = acquireLock(join(repository, '.proxmo.lock'), 'model');
    try {
      await checkSpace(repository, files);
      await fetchFiles(name.id, commit, files, access, onProgress);
      // Only when all of them are there, so that a snapshot is whole.
      for (const file of files) await linkFile(repository, folder, file);
      await keepReference(repository, name.revision, commit);
    } finally {
      release();
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new ProxmoError(
      'file',
      `${repository} cannot be written: ${systemReason(error)}; make room there, or name another place in HF_HOME.`,
      { cause: error },
    );
  }
  return { id: name.id, revision: name.revision, commit, folder, files };
}

async function fetchFiles(
  id: string,
  commit: string,
  files: readonly HubFile[],
  { endpoint, token }: HubAccess,
  onProgress: (progress: FetchProgress) => void,
): Promise<void> {
  const total = sizeOf(files);
  let before = 0;
  for (const file of files) {
    const { path, bytes } = file;
    const address = path.split('/').map(encodeURIComponent).join('/');
    const told = before;
    onProgress({ path, done: told, total });
    await download(`${endpoint}/${id}/resolve/${commit}/${address}`, blobPath(repositoryFolder(id), file), {
      expected: expectedOf(file),
      advice: 'run the command again, or use another revision',
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      onProgress: (done) => onProgress({ path, done: told + done, total }),
    });
    before += bytes;
  }
  onProgress({ path: files.at(-1)!.path, done: total, total });
}

function expectedOf({ bytes, sha256, gitSha1 }: HubFile): ExpectedFile {
  return sha256 === null ? { bytes, gitSha1 } : { bytes, sha256 };
}

function blobPath(repository: string, { sha256, gitSha1 }: HubFile): string {
  return join(repository, 'blobs', sha256 ?? gitSha1);
}

function sizeOf(files: readonly HubFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** @throws {ProxmoError} `file` if the disk has no room for what is not there yet */
async function checkSpace(repository: string, files: readonly HubFile[]): Promise<void> {
  const missing: HubFile[] = [];
  for (const file of files) if (!(await exists(blobPath(repository, file)))) missing.push(file);
  const needed = sizeOf(missing);
  const { bavail, bsize, blocks } = await statfs(repository);
  // Some systems do not tell.
  if (blocks === 0 || bavail * bsize >= needed) return;
  throw new ProxmoError(
    'file',
    `${repository} needs ${mebibytes(needed)} MiB, and ${mebibytes(bavail * bsize)} MiB are free there; make room, or name another place in HF_HOME.`,
  );
}

/** Gives a content its name in a snapshot: as a link, or a copy where the system has no links. */
async function linkFile(repository: string, folder: string, file: HubFile): Promise<void> {
  const path = join(folder, file.path);
  const blob = blobPath(repository, file);
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await symlink(relative(dirname(path), blob), path).catch((error: NodeJS.ErrnoException) => {
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(error.code ?? '')) throw error;
    return copyFile(blob, path);
  });
}

/** Notes which commit a branch or tag is. A commit needs no note. */
async function keepReference(repository: string, revision: string, commit: string): Promise<void> {
  if (commitPattern.test(revision)) return;
  const path = join(repository, 'refs', revision);
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, [commit]);
}
