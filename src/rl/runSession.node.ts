/** What runs with folders have in common as they go on and end, whatever they train. */
import type * as z from 'zod';
import { errorMessage, ProxmoError } from '../base/errors.ts';
import { checked } from '../base/schemaProblems.ts';
import { systemReason } from '../base/systemErrors.node.ts';
import type { StoppedRun } from '../runs/resume.ts';
import type { LoadedModule, RunWriter } from '../runs/run.ts';
import type { Engine } from '../tensor/engine.ts';
import { departures, type RateCourse } from './departures.node.ts';
import { describeAdapter } from './describeAdapter.node.ts';
import { type Difference, differences } from './resumeSettings.ts';

/** All settings were checked, and the run's folder is there. */
export interface BeginEvent {
  readonly kind: 'begin';
  /** The checkpoint that it goes on from; null at its beginning. */
  readonly from: number | null;
  /** The step of its warm start that is saved, where it was stopped within that; null otherwise. */
  readonly warmStartStep: number | null;
}

/** What a run tells of its beginning. */
export type SessionEvent = BeginEvent | { readonly kind: 'warning'; readonly text: string };

/** @throws {ProxmoError} `interrupted` if the signal fired before anything was written */
export function checkNotStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ProxmoError('interrupted', 'Stopped before anything began.');
}

/** Whether it is what a signal ended. */
export function isInterruption(error: unknown): boolean {
  return error instanceof ProxmoError && error.code === 'interrupted';
}

/** The error for a run that this version cannot go on with. */
export function cannotGoOn(dir: string, why: string): ProxmoError {
  return new ProxmoError(
    'file',
    `${dir} cannot go on: ${why}; use the version of proxmo that made it, or start a new run.`,
  );
}

/** The settings that a checkpoint was made by. @throws {ProxmoError} `file` if they are not valid */
export function recordedSettings<T extends z.ZodType>(schema: T, settings: unknown, dir: string): z.output<T> {
  return checked(schema, settings, (problem) =>
    cannotGoOn(dir, `this version does not know the settings of its checkpoint (${problem})`),
  );
}

/** How a run goes on. */
export interface TakenUp {
  /** Its settings from here on, and as they stand in its folder. */
  readonly config: { readonly seed: number };
  readonly known: object;
  /** In which they differ from those of its checkpoint. */
  readonly changes: readonly Difference[];
  readonly course: RateCourse;
  /** The step of its warm start that is saved, where it has no checkpoint; default: none is. */
  readonly warmStartStep?: number | null;
  readonly version: string;
  /** Modules of the user's own that it loads; default: none. */
  readonly modules?: readonly LoadedModule[];
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: SessionEvent) => void;
}

/**
 * Goes on with a stopped run: writes down, and tells, from where, and why it may come to something else.
 * @returns its folder; close it before the run
 * @throws {ProxmoError} `interrupted` if the signal fired, `file`
 */
export async function takeUp(engine: Engine, stopped: StoppedRun, how: TakenUp): Promise<RunWriter> {
  const { config, known, changes, course, warmStartStep = null, version, modules = [], signal, onEvent } = how;
  const { checkpoint, problems } = stopped;
  checkNotStopped(signal);
  for (const text of problems) onEvent?.({ kind: 'warning', text });
  const session = { version, modules, adapter: describeAdapter(engine) };
  const writer = await stopped.resume({
    ...session,
    seed: config.seed,
    config: { ...config },
    edits: differences(known, config).map(({ keys, now }) => ({ keys, value: now })),
    changes: Object.fromEntries(changes.map(({ keys, before }) => [keys.join('.'), (before ?? null) as never])),
  });
  try {
    const from = checkpoint?.iteration ?? null;
    const place = from === null ? placeBefore(warmStartStep) : `from the checkpoint of ${course.unit} ${from}`;
    writer.log(`taken up ${place} by proxmo ${version} on ${engine.gpu.adapter.name}`);
    onEvent?.({ kind: 'begin', from, warmStartStep });
    for (const text of departures(stopped, session, changes, course)) {
      writer.log(text);
      onEvent?.({ kind: 'warning', text });
    }
    return writer;
  } catch (error) {
    writer.close();
    throw error;
  }
}

/** Where a run without a checkpoint goes on. */
function placeBefore(warmStartStep: number | null): string {
  return warmStartStep === null ? 'from its beginning' : `within its warm start (step ${warmStartStep} is saved)`;
}

/** Why a checkpoint could not be saved, for the middle of a sentence. */
export function whyUnsaved(cause: unknown): string {
  return cause instanceof ProxmoError ? cause.message.replace(/\.$/, '') : systemReason(cause);
}

/**
 * Notes in the log how a run ended early.
 * @param outcome a sentence on what was saved
 * @param isWorthKeeping whether there is anything that it would be a loss to lose
 * @returns the error to throw, with that sentence where it is one of the library's
 */
export function endedEarly(writer: RunWriter, error: unknown, outcome: string, isWorthKeeping: boolean): unknown {
  const message = errorMessage(error).replace(/[^.!?]$/, '$&.');
  const isInterrupted = isInterruption(error);
  writer.log(isInterrupted ? `stopped: ${outcome}` : `ended by an error: ${message} ${outcome}`);
  if (isInterrupted) return new ProxmoError('interrupted', `Stopped. ${outcome}`, { cause: error });
  if (error instanceof ProxmoError && isWorthKeeping)
    return new ProxmoError(error.code, `${message} ${outcome}`, { cause: error });
  return error;
}
