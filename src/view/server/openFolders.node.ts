/** The runs in folders that a user names: of a run, or of a study, whose runs lie in ARM/seed-N. */
import { join } from 'node:path';
import * as z from 'zod';
import { GuardedFolder } from '../../base/guardedFolder.node.ts';
import { RunFolder } from './runFolder.node.ts';

/** What of `study.json` says where the runs are. */
const studySchema = z.object({
  format: z.literal('proxmo-study'),
  seeds: z.array(z.int().nonnegative()),
  arms: z.array(z.object({ name: z.string() })),
});

/** Runs, numbered in the order of the folders. One that is not there yet counts as a run to wait for. */
export async function openFolders(dirs: readonly string[]): Promise<RunFolder[]> {
  const found = await Promise.all(dirs.map(runsIn));
  return found.flat().map(({ dir, name }, index) => new RunFolder(String(index), dir, name));
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
