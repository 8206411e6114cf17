/** What the operating system refuses, in words. */

/** By the names of Node's `error.code`. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EBADF: 'it is closed',
  EBUSY: 'it is in use',
  EDQUOT: 'the quota of disk space is used up',
  EEXIST: 'there is something of that name already',
  EFBIG: 'the file would be too large',
  EIO: 'the device failed',
  EISDIR: 'it is a folder, not a file',
  ELOOP: 'it is a link that leads back to itself',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENFILE: 'too many files are open on this machine',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'no space is left there',
  ENOTDIR: 'a part of the path is a file, not a folder',
  ENOTEMPTY: 'the folder is not empty',
  EPERM: 'that is not allowed',
  EPIPE: 'the reader has ended',
  EROFS: 'it can only be read',
  ETXTBSY: 'the program is running',
  EXDEV: 'it lies on another disk',
  Z_BUF_ERROR: 'the compressed data ends too early',
  Z_DATA_ERROR: 'the compressed data is damaged',
};

/** Why the operating system refused something, for example `there is no such file or folder (ENOENT)`. */
export function systemReason(error: unknown): string {
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { code: '', message: error };
  const reason = reasons[code ?? ''];
  return reason === undefined ? `${code || message}` : `${reason} (${code})`;
}

/** Whether an error is the operating system's, as when a disk is full. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** An error of the system with the path that a person knows: in place of a temporary one, or where it has none. */
export function aboutPath(error: unknown, path: string): unknown {
  return error instanceof Error && 'code' in error && error.name !== 'ProxmoError'
    ? Object.assign(error, { path })
    : error;
}
