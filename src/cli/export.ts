/** `proxmo export`: the metrics of a run for other programs. */
import { Command } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { followAsEvents, followAsTable } from '../runs/metricsForms.ts';
import { openRun } from '../runs/run.ts';
import { standardOutput } from './output.ts';

interface ExportOptions {
  readonly tensorboard?: string;
  readonly csv?: string;
}

export function exportRunCommand(): Command {
  return new Command('export')
    .description(
      'Write the metrics of a run for other programs. With the setting logging: [tensorboard, csv] the folder of a run has them as they come.',
    )
    .argument('<run>', 'run folder')
    .option('--tensorboard <dir>', 'event file in a folder that TensorBoard reads: tensorboard --logdir DIR')
    .option('--csv <file>', 'table of comma-separated values, a line for each iteration and evaluation')
    .action(async (dir: string, { tensorboard, csv }: ExportOptions) => {
      if (tensorboard === undefined && csv === undefined)
        throw new ProxmoError('usage', 'There is nothing to write; name --tensorboard DIR or --csv FILE, or both.');
      const run = await openRun(dir);
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
