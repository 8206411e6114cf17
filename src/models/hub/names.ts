/** Names of models on the Hugging Face Hub, and of files in them, which are checked before they become paths. */
import { ProxmoError } from '../../base/errors.ts';

/** What a name says: `OWNER/NAME`, with `@REVISION` and `/FILE.gguf` behind it where they are given. */
export interface HubName {
  /** `OWNER/NAME`. */
  readonly id: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** A file of the model, where one is named. */
  readonly file: string | null;
}

/** A file of a model on the hub. */
export interface HubFile {
  /** Its name, with the folders it lies in. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of a large file; null for a small one, which is kept by Git. */
  readonly sha256: string | null;
  /** Git's hash of a small file: SHA-1 of its kind, its size and its content. */
  readonly gitSha1: string;
}

export const defaultRevision = 'main';

const pattern = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*)(?:@([\w.-]+(?:\/[\w.-]+)*?))?(?:\/(.+\.gguf))?$/;

/** The parts of a name; null if it cannot be one. */
export function parseHubName(text: string): HubName | null {
  const [, id, revision = defaultRevision, file = null] = pattern.exec(text) ?? [];
  if (id === undefined || /--|\.\.|\.git$/.test(id) || !isPlainPath(revision)) return null;
  return file !== null && !isPlainPath(file) ? null : { id, revision, file };
}

/** @throws {ProxmoError} `usage` if a text is no name, or no revision */
export function requireHubName(text: string, revision?: string): HubName {
  const name = parseHubName(text);
  if (name === null) {
    throw new ProxmoError('usage', `${text} is not the name of a model on the hub; give it as OWNER/NAME.`);
  }
  if (revision === undefined) return name;
  if (!/^[\w./-]+$/.test(revision) || !isPlainPath(revision)) {
    throw new ProxmoError('usage', `${revision} is not a revision; give a branch, a tag or a commit.`);
  }
  return { ...name, revision };
}

/** Names that Windows gives a meaning of their own. */
const device = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** Whether a path stays within its folder, on every system, and has a name that can be printed. */
export function isPlainPath(path: string): boolean {
  return path.split('/').every((part) => {
    const isOther = part === '' || part === '.' || part === '..' || /[. ]$/.test(part) || device.test(part);
    return !isOther && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\\:*?"<>|]/u.test(part) && part.length <= 255;
  });
}
