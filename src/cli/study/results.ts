/** What the finished runs of a study came to, read from their folders. */
import { median } from 'simple-statistics';
import type { Summary } from '../../rl/summary.ts';
import type { MetricRecord } from '../../runs/metrics.ts';
import type { LoadedModule, Run } from '../../runs/run.ts';
import type { StudyRun } from './file.ts';
import type { RunStatus } from './state.ts';

/** Success after some iterations. */
export interface CurvePoint {
  readonly iteration: number;
  /** Episodes that were played in training until then. */
  readonly episodes: number;
  readonly success: number;
}

export const phases = ['rollout', 'advantage', 'update'] as const;
export type Phase = (typeof phases)[number];

/** Means over the iterations of a run that show what its training had to learn from. */
export const diagnosticNames = {
  deadGroupShare: 'groups without a difference',
  advantageStd: 'advantage, σ',
  episodeAdvantageStd: 'episode level, σ',
  stepAdvantageStd: 'step level, σ',
  kl: 'KL, nats a token',
  entropy: 'entropy, nats a token',
  clipShare: 'tokens clipped',
  length: 'steps an episode',
} as const;
export type Diagnostic = keyof typeof diagnosticNames;

/** Of an iteration, by phase. */
export type Seconds = Readonly<Record<Phase | 'total', number>>;

export interface RunResult {
  readonly run: StudyRun;
  readonly summary: Summary;
  /** Each iteration's own episodes, before it learned from them. */
  readonly training: readonly CurvePoint[];
  /** Held-out success, from before training on. */
  readonly heldOut: readonly CurvePoint[];
  /** Mean success over all iterations' own episodes: how fast it learned. Null where there was no iteration. */
  readonly trainingSuccess: number | null;
  /** Median over iterations, so that compiling in the first does not count. Null where there was none. */
  readonly seconds: Seconds | null;
  readonly evaluationSeconds: number;
  readonly diagnostics: Readonly<Record<Diagnostic, number | null>>;
  /** What made it: adapters and versions of proxmo, in order. */
  readonly made: readonly { readonly adapter: string; readonly version: string }[];
  /** Modules of the user's own, as they were each time that it went on. */
  readonly modules: readonly LoadedModule[];
}

/** @throws {ProxmoError} `file` if the metrics of a run are missing or damaged */
export async function readResults(statuses: readonly RunStatus[]): Promise<RunResult[]> {
  const results: RunResult[] = [];
  for (const { run, state } of statuses)
    if (state.kind === 'done') results.push(await readResult(run, state.run, state.summary));
  return results;
}

async function readResult(run: StudyRun, folder: Run, summary: Summary): Promise<RunResult> {
  const records = await folder.readMetrics();
  const iterations = records.filter(({ kind }) => kind === 'train');
  const evaluations = records.filter(({ kind }) => kind === 'eval');
  const played = [0];
  for (const record of iterations) played.push(played.at(-1)! + figure(record, 'episodes'));
  const pointOf = (record: MetricRecord): CurvePoint => ({
    iteration: record.iteration,
    episodes: played[record.iteration] ?? 0,
    success: figure(record, 'success'),
  });
  const training = iterations.map(pointOf);
  const seconds = (phase: Phase | 'total') => median(iterations.map((record) => figure(record, `seconds/${phase}`)));
  const sessions = [folder.manifest, ...folder.manifest.resumes];
  return {
    run,
    summary,
    training,
    heldOut: evaluations.map(pointOf),
    trainingSuccess: training.length === 0 ? null : average(training.map(({ success }) => success)),
    seconds:
      iterations.length === 0
        ? null
        : {
            rollout: seconds('rollout'),
            advantage: seconds('advantage'),
            update: seconds('update'),
            total: seconds('total'),
          },
    evaluationSeconds: evaluations.reduce((sum, record) => sum + figure(record, 'seconds'), 0),
    diagnostics: diagnosticsOf(iterations),
    made: sessions.map(({ adapter, version }) => ({ adapter: describe(adapter), version })),
    modules: sessions.flatMap(({ modules }) => modules),
  };
}

function diagnosticsOf(iterations: readonly MetricRecord[]): Record<Diagnostic, number | null> {
  const names = Object.keys(diagnosticNames) as Diagnostic[];
  const values = names.map((name) => {
    const known = iterations.map((record) => record[name]).filter((value) => typeof value === 'number');
    return [name, known.length === 0 ? null : average(known)] as const;
  });
  return Object.fromEntries(values) as Record<Diagnostic, number | null>;
}

function describe({ name, driver }: Run['manifest']['adapter']): string {
  return driver ? `${name} (${driver})` : `${name}`;
}

/** A number of a record; 0 where it has none. */
export function figure(record: MetricRecord, name: string): number {
  const value = record[name];
  return typeof value === 'number' ? value : 0;
}

/** @param values at least one */
function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
