/**
 * Records what a device runs for a program around this one: `proxmo profile -- node script.mjs` names a folder in
 * `PROXMO_PROFILE`, and every device that is opened leaves a file there. A line of JSON each: what the device is, then
 * every run of a program, each dispatch timed.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { ceilingsOf, measureCeilings } from './ceilings.ts';
import type { GpuContext } from './context.ts';
import { type DispatchTiming, Profiler, type ProgramRun } from './profiler.ts';
import type { Ceilings } from './rates.ts';

export const profileVariable = 'PROXMO_PROFILE';

/** The first line of a file. */
export interface RecordedDevice {
  readonly adapter: string;
  readonly timing: DispatchTiming;
  readonly ceilings: Ceilings;
}

/** The other lines: a run, or at the end how many milliseconds all took. */
export type RecordedLine = ProgramRun | { readonly elapsed: number };

/** Text that is kept before it is written: a write for each run would be felt. */
const bufferedCharacters = 2 ** 16;

let devices = 0;

/**
 * Measures the ceilings, then has the device time all that it runs.
 * @throws {ProxmoError} `gpu-error`
 */
export async function recordRuns(gpu: GpuContext, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const file = openSync(join(folder, `${process.pid}-${threadId}-${devices++}.jsonl`), 'wx');
  const ceilings = ceilingsOf(await measureCeilings(gpu));
  let text = '';
  const write = (line: RecordedDevice | RecordedLine) => {
    text += `${JSON.stringify(line)}\n`;
    if (text.length >= bufferedCharacters) flush();
  };
  const flush = () => {
    writeSync(file, text);
    text = '';
  };
  const profiler = new Profiler(gpu, write);
  write({ adapter: gpu.adapter.name, timing: profiler.timing, ceilings });
  gpu.runner = profiler;
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    write({ elapsed: profiler.elapsed });
    flush();
    closeSync(file);
  };
  void gpu.lost.then(() => {
    process.off('exit', end);
    end();
  });
  process.once('exit', end);
}
