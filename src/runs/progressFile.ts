/**
 * A small file that says what a process is doing to a run at this moment, for whoever looks on. It is replaced whole,
 * at most once a second, and is gone when the process has ended: one that is still there then is left of a crash.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { temporaryPath } from '../base/atomicFile.node.ts';

/** In milliseconds. */
const interval = 1000;

export class ProgressFile {
  private latest: object | null = null;
  private writtenAt = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly path: string) {
    // What a process that crashed was doing is over.
    remove(path);
  }

  /** Notes a state, with the time. It is written at once, or when a second has passed since the last. */
  write(state: object): void {
    this.latest = { time: new Date().toISOString(), ...state };
    if (this.timer) return;
    const wait = this.writtenAt + interval - performance.now();
    if (wait <= 0) this.flush();
    else this.timer = setTimeout(() => this.flush(), wait).unref();
  }

  /** Takes the file away. */
  end(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.latest = null;
    remove(this.path);
  }

  /** Nothing is flushed to the disk: after a power cut nobody asks for it, and training would wait for the disk. */
  private flush(): void {
    this.timer = undefined;
    if (this.latest === null) return;
    this.writtenAt = performance.now();
    const temporary = temporaryPath(this.path);
    try {
      writeFileSync(temporary, `${JSON.stringify(this.latest)}\n`);
      renameSync(temporary, this.path);
    } catch {
      // A full disk, or on Windows somebody who reads it at this moment: the next state is as good.
      remove(temporary);
    }
    this.latest = null;
  }
}

/** Training does not end by what only an onlooker needs. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}
