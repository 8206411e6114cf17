/** The runs of a report: `proxmo train` in processes of their own, which go on where the time was over. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { holderOf } from '../../base/lock.node.ts';
import { environmentEntries } from '../../envs/registry.node.ts';
import type { PresetName } from '../../rl/presets.ts';
import { type Summary, summarySchema } from '../../rl/summary.ts';
import { parseJson, readText } from '../../runs/json.ts';
import { clearUnbegunRun, isUnbegunRun, runFiles } from '../../runs/run.ts';
import { type RunOutcome, readOutcome } from '../compare/outcomes.ts';
import { whyMissing } from '../env/list.ts';
import type { RunNews } from '../parent.ts';
import type { Conductor } from './conductor.ts';
import type { Records } from './records.ts';

export interface Training {
  readonly name: string;
  readonly preset: PresetName;
  readonly weight: number;
}

export const household: Training = { name: 'household', preset: 'small', weight: 4 };
export const alfworld: Training = { name: 'alfworld', preset: 'alfworld', weight: 4 };

/** The part that runs are noted under. */
export const trainingPart = 'training';

/** How often a lock is looked at that another process holds, in milliseconds. */
const lookEvery = 500;

/** Exit code of a run that was asked to stop. */
const interrupted = 130;

/** What there is of a run in a report. */
export type TrainingState =
  | { readonly kind: 'done'; readonly summary: Summary }
  | { readonly kind: 'begun'; readonly outcome: RunOutcome }
  | { readonly kind: 'new' }
  | { readonly kind: 'left out'; readonly why: string };

/** Trains, or goes on, for as long as there is time. */
export async function train(
  conductor: Conductor,
  records: Records,
  dir: string,
  { name, preset }: Training,
  { seconds, seed, onNews }: { seconds: number; seed: number; onNews: (news: RunNews) => void },
): Promise<void> {
  if (records.stateOf(trainingPart, name).kind !== 'open') return;
  const run = join(dir, name);
  const start = performance.now();
  // A report that was killed may have left it on its way to a checkpoint.
  while (holderOf(join(run, runFiles.lock)) !== null) {
    if ((performance.now() - start) / 1000 > seconds) return;
    await sleep(lookEvery);
  }
  const isNew = await isUnbegunRun(run);
  if (isNew) await clearUnbegunRun(run);
  const what = isNew ? ['--preset', preset, '--seed', String(seed), '--out', run] : ['--resume', run];
  const { code, reason, wasKilled } = await conductor.runProcess({
    name,
    args: ['train', ...what, ...conductor.adapterArguments],
    seconds,
    isAsked: true,
    onMessage: (news) => onNews(news as RunNews),
  });
  if (code === 0) records.done(trainingPart, name, (performance.now() - start) / 1000, await summaryOf(run));
  else if (!wasKilled && code !== interrupted) records.failed(trainingPart, name, reason);
}

/** @throws {ProxmoError} `file` if a run's folder is damaged */
export async function trainingState(records: Records, dir: string, { name }: Training): Promise<TrainingState> {
  const summary = records.resultOf(trainingPart, name);
  if (summary) return { kind: 'done', summary: summary as Summary };
  const missing = await whyMissing(environmentEntries.find((entry) => entry.name === name)!);
  if (missing !== null) return { kind: 'left out', why: missing };
  if (await isUnbegunRun(join(dir, name))) return { kind: 'new' };
  return { kind: 'begun', outcome: await readOutcome(join(dir, name)) };
}

async function summaryOf(run: string): Promise<Summary> {
  const path = join(run, runFiles.summary);
  return parseJson(await readText(path), summarySchema, path);
}
