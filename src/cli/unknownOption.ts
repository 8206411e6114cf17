/** Options that a command does not have: settings that their user knows from other programs as options. */
import type { Command } from 'commander';
import type { z } from 'zod';
import { advantageOptionsSchema } from '../rl/advantages/options.ts';
import { trainConfigSchema } from '../rl/config.ts';
import { meantSettings } from '../runs/settingNames.ts';

/** What `--set` of a command sets. */
const schemas: Readonly<Record<string, z.ZodType>> = {
  train: trainConfigSchema,
  write: trainConfigSchema,
  advantages: advantageOptionsSchema,
};

/** A message of the parser, with the setting that an unknown option means, if it means one. */
export function explainUnknownOption(command: Command, message: string): string {
  const [, option] = /unknown option '(--[^'=]+)/.exec(message) ?? [];
  const schema = schemas[command.name()];
  if (option === undefined || schema === undefined) return message;
  const meant = meantSettings(schema, option.slice(2));
  if (meant.length === 0) return message;
  const settings = meant.map((setting) => `--set ${setting}=VALUE`);
  return `${command.name()} has no option ${option}; did you mean ${settings.join(' or ')}?\n`;
}
