/** The episodes of a run as JSON Lines, in the conversational form of Hugging Face's libraries. */
import { writeFileAtomic } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import type { TrainConfig } from '../../rl/config.ts';
import type { RecordedEpisode, RecordedGroup, RecordedRow } from '../../rl/credit/record.ts';
import { readGroupRows, readRolloutIndex } from '../../rl/credit/recordedRollouts.node.ts';
import { runConfig } from '../../rl/runConfig.node.ts';
import type { Run } from '../../runs/run.ts';

/**
 * Writes a line for each episode whose turns were kept, by iteration and task.
 * @returns how many
 * @throws {ProxmoError} `file` if no turns were kept, or they are damaged; nothing is written then
 */
export async function writeEpisodes(run: Run, path: string): Promise<number> {
  const config = runConfig(run);
  const iterations = await run.rollouts.iterations();
  let count = 0;
  async function* lines(): AsyncGenerator<string> {
    for (const iteration of iterations) {
      const index = await readRolloutIndex(run, iteration);
      for (const [number, group] of (index?.groups ?? []).entries()) {
        const rows = await readGroupRows(run, index!, number);
        for (const episode of rows === null ? [] : group.episodes) {
          count++;
          yield `${lineOf(config, iteration, group, episode, rows!)}\n`;
        }
      }
    }
    if (count === 0)
      throw new ProxmoError('file', `${run.dir} has kept no episodes (rollouts.keep, or no iteration is done yet).`);
  }
  await writeFileAtomic(path, lines());
  return count;
}

function lineOf(
  { prompt, seed }: TrainConfig,
  iteration: number,
  { id: task, type, instruction }: RecordedGroup,
  episode: RecordedEpisode,
  all: readonly RecordedRow[],
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
    advantages: `[${rows.map(({ advantage }) => float(advantage)).join(',')}]`,
  };
  const figures = Object.entries(numbers).map(([name, text]) => `"${name}":${text}`);
  return `${JSON.stringify(texts).slice(0, -1)},${figures.join(',')}}`;
}

/** What the policy wrote, without the token that ends it. In the `plain` format that is the action. */
function replyOf({ action, reply, cut }: RecordedRow, format: TrainConfig['prompt']['format']): string {
  return format === 'plain' ? action : (cut ? reply : reply.slice(0, -1)).join('');
}

/** A number that is read as a float: a column whose first values look like integers would refuse the others. */
function float(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
