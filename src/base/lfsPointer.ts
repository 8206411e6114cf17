/**
 * Pointers of Git LFS. A clone that did not fetch its large files has a short text in the place of each, which every
 * reader would call damaged.
 */
import { ProxmoError } from './errors.ts';

const firstLine = 'version https://git-lfs.github.com/spec/v1';

/**
 * @param start beginning of a file, as text or bytes
 * @throws {ProxmoError} `file` if the file is a pointer; `where` names it in the message
 */
export function refuseLfsPointer(start: string | Uint8Array, where: string): void {
  const text =
    typeof start === 'string' ? start : new TextDecoder('latin1').decode(start.subarray(0, firstLine.length));
  if (!text.startsWith(firstLine)) return;
  throw new ProxmoError(
    'file',
    `${where} is a pointer of Git LFS, not the file itself; run \`git lfs pull\` in its folder, or fetch the file anew.`,
  );
}
