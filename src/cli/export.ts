/** `proxmo export`: the metrics and episodes of a run for other programs. */
import { Command } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { followAsEvents, followAsTable } from '../runs/metricsForms.ts';
import { openRun } from '../runs/run.ts';
import { writeEpisodes } from './export/episodes.ts';
import { standardOutput } from './output.ts';

interface ExportOptions {
  readonly tensorboard?: string;
  readonly csv?: string;
  readonly jsonl?: string;
  readonly heldOut?: boolean;
}

export function exportRunCommand(): Command {
  return new Command('export')
    .description(
      'Write the metrics and episodes of a run for other programs. With the setting logging: [tensorboard, csv] the folder of a run has them as they come.',
    )
    .argument('<run>', 'run folder')
    .option('--tensorboard <dir>', 'event file in a folder that TensorBoard reads: tensorboard --logdir DIR')
    .option('--csv <file>', 'table of comma-separated values, a line for each iteration and evaluation')
    .option(
      '--jsonl <file>',
      'episodes of training that were kept, a JSON object a line with messages, reward and success, as the datasets library reads them',
    )
    .option('--held-out', 'with --jsonl: episodes of evaluations, in place of those of training; without advantages')
    .action(async (dir: string, { tensorboard, csv, jsonl, heldOut = false }: ExportOptions) => {
      if (tensorboard === undefined && csv === undefined && jsonl === undefined)
        throw new ProxmoError(
          'usage',
          'There is nothing to write; name --tensorboard DIR, --csv FILE or --jsonl FILE.',
        );
      if (heldOut && jsonl === undefined)
        throw new ProxmoError('usage', '--held-out is of episodes; name --jsonl FILE too.');
      const run = await openRun(dir);
      if (jsonl !== undefined) {
        const count = await writeEpisodes(run, jsonl, heldOut ? 'held-out' : 'training');
        standardOutput.print(
          `${jsonl}: ${count} ${heldOut ? 'held-out ' : ''}episodes of ${dir}; load_dataset("json", data_files="${jsonl}")`,
        );
      }
      if (tensorboard === undefined && csv === undefined) return;
      const records = await run.readMetrics();
      if (records.length === 0)
        throw new ProxmoError('file', `${dir} has no metrics yet; they come with its first evaluation.`);
      const of = `the metrics of ${dir}, ${records.length} records`;
      if (tensorboard !== undefined) {
        (await followAsEvents(records, tensorboard, Date.parse(run.manifest.started))).close();
        standardOutput.print(`${tensorboard}: ${of}; look at them with: tensorboard --logdir ${tensorboard}`);
      }
      if (csv !== undefined) {
        (await followAsTable(records, csv)).close();
        standardOutput.print(`${csv}: ${of}`);
      }
    });
}
