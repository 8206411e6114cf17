/**
 * `proxmo env replay`: recorded sessions of the original environments, compared with the ones here, character for
 * character.
 */
import { Command } from 'commander';
import { ProxmoError } from '../../base/errors.ts';
import { replayTranscripts } from '../../envs/alfworld/replay.node.ts';
import type { ReplayReport } from '../../envs/replay.ts';
import { replayQueries, replaySessions } from '../../envs/webshop/replay.node.ts';
import { isPlainObject } from '../../runs/json.ts';
import { standardOutput } from '../output.ts';
import { readJsonLines } from './jsonLines.ts';

interface ReplayOptions {
  readonly data: string;
  readonly json?: boolean;
}

interface RecordFormat {
  readonly name: string;
  /** Keys that a record of this format has, and no other's. */
  readonly keys: readonly string[];
  replay(records: AsyncIterable<unknown>, dir: string): Promise<ReplayReport>;
}

const formats: readonly RecordFormat[] = [
  { name: 'ALFWorld transcripts', keys: ['gamefile', 'steps'], replay: replayTranscripts },
  { name: 'WebShop sessions', keys: ['goal', 'initial', 'steps'], replay: replaySessions },
  { name: 'WebShop searches', keys: ['query', 'hits'], replay: replayQueries },
];

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'Replay recorded sessions (ALFWorld transcripts, WebShop sessions or searches, as JSON lines, plain or gzipped) and compare.',
    )
    .argument('<file>', 'the records')
    .requiredOption('--data <dir>', 'folder of the games or of the catalogue that they were recorded with')
    .option('--json', 'print the result as JSON')
    .action(async (file: string, { data, json }: ReplayOptions) => {
      const records = readJsonLines(file);
      const first = await records.next();
      if (first.done) throw new ProxmoError('data', `${file} holds no record; give a file of JSON lines.`);
      const format = formatOf(first.value, file);
      const report = await format.replay(joined(first.value, records), data);
      if (report.steps === 0)
        throw new ProxmoError('data', `${file} holds no step to compare; give a file with recorded steps.`);
      if (json) standardOutput.json({ format: format.name, ...report });
      else standardOutput.print(describe(format, report));
      if (report.equal < report.steps) {
        throw new ProxmoError(
          'environment',
          `${report.steps - report.equal} of ${report.steps} steps differ from the record ${file}.`,
        );
      }
    });
}

function formatOf(record: unknown, file: string): RecordFormat {
  const keys = isPlainObject(record) ? Object.keys(record) : [];
  const format = formats.find((candidate) => candidate.keys.every((key) => keys.includes(key)));
  if (format) return format;
  const known = formats.map(({ name, keys: wanted }) => `${name} (${wanted.join(', ')})`).join('; ');
  throw new ProxmoError(
    'data',
    `${file}: the first record has the keys ${keys.join(', ') || 'of nothing known'}; known records are ${known}.`,
  );
}

async function* joined(first: unknown, rest: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  yield first;
  yield* rest;
}

function describe(format: RecordFormat, { steps, equal, firstDifference }: ReplayReport): string {
  const lines = [`${format.name}: ${equal} of ${steps} steps equal`];
  if (firstDifference) {
    const { session, step, field, expected, actual } = firstDifference;
    const at = firstUnequal(expected, actual);
    lines.push(
      `first difference: ${session}, step ${step}, ${field}, from character ${at}`,
      `  expected: ${around(expected, at)}`,
      `  actual:   ${around(actual, at)}`,
    );
  }
  return lines.join('\n');
}

function firstUnequal(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/** The part of a text around a place, on one line. */
function around(text: string, at: number): string {
  const [before, after] = [40, 120];
  const [start, end] = [Math.max(0, at - before), Math.min(text.length, at + after)];
  return `${start > 0 ? '…' : ''}${JSON.stringify(text.slice(start, end))}${end < text.length ? '…' : ''}`;
}
