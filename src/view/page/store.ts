/** What the page knows: runs, their metrics, and rows as they are asked for; from the server, or held by the page. */
import { computed, signal } from '@preact/signals';
import type { PlayedBatch } from '../../base/playedBatch.ts';
import type { PlayedIndex, PlayedRow, RecordedGroup, RecordedRow, RolloutIndex } from '../../rl/credit/record.ts';
import type { ProfileFile } from '../profile/profileFile.ts';
import type { DiskPage, HeldPage, MetricRecord, MetricsChange, ProgressChange, RunInfo } from '../protocol.ts';
import { go, parameter } from './route.ts';
import { unzipped } from './unzipped.ts';

/** `disk`: the page holds all there is. `damaged`: it should, and does not. */
export type Connection = 'connecting' | 'open' | 'lost' | 'disk' | 'damaged';

export const connection = signal<Connection>('connecting');
export const runs = signal<readonly RunInfo[]>([]);
export const metrics = signal<ReadonlyMap<string, readonly MetricRecord[]>>(new Map());
/** What each run does at the moment, or did last. */
const progressOf = signal<ReadonlyMap<string, ProgressChange['progress']>>(new Map());
/** Lines of metrics that are no records, by run. */
export const badLines = signal<ReadonlyMap<string, number>>(new Map());

/** Of a page from disk, what it was told; null where there is a server. */
export const diskPage = signal<DiskPage | null>(null);
/** Gives what the server would send, by its address below `runs/`, where the page has it itself; null for no file. */
let local: ((address: string) => Promise<string | null>) | null = null;

/** Has the page read what there is of runs by a function of its own. */
export function feed(textOf: (address: string) => Promise<string | null>): void {
  local = textOf;
}

/** The run that is looked at: the one in the address, or the first. */
export const run = computed(() => runs.value.find(({ id }) => id === parameter('run')) ?? runs.value[0] ?? null);
export const records = computed(() => metrics.value.get(run.value?.id ?? '') ?? []);
export const progress = computed(() => progressOf.value.get(run.value?.id ?? '') ?? null);

/** Parameters that say what of one run is looked at, taken out of an address. */
const withoutPlace = {
  split: null,
  it: null,
  task: null,
  ep: null,
  step: null,
  kernel: null,
  layer: null,
  phase: null,
};

export function choose(id: string): void {
  go({ run: id === runs.peek()[0]?.id ? null : id, ...withoutPlace });
}

/** Unpacks what the page holds, or begins to listen to the server. */
export function connect(): void {
  const inPage = document.getElementById('held');
  if (inPage) {
    openDiskPage(inPage.textContent).catch(() => {
      connection.value = 'damaged';
    });
  } else listen();
}

function listen(): void {
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
    setProgress(id, now);
  });
  events.addEventListener('metrics', ({ data }) => addRecords(JSON.parse(data)));
  events.addEventListener('ready', () => {
    connection.value = 'open';
  });
  events.addEventListener('error', () => {
    connection.value = 'lost';
  });
}

export function setProgress(id: string, now: ProgressChange['progress']): void {
  progressOf.value = new Map(progressOf.peek()).set(id, now);
}

async function openDiskPage(text: string): Promise<void> {
  const { page, files }: HeldPage = JSON.parse(text);
  const told: DiskPage = JSON.parse(await unpacked(page));
  feed((address) => heldText(files, address));
  progressOf.value = new Map(told.progress.map(({ run: id, progress: last }) => [id, last]));
  for (const change of told.metrics) addRecords(change);
  diskPage.value = told;
  runs.value = told.runs;
  connection.value = 'disk';
}

/** @param text base64 of gzip */
function unpacked(text: string): Promise<string> {
  return unzipped(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
}

/** A file that the page holds. All rows of an iteration are those of its groups. */
async function heldText(files: HeldPage['files'], address: string): Promise<string | null> {
  if (!address.endsWith('/rows')) return files[address] === undefined ? null : unpacked(files[address]);
  const folder = address.slice(0, -'rows'.length);
  const begin = (each: string) => Number.parseInt(each.slice(folder.length), 10);
  const groups = Object.keys(files).filter((each) => each.startsWith(folder));
  const texts = groups.sort((a, b) => begin(a) - begin(b)).map((each) => unpacked(files[each]!));
  return texts.length === 0 ? null : (await Promise.all(texts)).join('');
}

export function addRecords({ run: id, isReset, records: more, badLines: bad }: MetricsChange): void {
  const before = isReset ? [] : (metrics.peek().get(id) ?? []);
  metrics.value = new Map(metrics.peek()).set(id, [...before, ...more]);
  const count = bad + (isReset ? 0 : (badLines.peek().get(id) ?? 0));
  badLines.value = new Map(badLines.peek()).set(id, count);
}

/** A file of a run, by its address below the run's; null where there is none. */
async function textOf(id: string, path: string): Promise<string | null> {
  if (local) return local(`${id}/${path}`);
  const response = await fetch(`runs/${encodeURIComponent(id)}/${path}`).catch(() => {
    throw new Error('The server of this page has ended, so this cannot be read.');
  });
  const text = await response.text();
  if (response.status >= 500) throw new Error(text);
  return response.ok ? text : null;
}

/** Of training with levels, of held-out episodes without. */
export type AnyIndex = PlayedIndex | RolloutIndex;
/** Of training with its credit, of held-out episodes without. */
export type AnyRow = PlayedRow | RecordedRow;

export function hasCredit(row: AnyRow): row is RecordedRow {
  return 'advantage' in row;
}

/** The index of what was played; null where its rows were not kept. */
export async function loadIndex(id: string, { split, iteration }: PlayedBatch): Promise<AnyIndex | null> {
  const text = await textOf(id, `${split}/${iteration}`);
  return text ? (JSON.parse(text) as AnyIndex) : null;
}

/** The rows of a group; null where they were not kept. */
export async function loadGroup(
  id: string,
  { split, iteration }: PlayedBatch,
  place: RecordedGroup['rows'] | undefined,
): Promise<AnyRow[] | null> {
  if (!place) return null;
  const range = `${place.offset}-${place.offset + place.bytes}`;
  return parseRows(await textOf(id, `${split}/${iteration}/${range}`));
}

/** All rows of an iteration; null where they were not kept. */
export async function loadRows(id: string, iteration: number): Promise<RecordedRow[] | null> {
  return parseRows(await textOf(id, `training/${iteration}/rows`)) as RecordedRow[] | null;
}

/** The figures of a run's profile; null where it has none. */
export async function loadProfile(id: string): Promise<ProfileFile | null> {
  const text = await textOf(id, 'profile');
  return text === null ? null : (JSON.parse(text) as ProfileFile);
}

function parseRows(text: string | null): AnyRow[] | null {
  return text === null
    ? null
    : text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as AnyRow);
}
