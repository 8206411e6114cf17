/** `proxmo advantages`: advantages of rollout rows in a file, for other training frameworks. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { textOfInput } from '../base/wholeFile.node.ts';
import { isModulePath } from '../envs/module.node.ts';
import { openDevice } from '../gpu/device.node.ts';
import { type AdvantageOptions, advantagesOfJsonl } from '../rl/advantages/index.ts';
import { estimatorNames } from '../rl/advantages/optionShapes.ts';
import { ownEstimators } from '../rl/own/estimator.ts';
import { loadOwnModule } from '../rl/own/modules.node.ts';
import { assignedValues } from '../runs/assignments.ts';
import { Engine } from '../tensor/engine.ts';
import { adapterOption, repeatedOption } from './arguments.ts';
import { standardOutput } from './output.ts';
import { formatTable } from './table.ts';

interface AdvantagesOptions {
  readonly estimator: string;
  readonly preset: string;
  readonly set: readonly string[];
  readonly adapter?: string;
  readonly json?: boolean;
}

export function advantagesCommand(): Command {
  return new Command('advantages')
    .description(
      'Estimate the advantages of rollout rows: one JSON object a line with group, trajectory, step, reward, success, valid and observation.',
    )
    .argument('<rows>', 'JSON Lines file, or - for standard input')
    .addOption(
      new Option(
        '--estimator <name>',
        `${estimatorNames.join(', ')}, or the path of a module of your own (docs/own.md)`,
      ).default('proxmo'),
    )
    .addOption(
      new Option('--preset <name>', "the paper's definitions, or the official implementation's")
        .choices(['paper', 'reference'])
        .default('paper'),
    )
    .addOption(repeatedOption('--set <key=value>', 'an option of the estimator, as temperature=0.2 or psc=false'))
    .addOption(adapterOption())
    .option('--json', 'print a JSON array with one {episode, step, advantage} a row, in input order')
    .action(async (path: string, options: AdvantagesOptions) => {
      const text = await textOfInput(path, 'give a file of rollout rows as JSON Lines');
      let opened: Engine | null = null;
      const engine = async () => {
        opened = new Engine(await openDevice(options.adapter));
        return opened;
      };
      try {
        const settings = await settingsOf(options);
        const records = await advantagesOfJsonl(text, settings, engine, path === '-' ? 'Standard input' : path);
        if (options.json) standardOutput.print(JSON.stringify(records));
        else {
          const rows = records.map(({ episode, step, advantage }, row) => [
            String(row),
            ...[episode, step, advantage].map((value) => value.toFixed(6)),
          ]);
          standardOutput.print(formatTable([['row', 'episode', 'step', 'advantage'], ...rows]));
        }
      } finally {
        (opened as Engine | null)?.gpu.destroy();
      }
    });
}

async function settingsOf({ estimator, preset, set }: AdvantagesOptions): Promise<AdvantageOptions> {
  const given = assignedValues(set, '--set', 'usage');
  if (!isModulePath(estimator)) return { estimator, preset, ...given } as AdvantageOptions;
  const path = resolve(estimator);
  await loadOwnModule(path, ownEstimators);
  return { estimator: 'own', name: path, options: given };
}
