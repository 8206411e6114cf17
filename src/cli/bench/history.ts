/** Benches of releases, a dated file each, and the picture of how speed changed between them. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import * as z from 'zod';
import { writeFileAtomic } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { parseJson, readText } from '../../runs/json.ts';
import { colours, drawSvg } from '../study/svg.ts';
import type { BenchOrigin } from './origin.ts';
import type { BenchRow } from './rows.ts';

const historyRow = z.object({
  name: z.string(),
  shape: z.string(),
  variant: z.string(),
  adapter: z.string(),
  ms: z.object({ median: z.number().positive() }),
  noise: z.string().optional(),
  date: z.iso.datetime(),
  proxmo: z.string(),
});
type HistoryRow = z.output<typeof historyRow>;

const picture = 'history.svg';

/** How fast a release does something, beside the first that was measured at it on the same adapter. */
export interface Speed {
  readonly what: string;
  readonly adapter: string;
  readonly release: string;
  readonly date: string;
  /** 2 is twice as fast as the first. */
  readonly speed: number;
}

/**
 * Adds a bench to a folder of them, in place of one of the same day, version and adapter, and draws the picture anew.
 * @returns the file
 * @throws {ProxmoError} `file` if a file of the folder is no bench with dates
 */
export async function addToHistory(dir: string, rows: readonly BenchRow[], origin: BenchOrigin): Promise<string> {
  await mkdir(dir, { recursive: true });
  const adapter = (rows[0]?.adapter ?? '').replace(/[^\w.]+/g, '-').replace(/^-|-$/g, '');
  const path = join(dir, `${origin.date.slice(0, 10)}-${origin.proxmo}-${adapter}.json`);
  const before = await readHistory(dir, path);
  const added = rows.map((row) => ({ ...row, ...origin }));
  await writeFileAtomic(path, [`${JSON.stringify(added, null, 1)}\n`]);
  await writeFileAtomic(join(dir, picture), [historySvg(speeds([...before, ...added]))]);
  return path;
}

async function readHistory(dir: string, except: string): Promise<HistoryRow[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.json')).sort();
  const rows: HistoryRow[] = [];
  for (const path of names.map((name) => join(dir, name)).filter((path) => path !== except))
    rows.push(...parseJson(await readText(path), z.array(historyRow), path, 'take it out of the folder'));
  return rows;
}

/** Workloads alone: kernels are too many to be told apart. Noise is left out. */
export function speeds(rows: readonly HistoryRow[]): Speed[] {
  const first = new Map<string, number>();
  const inTime = rows
    .filter(({ name, noise }) => name.includes('/') && noise === undefined)
    .toSorted((a, b) => a.date.localeCompare(b.date));
  return inTime.map(({ name, shape, variant, adapter, ms, date, proxmo }) => {
    // A ceiling is the best of some shapes, and its variant may change.
    const what = name.startsWith('ceiling/') ? name : `${name} ${shape} ${variant}`;
    const key = JSON.stringify([what, adapter]);
    const base = first.get(key) ?? ms.median;
    first.set(key, base);
    return { what, adapter, release: `${proxmo}, ${date.slice(0, 10)}`, date, speed: base / ms.median };
  });
}

const facetHeight = 220;

/** @throws {ProxmoError} `data` if there is nothing to draw */
export function historySvg(all: readonly Speed[]): string {
  if (all.length === 0)
    throw new ProxmoError(
      'data',
      'There is no workload without noise to draw; measure more by --filter, on a quiet machine.',
    );
  const adapters = [...new Set(all.map(({ adapter }) => adapter))];
  const releases = [...new Set(all.toSorted((a, b) => a.date.localeCompare(b.date)).map(({ release }) => release))];
  return drawSvg('Speed of each release, beside the first that was measured', {
    width: 760,
    height: 60 + facetHeight * adapters.length,
    marginRight: 220,
    marginLeft: 50,
    x: { type: 'point', domain: releases, label: null },
    y: { type: 'log', label: 'times as fast as the first', grid: true, tickFormat: (value: number) => String(value) },
    fy: { domain: adapters, label: null, axis: null },
    marks: [
      Plot.text(adapters, {
        fy: (adapter: string) => adapter,
        text: (adapter: string) => adapter,
        frameAnchor: 'top-left',
        dy: -12,
        fill: colours.ink,
      }),
      Plot.ruleY([1], { stroke: colours.faint }),
      Plot.line(all, { x: 'release', y: 'speed', z: 'what', fy: 'adapter', stroke: colours.blue }),
      Plot.dot(all, { x: 'release', y: 'speed', fy: 'adapter', fill: colours.blue, title: 'what' }),
      Plot.text(lastOf(all), {
        x: 'release',
        y: 'speed',
        fy: 'adapter',
        text: 'what',
        textAnchor: 'start',
        dx: 8,
        fill: colours.muted,
      }),
    ],
  });
}

/** The newest figure of each workload on each adapter. */
function lastOf(all: readonly Speed[]): Speed[] {
  return [...new Map(all.map((speed) => [JSON.stringify([speed.what, speed.adapter]), speed])).values()];
}
