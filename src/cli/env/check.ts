/** `proxmo env check`: whether an environment keeps its contract. */
import { Command } from 'commander';
import { ProxmoError } from '../../base/errors.ts';
import { printableLine } from '../../base/printable.ts';
import { checkTaskSet } from '../../envs/check.ts';
import { count, positive, wholeNumber } from '../arguments.ts';
import { standardOutput } from '../output.ts';
import { type EnvironmentOptions, withEnvironment, withTaskSet } from './options.ts';

interface CheckOptions extends EnvironmentOptions {
  readonly tasks: number;
  readonly seed: number;
  readonly timeout: number;
  readonly json?: boolean;
}

export function checkCommand(): Command {
  return withEnvironment(new Command('check'))
    .description('Run an environment through its contract, and say in one line each what breaks.')
    .option('--tasks <n>', 'tasks of each split that are played', count, 6)
    .option('--seed <n>', 'seed of tasks and actions', wholeNumber, 1)
    .option('--timeout <seconds>', 'longest wait for an answer', positive, 20)
    .option('--json', 'print the findings as JSON')
    .action(async (name: string, options: CheckOptions) => {
      const { tasks, seed, timeout, json } = options;
      const report = await withTaskSet(name, options, (taskSet) =>
        checkTaskSet(taskSet, { tasks, seed, timeoutSeconds: timeout }),
      );
      if (json) standardOutput.json(report);
      else {
        for (const { check, holds, detail } of report.findings)
          standardOutput.print(`${holds ? 'ok    ' : 'BREAKS'}  ${check.padEnd(18)}  ${printableLine(detail)}`);
      }
      const broken = report.findings.filter(({ holds }) => !holds).length;
      if (broken > 0) {
        throw new ProxmoError(
          'environment',
          `${report.name} breaks ${broken} of ${report.findings.length} checks; see above what and where.`,
        );
      }
    });
}
