/** How far the runs of a study are, by what their folders hold. */
import { join } from 'node:path';
import { exists } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { differences, tellDifference } from '../../rl/resumeSettings.ts';
import { runConfig } from '../../rl/runConfig.node.ts';
import { type Summary, summarySchema } from '../../rl/summary.ts';
import { isUnbegunRun, openRun, type Run, runFiles } from '../../runs/run.ts';
import type { Study, StudyRun } from './file.ts';

export type RunState =
  | { readonly kind: 'new' }
  /** It was stopped, or another process is at it. */
  | { readonly kind: 'begun'; readonly iteration: number | null }
  | { readonly kind: 'done'; readonly run: Run; readonly summary: Summary };

/** A run of a study and how far it is. */
export interface RunStatus {
  readonly run: StudyRun;
  readonly state: RunState;
}

/**
 * @throws {ProxmoError} `config` if a run was made with other settings than the file has now; `file` if its folder is
 * damaged, or holds something else
 */
export async function statusOf(study: Study): Promise<RunStatus[]> {
  const statuses: RunStatus[] = [];
  const others = new Map<string, StudyRun[]>();
  for (const run of study.runs) {
    const found = await stateOf(run);
    if (typeof found === 'string') others.set(found, [...(others.get(found) ?? []), run]);
    else statuses.push({ run, state: found });
  }
  if (others.size === 0) return statuses;
  const list = [...others].map(([changes, runs]) => `  ${nameSome(runs)}: ${changes}`);
  throw new ProxmoError(
    'config',
    `Runs in ${study.dir} were made with other settings than ${study.file} has:\n${list.join('\n')}\nSet them back, move these runs away, or name another folder by --out.`,
  );
}

/** The names of runs, or of the first few. */
export function nameSome(runs: readonly { readonly name: string }[], most = 4): string {
  const names = runs.slice(0, most).map(({ name }) => name);
  const more = runs.length - names.length;
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
}

/** @returns the state; or what of its settings has changed, in words */
export async function stateOf({ dir, config, name }: StudyRun): Promise<RunState | string> {
  if (!(await exists(join(dir, runFiles.manifest)))) {
    if (await isUnbegunRun(dir)) return { kind: 'new' };
    throw new ProxmoError(
      'file',
      `${dir} is not empty, and no run; move away what is there, so that ${name} can begin.`,
    );
  }
  const run = await openRun(dir);
  const changes = differences(runConfig(run), config);
  if (changes.length > 0) return changes.map(tellDifference).join(', ');
  const summary = summarySchema.safeParse(await run.readSummary()).data;
  const iteration = await run.latestCheckpoint();
  if (summary && iteration === config.training.iterations) return { kind: 'done', run, summary };
  return { kind: 'begun', iteration };
}
