/** `proxmo study FILE --report DIR`: tables and figures of the runs that are done, and which ones are missing. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { groupBy } from '../../base/groupBy.ts';
import { compareArms, type StudyFigures, smoothing } from './comparison.ts';
import { drawFigures } from './figures.ts';
import type { Study } from './file.ts';
import { reportMarkdown } from './markdown.ts';
import { readSessions, type StudySession } from './record.ts';
import { type RunResult, readResults } from './results.ts';
import type { RunStatus } from './state.ts';
import { resamples } from './statistics.ts';

/** A run that is not in the report. */
export interface MissingRun {
  readonly name: string;
  readonly arm: string;
  readonly seed: number;
  /** Iterations of its last checkpoint; null where it has none. */
  readonly iteration: number | null;
  readonly iterations: number;
}

/** All that a report is made of; `report.json` but for the single runs' folders. */
export interface Report {
  readonly study: Study;
  readonly command: string;
  readonly sessions: readonly StudySession[];
  /** Adapters, with the versions of proxmo that ran on them. */
  readonly made: readonly string[];
  /** Modules of the user's own that were not the same file in all runs. */
  readonly changedModules: readonly string[];
  readonly missing: readonly MissingRun[];
  readonly results: readonly RunResult[];
  readonly figures: StudyFigures;
}

/**
 * Writes `report.md`, `report.json` and the figures into a folder, over those of an earlier report.
 * @returns the runs that are missing in it
 * @throws {ProxmoError} `study` if no run is done
 */
export async function writeReport(
  study: Study,
  statuses: readonly RunStatus[],
  dir: string,
  command: string,
): Promise<readonly MissingRun[]> {
  const results = await readResults(statuses);
  if (results.length === 0)
    throw new ProxmoError('study', `No run of ${study.file} is done yet, so there is nothing to report; run it first.`);
  const made = results.flatMap((result) => result.made.map(({ adapter, version }) => `${adapter}, proxmo ${version}`));
  const report: Report = {
    study,
    command,
    sessions: await readSessions(study),
    made: [...new Set(made)],
    changedModules: changedModules(results),
    missing: statuses.flatMap(missingRun),
    results,
    figures: compareArms(study, results),
  };
  const figures = drawFigures(report.figures, study.reference);
  await mkdir(dir, { recursive: true });
  for (const { name, svg } of figures) await writeFileAtomic(join(dir, `${name}.svg`), [svg]);
  await writeFileAtomic(join(dir, 'report.json'), [`${JSON.stringify(jsonOf(report), null, 1)}\n`]);
  await writeFileAtomic(join(dir, 'report.md'), [reportMarkdown(report, figures)]);
  return report.missing;
}

function changedModules(results: readonly RunResult[]): string[] {
  const byPath = groupBy(
    results.flatMap(({ modules }) => modules),
    ({ path }) => path,
  );
  return [...byPath].filter(([, each]) => new Set(each.map(({ sha256 }) => sha256)).size > 1).map(([path]) => path);
}

function missingRun({ run, state }: RunStatus): MissingRun[] {
  if (state.kind === 'done') return [];
  const { name, arm, seed, config } = run;
  const iteration = state.kind === 'begun' ? state.iteration : null;
  return [{ name, arm, seed, iteration, iterations: config.training.iterations }];
}

function jsonOf({ study, command, sessions, made, changedModules, missing, results, figures }: Report): object {
  const { name, title, file, reference, seeds } = study;
  return {
    study: name,
    title,
    file,
    reference,
    seeds,
    command,
    sessions,
    made,
    changedModules,
    missing: missing.map(({ name: _, ...run }) => run),
    method: { level: 0.95, resamples, smoothing },
    ...figures,
    runs: results.map(({ run: { arm, seed }, summary, trainingSuccess, seconds }) => ({
      arm,
      seed,
      summary,
      trainingSuccess,
      seconds,
    })),
  };
}
