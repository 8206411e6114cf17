/** What the page knows: runs, their metrics, and rows as they are asked for; from the server, or held by the page. */
import { computed, signal } from '@preact/signals';
import type { RecordedRow, RolloutIndex } from '../../rl/credit/record.ts';
import type { EmbeddedRun, MetricRecord, MetricsChange, RunInfo } from '../protocol.ts';
import { go, parameter } from './route.ts';

/** `disk`: the page holds all there is. */
export type Connection = 'connecting' | 'open' | 'lost' | 'disk';

export const connection = signal<Connection>('connecting');
export const runs = signal<readonly RunInfo[]>([]);
export const metrics = signal<ReadonlyMap<string, readonly MetricRecord[]>>(new Map());
/** Lines of metrics that are no records, by run. */
export const badLines = signal<ReadonlyMap<string, number>>(new Map());

let embedded: readonly EmbeddedRun[] | null = null;

/** The run that is looked at: the one in the address, or the first. */
export const run = computed(() => runs.value.find(({ id }) => id === parameter('run')) ?? runs.value[0] ?? null);
export const records = computed(() => metrics.value.get(run.value?.id ?? '') ?? []);

export function choose(id: string): void {
  go({ run: id === runs.peek()[0]?.id ? null : id, it: null, task: null, ep: null, step: null });
}

/** Begins to listen to the server, or unpacks what the page holds. */
export async function connect(): Promise<void> {
  const inPage = document.getElementById('data');
  if (inPage) return unpack(inPage.textContent ?? '');
  const events = new EventSource('events');
  events.addEventListener('open', () => {
    // The server begins from the beginning.
    metrics.value = new Map();
    badLines.value = new Map();
  });
  events.addEventListener('runs', ({ data }) => {
    runs.value = JSON.parse(data);
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

/** base64 of gzip of JSON. */
async function unpack(text: string): Promise<void> {
  const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  const found: EmbeddedRun[] = await new Response(stream).json();
  embedded = found;
  runs.value = found.map(({ info }) => info);
  for (const { metrics: change } of found) add(change);
  connection.value = 'disk';
}

/** A file of a run, by its address below the run's; null where there is none. */
async function textOf(id: string, path: string): Promise<string | null> {
  const response = await fetch(`runs/${encodeURIComponent(id)}/${path}`);
  const text = await response.text();
  if (response.status >= 500) throw new Error(text);
  return response.ok ? text : null;
}

const inPage = (id: string) => embedded?.find(({ info }) => info.id === id);

/** The index of an iteration; null where its rows were not kept. */
export async function loadIndex(id: string, iteration: number): Promise<RolloutIndex | null> {
  const text = embedded ? inPage(id)?.rollouts[iteration]?.index : await textOf(id, `rollouts/${iteration}`);
  return text ? (JSON.parse(text) as RolloutIndex) : null;
}

/** The rows of a group; null where they were not kept. */
export async function loadGroup(id: string, index: RolloutIndex, group: number): Promise<RecordedRow[] | null> {
  const place = index.groups[group]?.rows;
  if (!place) return null;
  if (embedded) return (await loadRows(id, index.iteration))?.slice(place.first, place.first + place.count) ?? null;
  const range = `${place.offset}-${place.offset + place.bytes}`;
  return parseRows(await textOf(id, `rollouts/${index.iteration}/${range}`));
}

/** All rows of an iteration; null where they were not kept. */
export async function loadRows(id: string, iteration: number): Promise<RecordedRow[] | null> {
  return parseRows(
    embedded ? (inPage(id)?.rollouts[iteration]?.rows ?? null) : await textOf(id, `rollouts/${iteration}/rows`),
  );
}

function parseRows(text: string | null): RecordedRow[] | null {
  return text === null
    ? null
    : text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as RecordedRow);
}
