/** What `proxmo why` explains: found in a run folder, or refused with what there is in its place. */
import { ProxmoError } from '../../base/errors.ts';
import { resolveAdvantageOptions } from '../../rl/advantages/index.ts';
import { explain } from '../../rl/credit/explain.ts';
import { isMixed } from '../../rl/credit/mixed.ts';
import type { RecordedEpisode, RolloutIndex } from '../../rl/credit/record.ts';
import { readGroupRows, readKeptRows, readRolloutIndex } from '../../rl/credit/recordedRollouts.node.ts';
import { runConfig } from '../../rl/runConfig.node.ts';
import type { Run } from '../../runs/run.ts';

/** An episode whose steps are explained. */
export async function explainEpisode(run: Run, index: RolloutIndex, number: number) {
  const { group, episode } = episodeOf(run, index, number);
  const rows = await readGroupRows(run, index, group);
  if (rows === null) {
    const kept = numberedEpisodes(index).filter((each) => index.groups[each.group]!.rows !== null);
    const choice = kept.length === 0 ? '' : `; choose one of ${spans(kept.map((each) => each.number))}`;
    throw new ProxmoError(
      'usage',
      `The rows of episode ${number} were not kept, since ${run.dir} kept a sample (rollouts.keep)${choice}.`,
    );
  }
  const settings = resolveAdvantageOptions(runConfig(run).advantages);
  const own = rows.filter(({ trajectory }) => trajectory === episode.id);
  return {
    number,
    group: index.groups[group]!,
    episode,
    steps: own.map((row) => ({ row, explanation: explain(row, rows, settings) })),
  };
}

export type ToldEpisode = Awaited<ReturnType<typeof explainEpisode>>;
export type ToldStep = ToldEpisode['steps'][number];

export function stepOf(steps: ToldEpisode['steps'], step: number, episode: number) {
  const told = steps[step - 1];
  if (told) return told;
  throw new ProxmoError('usage', `Episode ${episode} has ${steps.length} steps; give --step as 1 to ${steps.length}.`);
}

/** The episodes of an iteration, numbered from 1, with their groups. */
export function numberedEpisodes(
  index: RolloutIndex,
): { readonly number: number; readonly group: number; readonly episode: RecordedEpisode }[] {
  return index.groups
    .flatMap(({ episodes }, group) => episodes.map((episode) => ({ group, episode })))
    .map((each, place) => ({ ...each, number: place + 1 }));
}

function episodeOf(run: Run, index: RolloutIndex, number: number) {
  const episodes = numberedEpisodes(index);
  const found = episodes[number - 1];
  if (found) return found;
  throw new ProxmoError(
    'usage',
    `Iteration ${index.iteration} of ${run.dir} has ${episodes.length} episodes; give --episode as 1 to ${episodes.length}.`,
  );
}

/** An iteration that is explained. */
export interface ChosenIteration {
  readonly index: RolloutIndex;
  /** The newest that was kept, where it is another one and nobody named an iteration; else null. */
  readonly newest: number | null;
}

/**
 * The iteration that was named. Without a name the last that has something to compare: episodes of a task that earned
 * differently, whose rows were kept; or else the newest.
 * @throws {ProxmoError} `usage`, with what there is, if it was not kept
 */
export async function chosenIteration(run: Run, named: number | undefined): Promise<ChosenIteration> {
  const kept = await run.rollouts.iterations();
  const index = await keptIndex(run, kept, named ?? kept.at(-1));
  if (named !== undefined || isCompared(index)) return { index, newest: null };
  for (const iteration of kept.slice(0, -1).reverse()) {
    const earlier = await readRolloutIndex(run, iteration);
    if (earlier && isCompared(earlier)) return { index: earlier, newest: index.iteration };
  }
  return { index, newest: null };
}

/**
 * The index of an iteration.
 * @param kept those that there are
 * @throws {ProxmoError} `usage`, with what there is, if it was not kept, or none was
 */
export async function keptIndex(
  run: Run,
  kept: readonly number[],
  iteration: number | undefined,
): Promise<RolloutIndex> {
  const index = iteration === undefined ? null : await readRolloutIndex(run, iteration);
  if (index) return index;
  const done = (await run.readMetrics()).filter(({ kind }) => kind === 'train').at(-1)?.iteration ?? 0;
  throw new ProxmoError('usage', await whyNotKept(run, kept, iteration, done));
}

function isCompared({ groups }: RolloutIndex): boolean {
  return groups.some((group) => group.rows !== null && isMixed(group));
}

/** How many turns of each episode were malformed, by its id; episodes whose rows were not kept are left out. */
export async function malformedTurns(run: Run, index: RolloutIndex): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { trajectory, valid } of await readKeptRows(run, index))
    counts.set(trajectory, (counts.get(trajectory) ?? 0) + (valid ? 0 : 1));
  return counts;
}

async function whyNotKept(
  run: Run,
  kept: readonly number[],
  wanted: number | undefined,
  done: number,
): Promise<string> {
  const { dir } = run;
  if (done === 0) return `${dir} has done no iteration yet, so there is nothing to explain; wait for the first.`;
  if (wanted !== undefined && wanted > done)
    return `${dir} has done ${done} iterations; give --iteration as 1 to ${done}.`;
  const goOn = `go on with proxmo train --resume ${dir}`;
  if (kept.length === 0 && (await run.rollouts.hasEarlierForm()))
    return `${dir} was trained by a version of proxmo that did not write down what advantages consist of; ${goOn} --iterations +1 to explain what comes, or train again.`;
  if (kept.length === 0)
    return `${dir} keeps no rows (rollouts.keep is none); ${goOn} --set rollouts.keep=all to explain what comes.`;
  return `${dir} has no rows of iteration ${wanted}; it kept those of ${spans(kept)} (rollouts.keep, rollouts.every).`;
}

/** Rising whole numbers in words, as `1 to 8, 17 to 24`. */
function spans(numbers: readonly number[]): string {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`)).join(', ');
}
