/** How far a download, or what is done with its files, has come, in words. */
import { duration } from './table.ts';

interface Progress {
  readonly phase: string;
  readonly done: number;
  /** Null where nobody knows. */
  readonly total: number | null;
}

/** How fast a phase goes on. */
export class Pace {
  private phase = '';
  private began = 0;
  private first = 0;

  /** Units a second, of what was done in this run of the command. */
  of({ phase, done }: Progress): number {
    const now = performance.now();
    if (phase !== this.phase) [this.phase, this.began, this.first] = [phase, now, done];
    return now > this.began ? (1000 * (done - this.first)) / (now - this.began) : 0;
  }
}

/** @param file what comes, where there are several */
export function describeDownload(progress: Progress, pace: Pace, file = ''): string {
  const { phase, done, total } = progress;
  const perSecond = pace.of(progress);
  return line([
    `${phase} ${megabytes(done)}${total === null ? '' : ` of ${megabytes(total)}`} MB`,
    share(progress),
    perSecond > 0 ? `${megabytes(perSecond)} MB/s` : '',
    perSecond > 0 && total !== null ? `${duration((total - done) / perSecond)} left` : '',
    file,
  ]);
}

export function describeSteps(progress: Progress): string {
  const { phase, done, total } = progress;
  return line([`${phase} ${done}${total === null ? '' : ` of ${total}`} files`, share(progress)]);
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function share({ done, total }: Progress): string {
  return total === null || total === 0 ? '' : `${Math.floor((100 * done) / total)} %`;
}

function line(parts: readonly string[]): string {
  return parts.filter(Boolean).join(' | ');
}
