/** `proxmo config`: what settings and presets there are, what each does, and the schema for editors. */
import { Command, Option } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { configSchemaText, sftSchemaText } from '../rl/configSchema.node.ts';
import { presetDescriptions, presets } from '../rl/presets.ts';
import {
  describeGroup,
  describeList,
  describePresetNames,
  describeSetting,
  exampleArguments,
  isResumable,
} from './config/describe.ts';
import {
  presetValues,
  type Setting,
  type SettingCommand,
  type SettingGroup,
  SettingList,
  settingCommands,
} from './config/settings.ts';
import { writeCommand } from './config/write.ts';
import { standardOutput } from './output.ts';

interface JsonOption {
  readonly json?: boolean;
}

interface CommandOption {
  readonly for?: SettingCommand;
}

function commandOption(): Option {
  return new Option('--for <command>', 'the command whose settings are meant (default: train)').choices(
    settingCommands,
  );
}

export function configCommand(): Command {
  return new Command('config')
    .description('Settings of runs: what there are, what each does, the presets, and the schema for editors.')
    .addCommand(listCommand())
    .addCommand(explainCommand())
    .addCommand(presetsCommand())
    .addCommand(writeCommand())
    .addCommand(schemaCommand());
}

function listCommand(): Command {
  return new Command('list')
    .description('List settings with their defaults; options of environments with the prefix environment.options.')
    .argument('[prefix]', 'beginning of their keys, as training or loss.kl')
    .addOption(commandOption())
    .option('--json', 'print all that there is to say of them as JSON')
    .action((prefix: string | undefined, { for: command, json }: JsonOption & CommandOption) => {
      const list = new SettingList(command);
      const settings = list.below(prefix ?? '');
      if (settings.length === 0) throw noSuchSetting(list, prefix ?? '');
      if (json) standardOutput.json(settings.map(asJson));
      else standardOutput.print(describeList(settings, standardOutput.columns));
    });
}

function explainCommand(): Command {
  return new Command('explain')
    .description('Say what a setting does: its meaning, values, default, presets that change it, and an example.')
    .argument('<key>', 'setting, as training.groupSize, or a group of them, as training')
    .addOption(commandOption())
    .option('--json', 'print it as JSON')
    .action((key: string, { for: command, json }: JsonOption & CommandOption) => {
      // What training runs have not is looked for among the settings of the other command.
      const other = new SettingList('sft');
      const isOther = command === undefined && new SettingList().find(key) === undefined && other.find(key);
      const list = isOther ? other : new SettingList(command);
      const found = list.find(key);
      if (found === undefined) throw noSuchSetting(list, key);
      const within = list.below(`${key}.`);
      if (json) standardOutput.json('forms' in found ? asJson(found) : { ...found, settings: within.map(asJson) });
      else standardOutput.print(describeFound(found, within));
    });
}

function describeFound(found: Setting | SettingGroup, within: readonly Setting[]): string {
  if (!('forms' in found)) return describeGroup(found, within);
  const own = describeSetting(found);
  return within.length === 0 ? own : `${own}\n\n${describeList(within, null)}`;
}

function presetsCommand(): Command {
  return new Command('presets')
    .description('List the presets: what each is for.')
    .option('--json', 'print them with all that they set as JSON')
    .action(({ json }: JsonOption) => {
      if (json)
        standardOutput.json(
          Object.entries(presets).map(([name, settings]) => ({
            name,
            description: presetDescriptions[name as keyof typeof presets],
            settings,
          })),
        );
      else standardOutput.print(describePresetNames(presetDescriptions));
    });
}

function schemaCommand(): Command {
  return new Command('schema')
    .description('Print the JSON Schema of configuration files, for editors: proxmo config schema > config.schema.json')
    .addOption(commandOption())
    .action(({ for: command }: CommandOption) =>
      standardOutput.write(command === 'sft' ? sftSchemaText() : configSchemaText()),
    );
}

function asJson(setting: Setting) {
  const { key, forms } = setting;
  return {
    key,
    forms: forms.map((form) => ({
      ...form,
      presets: presetValues(setting, form),
      example: exampleArguments(setting, form).join(' '),
    })),
    mayChangeOnResume: isResumable(setting),
  };
}

function noSuchSetting(list: SettingList, key: string): ProxmoError {
  const meant = list.meant(key);
  const hint = meant.length === 0 ? 'proxmo config list names all.' : `did you mean ${meant.slice(0, 4).join(', ')}?`;
  return new ProxmoError('usage', `There is no setting ${key}; ${hint}`);
}
