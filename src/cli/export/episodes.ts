/** The episodes of a run as JSON Lines, in the conversational form of Hugging Face's libraries. */
import { writeFileAtomic } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import type { RolloutSplit } from '../../base/playedBatch.ts';
import type { TrainConfig } from '../../rl/config.ts';
import type { PlayedIndex, PlayedRow, RecordedEpisode, RecordedGroup, RecordedRow } from '../../rl/credit/record.ts';
import {
  readGroupRows,
  readHeldOutIndex,
  readHeldOutRows,
  readRolloutIndex,
} from '../../rl/credit/recordedRollouts.node.ts';
import { runConfig } from '../../rl/runConfig.node.ts';
import type { Run } from '../../runs/run.ts';

/** A group that was kept. */
interface KeptGroup {
  /** Iterations that were done with it, or before its evaluation. */
  readonly iteration: number;
  readonly group: RecordedGroup;
  /** With credit where they were learned from. */
  readonly rows: readonly (PlayedRow | RecordedRow)[];
}

/**
 * Writes a line for each episode of a split whose turns were kept, by iteration and task.
 * @returns how many
 * @throws {ProxmoError} `file` if no turns were kept, or they are damaged; nothing is written then
 */
export async function writeEpisodes(run: Run, path: string, split: RolloutSplit): Promise<number> {
  const config = runConfig(run);
  let count = 0;
  async function* lines(): AsyncGenerator<string> {
    const all =
      split === 'training'
        ? keptGroups(run, split, readRolloutIndex, readGroupRows)
        : keptGroups(run, split, readHeldOutIndex, readHeldOutRows);
    for await (const kept of all) {
      for (const episode of kept.group.episodes) {
        count++;
        yield `${lineOf(config, kept, episode)}\n`;
      }
    }
    if (count === 0) {
      const [which, end] = split === 'training' ? ['', 'iteration'] : ['held-out ', 'evaluation'];
      throw new ProxmoError(
        'file',
        `${run.dir} has kept no ${which}episodes (rollouts.keep, or no ${end} is done yet).`,
      );
    }
  }
  await writeFileAtomic(path, lines());
  return count;
}

async function* keptGroups<Index extends PlayedIndex>(
  run: Run,
  split: RolloutSplit,
  readIndex: (run: Run, iteration: number) => Promise<Index | null>,
  readRows: (run: Run, index: Index, group: number) => Promise<KeptGroup['rows'] | null>,
): AsyncGenerator<KeptGroup> {
  for (const iteration of await run.rollouts.iterations(split)) {
    const index = await readIndex(run, iteration);
    for (const [place, group] of (index?.groups ?? []).entries()) {
      const rows = await readRows(run, index!, place);
      if (rows) yield { iteration, group, rows };
    }
  }
}

function lineOf(
  { prompt, seed }: TrainConfig,
  { iteration, group: { id: task, type, instruction }, rows: all }: KeptGroup,
  episode: RecordedEpisode,
): string {
  const rows = all.filter(({ trajectory }) => trajectory === episode.id);
  const messages = rows.flatMap((row, index) => [
    { role: 'user', content: index === 0 ? `${instruction}\n\n${row.observation}` : row.observation },
    { role: 'assistant', content: replyOf(row, prompt.format) },
  ]);
  const { id, success } = episode;
  const texts = { messages, task, type, episode: id, iteration, seed, success, valid: rows.map(({ valid }) => valid) };
  const numbers = {
    reward: float(episode.return),
    score: float(episode.score),
    rewards: `[${rows.map(({ reward }) => float(reward)).join(',')}]`,
    ...(rows.every(hasCredit) ? { advantages: `[${rows.map(({ advantage }) => float(advantage)).join(',')}]` } : {}),
  };
  const figures = Object.entries(numbers).map(([name, text]) => `"${name}":${text}`);
  return `${JSON.stringify(texts).slice(0, -1)},${figures.join(',')}}`;
}

function hasCredit(row: PlayedRow | RecordedRow): row is RecordedRow {
  return 'advantage' in row;
}

/** What the policy wrote, without the token that ends it. In the `plain` format that is the action. */
function replyOf({ action, reply, cut }: PlayedRow, format: TrainConfig['prompt']['format']): string {
  return format === 'plain' ? action : (cut ? reply : reply.slice(0, -1)).join('');
}

/** A number that is read as a float: a column whose first values look like integers would refuse the others. */
function float(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
