/** The runs in folders that a user names: of a run, or of a study, whose runs lie in ARM/seed-N. */
import { join } from 'node:path';
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { GuardedFolder } from '../../base/guardedFolder.node.ts';
import { runFiles } from '../../runs/run.ts';
import { RunFolder } from './runFolder.node.ts';

/** What of `study.json` says where the runs are. */
const studySchema = z.object({
  format: z.literal('proxmo-study'),
  seeds: z.array(z.int().nonnegative()),
  arms: z.array(z.object({ name: z.string() })),
});

/**
 * Runs, numbered in the order of the folders. One that is not there yet counts as a run to wait for.
 * @throws {ProxmoError} `usage` for runs that play nothing
 */
export async function openFolders(dirs: readonly string[]): Promise<RunFolder[]> {
  for (const dir of dirs) await refuseTuned(dir);
  const found = await Promise.all(dirs.map(runsIn));
  return found.flat().map(({ dir, name }, index) => new RunFolder(String(index), dir, name));
}

async function refuseTuned(dir: string): Promise<void> {
  const text = await new GuardedFolder(dir).readText(runFiles.manifest);
  if (text === null || !/"kind":\s*"sft"/.test(text)) return;
  throw new ProxmoError(
    'usage',
    `${dir} is a run of proxmo sft, which plays nothing that could be looked at; its losses are in metrics.jsonl, and proxmo export ${dir} --csv FILE (or --tensorboard DIR) has them as a table or curves.`,
  );
}

async function runsIn(dir: string): Promise<{ readonly dir: string; readonly name?: string }[]> {
  const text = await new GuardedFolder(dir).readText('study.json');
  const study = text === null ? null : studyOf(text);
  if (!study) return [{ dir }];
  return study.arms
    .filter(({ name }) => !/[\\/]|^\.*$/.test(name))
    .flatMap(({ name }) =>
      study.seeds.map((seed) => ({ dir: join(dir, name, `seed-${seed}`), name: `${name} / seed ${seed}` })),
    );
}

function studyOf(text: string): z.output<typeof studySchema> | null {
  try {
    return studySchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
