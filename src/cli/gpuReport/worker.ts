/**
 * Works through the items of a part in a process of its own, which a driver may take down, and notes what each came to
 * before the next begins.
 */
import { errorMessage } from '../../base/errors.ts';
import type { GpuContext } from '../../gpu/context.ts';
import type { Part, PartContext } from './parts.ts';
import { isHopeless, type Records } from './records.ts';

export interface WorkOptions {
  readonly version: string;
  readonly records: Records;
  /** No item begins later than after this many seconds. */
  readonly seconds: number;
  readonly onItem: (item: string, done: number, total: number) => void;
}

/** Exit code of a process whose device no longer works: another process may go on. */
export const deviceFailed = 3;

const hopeless = 'It ended the process twice, without a word, or did not end within its time twice.';

/** @returns false if the device no longer works */
export async function workOn(part: Part, gpu: GpuContext, options: WorkOptions): Promise<boolean> {
  const { version, records, seconds, onItem } = options;
  const end = performance.now() + 1000 * seconds;
  const items = part.items(gpu.profile);
  for (const [index, { name, run }] of items.entries()) {
    const state = records.stateOf(part.name, name);
    if (state.kind !== 'open') continue;
    if (performance.now() > end) break;
    if (isHopeless(state)) {
      records.failed(part.name, name, hopeless);
      continue;
    }
    onItem(name, index, items.length);
    records.begin(part.name, name);
    if (!(await workOnItem({ gpu, version, records }, part.name, name, run))) return false;
  }
  return true;
}

/** @returns false if the device no longer works */
async function workOnItem(
  context: PartContext,
  part: string,
  name: string,
  run: (context: PartContext) => Promise<unknown>,
): Promise<boolean> {
  const { gpu, records } = context;
  const start = performance.now();
  let result: unknown;
  try {
    result = await run(context);
    // A device that failed meanwhile has computed nothing that can be trusted.
    await gpu.idle();
  } catch (error) {
    records.failed(part, name, errorMessage(error));
    return gpu.works;
  }
  records.done(part, name, (performance.now() - start) / 1000, result ?? null);
  return true;
}
