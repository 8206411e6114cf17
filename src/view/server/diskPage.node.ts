/**
 * A page that opens from disk: what the server would tell and send, as far as it fits, in one HTML file. Of a large run
 * it has some iterations, spread evenly, and says what it lacks.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { ProxmoError } from '../../base/errors.ts';
import type { PlayedBatch, RolloutSplit } from '../../base/playedBatch.ts';
import { isMixed } from '../../rl/credit/mixed.ts';
import type { PlayedIndex, RecordedGroup, RolloutIndex } from '../../rl/credit/record.ts';
import type { DiskPage, MetricsChange, RunInfo } from '../protocol.ts';
import { MetricsTail } from './metricsTail.node.ts';
import { diskPageHtml } from './pageHtml.node.ts';
import type { RunFolder } from './runFolder.node.ts';
import { textOf } from './server.node.ts';

/** Characters of packed episodes in a page. */
const mostCharacters = 20 << 20;
/** Share of them that evaluations may have, of which the first and the last say the most. */
const heldOutShare = 0.25;
/** Iterations in its curves. */
const mostRecords = 5000;

export interface WrittenPage {
  readonly html: string;
  /** What of which run is not in it, in sentences. */
  readonly leftOut: readonly string[];
}

/**
 * @param most characters of packed episodes, which the runs share
 * @throws {ProxmoError} `file` if one of the folders is no run
 */
export async function writeDiskPage(runs: readonly RunFolder[], most: number = mostCharacters): Promise<WrittenPage> {
  const packs = await Promise.all(runs.map(RunPack.of));
  let left = most;
  // Those with little first: what they leave of their share, the others have.
  const byLength = packs.toSorted((a, b) => a.info.rollouts.length - b.info.rollouts.length);
  for (const [index, pack] of byLength.entries()) {
    await pack.fill(left / (packs.length - index));
    left -= pack.characters;
  }
  const page: DiskPage = {
    time: new Date().toISOString(),
    runs: packs.map(({ info }) => info),
    metrics: packs.map(({ metrics }) => metrics),
    progress: await Promise.all(runs.map(async (run) => ({ run: run.id, progress: await run.progress() }))),
    leftOut: Object.fromEntries(packs.map(({ info, leftOut }) => [info.id, leftOut.join(' ')])),
  };
  const files = Object.assign({}, ...packs.map((pack) => pack.files));
  return {
    html: diskPageHtml(JSON.stringify({ page: await packed(JSON.stringify(page)), files })),
    leftOut: packs.flatMap(({ info, leftOut }) => leftOut.map((sentence) => `${info.name}: ${sentence}`)),
  };
}

/** What of a run is in the page. */
class RunPack {
  metrics!: MetricsChange;
  characters = 0;
  /** Packed, by their addresses. */
  readonly files: Record<string, string> = {};
  readonly leftOut: string[] = [];

  private constructor(
    private readonly run: RunFolder,
    /** As the page is told of it. */
    public info: RunInfo,
  ) {}

  static async of(this: void, run: RunFolder): Promise<RunPack> {
    const info = await run.describe();
    if (info.state === 'waiting')
      throw new ProxmoError('file', `${run.dir} is no run; give the folder that training wrote to.`);
    return new RunPack(run, info);
  }

  /** @param most characters of packed text */
  async fill(most: number): Promise<void> {
    const profile = await this.read('profile');
    if (profile !== null) this.add('profile', await packed(profile));
    // It may be larger than all the rest.
    if (this.info.profile?.hasTrace) this.leftOut.push('The trace of its profile is not in it.');
    const shown = this.info.profile && { ...this.info.profile, hasTrace: false };
    const heldOut = await this.addBatches('held-out', this.info.heldOut, heldOutShare * most);
    const rollouts = await this.addBatches('training', this.info.rollouts, most);
    this.info = { ...this.info, profile: shown, heldOut, rollouts };
    this.metrics = await this.readMetrics();
  }

  /** @returns those iterations that are in the page, rising */
  private async addBatches(split: RolloutSplit, all: readonly number[], most: number): Promise<number[]> {
    const kept: number[] = [];
    for (const iteration of spread(all)) {
      const added = await this.addBatch({ split, iteration }, most, kept.length === 0);
      if (added === 'too large') break;
      if (added) kept.push(iteration);
    }
    const what = split === 'training' ? 'iterations' : 'evaluations';
    if (kept.length < all.length)
      this.leftOut.push(`This page has the episodes of ${kept.length} of ${all.length} ${what}.`);
    return kept.sort((a, b) => a - b);
  }

