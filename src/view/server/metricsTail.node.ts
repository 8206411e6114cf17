/** Follows a run's metrics while they grow. */
import type { FileHandle } from 'node:fs/promises';
import type { GuardedFolder } from '../../base/guardedFolder.node.ts';
import { parseRecord } from '../../runs/metrics.ts';
import { runFiles } from '../../runs/run.ts';
import type { MetricsChange } from '../protocol.ts';

type Change = Omit<MetricsChange, 'run'>;

/** Bytes before the place that was read to, by which a file that was cut and written on is told. */
const memory = 256;
const chunk = 1 << 20;
const newline = 10;

export class MetricsTail {
  private end = 0;
  private last = Buffer.alloc(0);

  constructor(private readonly folder: GuardedFolder) {}

  /** What was added since the last call; null where nothing was. A last line without its end is left for later. */
  async read(): Promise<Change | null> {
    const file = await this.folder.open(runFiles.metrics);
    if (!file) return this.end > 0 ? this.restart([]) : null;
    try {
      const { size } = file.stats;
      const goesOn = size >= this.end && (await this.isSame(file.handle));
      if (goesOn && size === this.end) return null;
      if (goesOn) {
        const isFirst = this.end === 0;
        return this.take(await this.readLines(file.handle, size), isFirst);
      }
      return this.restart(await this.readFrom(file.handle, size));
    } finally {
      await file.handle.close();
    }
  }

  private async readFrom(handle: FileHandle, size: number): Promise<Buffer[]> {
    this.end = 0;
    this.last = Buffer.alloc(0);
    return this.readLines(handle, size);
  }

  private restart(lines: readonly Buffer[]): Change {
    if (lines.length === 0) [this.end, this.last] = [0, Buffer.alloc(0)];
    return this.take(lines, true) ?? { isReset: true, records: [], badLines: 0 };
  }

  /** Whether what was read last still stands there. */
  private async isSame(handle: FileHandle): Promise<boolean> {
    const { last } = this;
    const now = Buffer.alloc(last.length);
    await handle.read(now, 0, last.length, this.end - last.length);
    return now.equals(last);
  }

  /** Whole lines from where reading ended. */
  private async readLines(handle: FileHandle, size: number): Promise<Buffer[]> {
    const pieces: Buffer[] = [];
    for (let at = this.end; at < size; ) {
      const piece = Buffer.alloc(Math.min(chunk, size - at));
      const { bytesRead } = await handle.read(piece, 0, piece.length, at);
      if (bytesRead === 0) break;
      pieces.push(piece.subarray(0, bytesRead));
      at += bytesRead;
    }
    const bytes = Buffer.concat(pieces);
    const lines: Buffer[] = [];
    let start = 0;
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, start)) {
      lines.push(bytes.subarray(start, at));
      start = at + 1;
    }
    this.end += start;
    if (start > 0) this.last = Buffer.from(bytes.subarray(Math.max(0, start - memory), start));
    return lines;
  }

  private take(lines: readonly Buffer[], isReset: boolean): Change | null {
    if (lines.length === 0) return null;
    const records = lines.map((line) => parseRecord(line.toString('utf8')));
    const whole = records.filter((record) => record !== null);
    return { isReset, records: whole, badLines: lines.length - whole.length };
  }
}
