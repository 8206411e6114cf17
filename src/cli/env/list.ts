/** `proxmo env list`: which environments there are, and which can be used here. */
import { Command } from 'commander';
import { ProxmoError } from '../../base/errors.ts';
import { type EnvironmentDefaults, type EnvironmentEntry, environmentEntries } from '../../envs/registry.node.ts';
import { standardOutput } from '../output.ts';

interface ListOptions {
  readonly json?: boolean;
}

export function listCommand(): Command {
  return new Command('list')
    .description('List the environments: what each is, where its data comes from, and whether it can be used here.')
    .option('--json', 'print the list as JSON')
    .action(async ({ json }: ListOptions) => {
      const rows = [];
      for (const entry of environmentEntries) {
        const missing = await whyMissing(entry);
        rows.push({
          name: entry.name,
          what: entry.what,
          data: entry.data,
          settings: entry.defaults({}).words,
          available: missing === null,
          ...(missing === null ? {} : { missing }),
        });
      }
      if (json) standardOutput.json(rows);
      else
        standardOutput.print(
          `${rows.map(describe).join('\n')}\n\nAny module that makes a task set can be named by its path, as ./my-env.mjs.`,
        );
    });
}

function describe({
  name,
  what,
  data,
  settings: { prompt, sampling },
  available,
  missing,
}: {
  name: string;
  what: string;
  data: string;
  settings: EnvironmentDefaults;
  available: boolean;
  missing?: string;
}) {
  const state = available ? 'ready' : `not ready as it is: ${missing}`;
  const fitting = `prompt.maxTokens ${prompt.maxTokens}, sampling.maxNewTokens ${sampling.maxNewTokens}`;
  return [`${name.padEnd(10)} ${what}`, `data: ${data}`, `settings: ${fitting}`, state].join(`\n${' '.repeat(11)}`);
}

/** Why an environment cannot be used without any option; null if it can. */
export async function whyMissing(entry: EnvironmentEntry): Promise<string | null> {
  try {
    const taskSet = await entry.create({});
    await taskSet.close?.();
    return null;
  } catch (error) {
    if (error instanceof ProxmoError) return error.message;
    throw error;
  }
}