  /**
   * @param isFirst whether a part is better than nothing
   * @returns whether there is such a batch
   */
  private async addBatch(batch: PlayedBatch, most: number, isFirst: boolean): Promise<boolean | 'too large'> {
    const address = `${batch.split}/${batch.iteration}`;
    const text = await this.read(address);
    if (text === null) return false;
    const index = JSON.parse(text) as PlayedIndex | RolloutIndex;
    const whole = await packed(text);
    const parts = new Map<number, { readonly address: string; readonly rows: string }>();
    let characters = whole.length;
    let isPart = false;
    for (const place of mixedFirst(index.groups)) {
      const { offset, bytes: length } = index.groups[place]!.rows!;
      const part = `${address}/${offset}-${offset + length}`;
      const rows = await this.read(part);
      if (rows === null) return false;
      const packedRows = await packed(rows);
      if (this.characters + characters + packedRows.length > most) {
        if (!isFirst) return 'too large';
        isPart = true;
        break;
      }
      characters += packedRows.length;
      parts.set(place, { address: part, rows: packedRows });
    }
    for (const part of parts.values()) this.add(part.address, part.rows);
    this.add(address, isPart ? await packed(JSON.stringify(withRowsOf(index, new Set(parts.keys())))) : whole);
    if (isPart)
      this.leftOut.push(`Of ${nameOf(batch)} it has the turns of ${parts.size} of ${index.groups.length} tasks.`);
    return true;
  }

  private add(path: string, text: string): void {
    this.files[`${this.run.id}/${path}`] = text;
    this.characters += text.length;
  }

  /** What the server sends for a path; null where there is nothing, or it is damaged, which is told. */
  private async read(path: string): Promise<string | null> {
    try {
      return await textOf(this.run, path.split('/'));
    } catch (error) {
      if (!(error instanceof ProxmoError)) throw error;
      this.leftOut.push(error.message);
      return null;
    }
  }

  private async readMetrics(): Promise<MetricsChange> {
    const nothing = { isReset: true, records: [], badLines: 0 };
    const { records, ...change } = (await new MetricsTail(this.run.files).read()) ?? nothing;
    const iterations = records.filter(({ kind }) => kind === 'train');
    const every = Math.ceil(iterations.length / mostRecords);
    if (every <= 1) return { run: this.run.id, ...change, records };
    const kept = new Set(iterations.filter((_, index) => index % every === 0 || index === iterations.length - 1));
    this.leftOut.push(`Its curves have one of ${every} iterations.`);
    return { run: this.run.id, ...change, records: records.filter((each) => each.kind !== 'train' || kept.has(each)) };
  }
}

async function packed(text: string): Promise<string> {
  return (await promisify(gzip)(text, { level: 9 })).toString('base64');
}

function nameOf({ split, iteration }: PlayedBatch): string {
  return split === 'training' ? `iteration ${iteration}` : `the evaluation after iteration ${iteration}`;
}

/** The last, the first, and then always those in the middle of what lies between. */
function spread(items: readonly number[]): number[] {
  const order = new Set([items.at(-1)!, items[0]!]);
  for (let parts = 2; order.size < items.length; parts *= 2)
    for (let part = 1; part < parts; part += 2) order.add(items[Math.floor((part * (items.length - 1)) / parts)]!);
  return items.length === 0 ? [] : [...order];
}

/** Places of the groups whose rows are kept: first those from which there is something to learn. */
function mixedFirst(groups: readonly RecordedGroup[]): number[] {
  const kept = [...groups.keys()].filter((place) => groups[place]!.rows !== null);
  return kept.sort((a, b) => Number(isMixed(groups[b]!)) - Number(isMixed(groups[a]!)));
}

/** An index as if the rows of some groups alone had been kept. */
function withRowsOf(index: PlayedIndex | RolloutIndex, places: ReadonlySet<number>): PlayedIndex | RolloutIndex {
  const order: number[] = [];
  const groups = index.groups.map((group, place) => {
    if (group.rows === null || !places.has(place)) return { ...group, rows: null };
    const { first, count } = group.rows;
    const rows = { ...group.rows, first: order.length };
    for (let row = first; row < first + count; row++) order.push(row);
    return { ...group, rows };
  });
  if (!('levels' in index)) return { ...index, groups };
  const of = (values: readonly number[]) => order.map((row) => values[row]!);
  const { advantage, episode, step } = index.levels;
  return { ...index, groups, levels: { advantage: of(advantage), episode: of(episode), step: of(step) } };
}
