/** `proxmo config write`: a configuration file with every setting, to be edited. */
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { refuseExisting, writeFileAtomic } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { readTextOrNull } from '../../base/wholeFile.node.ts';
import { schemaTitle } from '../../rl/config.ts';
import { configSchemaText } from '../../rl/configSchema.node.ts';
import { runFiles } from '../../runs/run.ts';
import { configYaml } from '../../runs/yaml.ts';
import { repeatedOption } from '../arguments.ts';
import { newRunConfig } from '../newConfig.ts';
import { standardOutput } from '../output.ts';
import { defaultPreset, noPreset, presetNames } from '../presetNames.ts';

interface WriteOptions {
  readonly preset?: string;
  readonly set: readonly string[];
}

export function writeCommand(): Command {
  return new Command('write')
    .description(
      'Write a configuration file with every setting of a preset, and its schema beside it, by which editors complete and explain settings.',
    )
    .argument('<file>', 'YAML file to make')
    .option('--preset <name>', `named settings to start from: ${presetNames.join(', ')} (default: ${defaultPreset})`)
    .addOption(repeatedOption('--set <key=value>', 'one setting, as training.iterations=40'))
    .action(async (file: string, { preset, set }: WriteOptions) => {
      const config = await newRunConfig(preset, { set });
      await refuseExisting(file, 'configuration');
      const schema = join(dirname(file), runFiles.schema);
      await checkSchemaFile(schema);
      await writeFileAtomic(schema, [configSchemaText()]);
      await writeFileAtomic(file, [configYaml(config, runFiles.schema)]);
      standardOutput.print(`${file}: train with it by: proxmo train ${file} --preset ${noPreset}`);
    });
}

/** @throws {ProxmoError} `file` if there is a file of that name that is something else than this package's schema */
async function checkSchemaFile(path: string): Promise<void> {
  const text = await readTextOrNull(path);
  if (text === null || text.includes(`"title":"${schemaTitle}"`)) return;
  throw new ProxmoError(
    'file',
    `${path} is something else than the schema of configurations; write to another folder.`,
  );
}
