/** What the page knows: runs, their metrics, and rows as they are asked for. */
import { computed, signal } from '@preact/signals';
import type { RecordedRow, RolloutIndex } from '../../rl/credit/record.ts';
import type { ProfileFile } from '../profile/profileFile.ts';
import type { MetricRecord, MetricsChange, ProgressChange, RunInfo } from '../protocol.ts';
import { go, parameter } from './route.ts';

export type Connection = 'connecting' | 'open' | 'lost';

export const connection = signal<Connection>('connecting');
export const runs = signal<readonly RunInfo[]>([]);
export const metrics = signal<ReadonlyMap<string, readonly MetricRecord[]>>(new Map());
/** What each run does at the moment, or did last. */
const progressOf = signal<ReadonlyMap<string, ProgressChange['progress']>>(new Map());
/** Lines of metrics that are no records, by run. */
export const badLines = signal<ReadonlyMap<string, number>>(new Map());

/** The run that is looked at: the one in the address, or the first. */
export const run = computed(() => runs.value.find(({ id }) => id === parameter('run')) ?? runs.value[0] ?? null);
export const records = computed(() => metrics.value.get(run.value?.id ?? '') ?? []);
export const progress = computed(() => progressOf.value.get(run.value?.id ?? '') ?? null);

/** Parameters that say what of one run is looked at, taken out of an address. */
const withoutPlace = { it: null, task: null, ep: null, step: null, kernel: null, layer: null, phase: null };

export function choose(id: string): void {
  go({ run: id === runs.peek()[0]?.id ? null : id, ...withoutPlace });
}

/** Begins to listen to the server. */
export function connect(): void {
  const events = new EventSource('events');
  events.addEventListener('open', () => {
    // The server begins from the beginning.
    metrics.value = new Map();
    badLines.value = new Map();
  });
  events.addEventListener('runs', ({ data }) => {
    runs.value = JSON.parse(data);
  });
  events.addEventListener('progress', ({ data }) => {
    const { run: id, progress: now }: ProgressChange = JSON.parse(data);
    progressOf.value = new Map(progressOf.peek()).set(id, now);
  });
  events.addEventListener('metrics', ({ data }) => add(JSON.parse(data)));
  events.addEventListener('ready', () => {
    connection.value = 'open';
  });
  events.addEventListener('error', () => {
    connection.value = 'lost';
  });
}

function add({ run: id, isReset, records: more, badLines: bad }: MetricsChange): void {
  const before = isReset ? [] : (metrics.peek().get(id) ?? []);
  metrics.value = new Map(metrics.peek()).set(id, [...before, ...more]);
  const count = bad + (isReset ? 0 : (badLines.peek().get(id) ?? 0));
  badLines.value = new Map(badLines.peek()).set(id, count);
}

/** A file of a run, by its address below the run's; null where there is none. */
async function textOf(id: string, path: string): Promise<string | null> {
  const response = await fetch(`runs/${encodeURIComponent(id)}/${path}`).catch(() => {
    throw new Error('The server of this page has ended, so this cannot be read.');
  });
  const text = await response.text();
  if (response.status >= 500) throw new Error(text);
  return response.ok ? text : null;
}

/** The index of an iteration; null where its rows were not kept. */
export async function loadIndex(id: string, iteration: number): Promise<RolloutIndex | null> {
  const text = await textOf(id, `rollouts/${iteration}`);
  return text ? (JSON.parse(text) as RolloutIndex) : null;
}

/** The rows of a group; null where they were not kept. */
export async function loadGroup(id: string, index: RolloutIndex, group: number): Promise<RecordedRow[] | null> {
  const place = index.groups[group]?.rows;
  if (!place) return null;
  const range = `${place.offset}-${place.offset + place.bytes}`;
  return parseRows(await textOf(id, `rollouts/${index.iteration}/${range}`));
}

/** All rows of an iteration; null where they were not kept. */
export async function loadRows(id: string, iteration: number): Promise<RecordedRow[] | null> {
  return parseRows(await textOf(id, `rollouts/${iteration}/rows`));
}

/** The figures of a run's profile; null where it has none. */
export async function loadProfile(id: string): Promise<ProfileFile | null> {
  const text = await textOf(id, 'profile');
  return text === null ? null : (JSON.parse(text) as ProfileFile);
}

function parseRows(text: string | null): RecordedRow[] | null {
  return text === null
    ? null
    : text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as RecordedRow);
}
