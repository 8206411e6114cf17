/** The runs of the playground: what its worker tells, kept as the page of `proxmo view` knows runs. */
import { computed, signal } from '@preact/signals';
import type { Choice, FromWorker, ToWorker } from '../../playground/messages.ts';
import { addRecords, connection, feed, runs, setProgress } from '../store.ts';
import { unzipped } from '../unzipped.ts';

/** What is kept of a run, for the page and for an export. */
export interface KeptRun {
  readonly config: object;
  readonly records: object[];
  readonly rollouts: Map<number, { readonly index: string; readonly members: readonly Uint8Array<ArrayBuffer>[] }>;
}

export const adapter = signal<string | null>(null);
/** Why nothing can be trained here, or what ended the last run. */
export const problem = signal<string | null>(null);
export const isTraining = computed(() => runs.value.some(({ state }) => state === 'running'));
export const tokensPerSecond = signal<number | null>(null);

const kept = new Map<string, KeptRun>();
let worker: Worker | null = null;
let started = 0;

/** Shows runs as they come, and looks for a GPU. */
export function begin(): void {
  connection.value = 'open';
  feed(textOf);
  openWorker();
}

/** A worker of its own for each run: with it goes what the run holds on the device. */
function openWorker(): void {
  worker?.terminate();
  worker = new Worker(new URL('worker.js', document.baseURI), { type: 'module' });
  worker.addEventListener('message', ({ data }: { readonly data: FromWorker }) => take(data));
  worker.addEventListener('error', () => {
    problem.value = 'The part that trains could not be loaded; load the page again.';
  });
}

export function train(choice: Choice): void {
  problem.value = null;
  tell({ kind: 'train', run: String(started++), choice });
}

export function stop(): void {
  tell({ kind: 'stop' });
}

export function keptRun(id: string): KeptRun | undefined {
  return kept.get(id);
}

function tell(message: ToWorker): void {
  worker?.postMessage(message);
}

function take(message: FromWorker): void {
  switch (message.kind) {
    case 'adapter':
      adapter.value = message.name;
      break;
    case 'problem':
      problem.value = message.text;
      if (message.run !== null) end(message.run, { state: 'failed', problem: message.text });
      break;
    case 'begun':
      kept.set(message.run, { config: message.config, records: [], rollouts: new Map() });
      runs.value = [message.info, ...runs.value];
      break;
    case 'progress':
      setProgress(message.run, message.progress);
      break;
    case 'record': {
      const { run, record } = message;
      kept.get(run)?.records.push(record);
      if (typeof record.tokensPerSecond === 'number') tokensPerSecond.value = record.tokensPerSecond;
      addRecords({ run, isReset: false, records: [record], badLines: 0 });
      break;
    }
    case 'rollout': {
      const { run, iteration, index, members } = message;
      const rollouts = kept.get(run)?.rollouts;
      rollouts?.set(iteration, { index, members });
      change(run, { rollouts: [...(rollouts?.keys() ?? [])] });
      break;
    }
    case 'ended':
      end(message.run, { state: message.state });
      break;
  }
}

function end(id: string, changes: Parameters<typeof change>[1]): void {
  change(id, changes);
  openWorker();
}

function change(id: string, changes: Partial<(typeof runs.value)[number]>): void {
  runs.value = runs.value.map((run) => (run.id === id ? { ...run, ...changes } : run));
}

/** What the server of `proxmo view` would send: `RUN/training/ITERATION`, and below it `rows` or `FROM-TO`. */
async function textOf(address: string): Promise<string | null> {
  const [id = '', split, iteration, part] = address.split('/');
  const rollout = split === 'training' ? kept.get(id)?.rollouts.get(Number(iteration)) : undefined;
  if (!rollout) return null;
  if (part === undefined) return rollout.index;
  const from = Number.parseInt(part, 10);
  let offset = 0;
  const texts: string[] = [];
  for (const member of rollout.members) {
    if (part === 'rows' || offset === from) texts.push(await unzipped(member));
    offset += member.length;
  }
  return texts.length === 0 ? null : texts.join('');
}
