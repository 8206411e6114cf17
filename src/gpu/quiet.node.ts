/**
 * Keeps what native code writes to standard error away from the user. Dawn tells of two limits that it lowers, of which
 * nobody can make use, whenever it looks for adapters, and has no switch for that. Node cannot duplicate a file
 * descriptor, so descriptor 2 is closed, takes the null device for the length of one call, and is opened again from the
 * kernel's list of open files. What is written in between by this process is lost, and no other thread may open a file
 * then: this is for the command line, whose process is its own.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';

let isQuiet = false;

/** From here on, native code is kept quiet where that can be done. */
export function keepNativeCodeQuiet(): void {
  isQuiet = true;
}

/** Makes a synchronous call, during which nothing comes out on standard error. */
export function quietly<T>(call: () => T): T {
  const kept = isQuiet ? openAgain(2) : null;
  if (kept === null) return call();
  closeSync(2);
  openSync('/dev/null', 'w');
  try {
    return call();
  } finally {
    closeSync(2);
    openAgain(kept);
    closeSync(kept);
  }
}

/** Another descriptor of the same open file, the lowest that is free; null where there cannot be one. */
function openAgain(descriptor: number): number | null {
  try {
    // On macOS that is a duplicate. On Linux the file is opened once more, from its start where it has one.
    if (process.platform === 'darwin') return openSync(`/dev/fd/${descriptor}`, 'w');
    if (process.platform !== 'linux' || (fstatSync(descriptor).isFile() && !isAppendedTo(descriptor))) return null;
    return openSync(`/proc/self/fd/${descriptor}`, 'a');
  } catch {
    // Sockets cannot be opened, and not everybody may open a terminal again.
    return null;
  }
}

/** Whether all that is written goes to the end of the file, wherever others write. */
function isAppendedTo(descriptor: number): boolean {
  const [, flags = '0'] = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1')) ?? [];
  return (Number.parseInt(flags, 8) & 0o2000) !== 0;
}
