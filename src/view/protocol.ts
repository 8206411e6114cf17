/** What the server tells the page, and what a page that opens from disk holds in its stead. */
import type { LiveProgress } from '../rl/liveProgress.ts';

/** A line of a run's metrics. JSON has no NaN and infinities: they are texts. */
export interface MetricRecord {
  /** For example `train` or `eval`. */
  readonly kind: string;
  /** Iterations that were done; 0 before training. */
  readonly iteration: number;
  readonly [metric: string]: number | string | boolean | null;
}

/**
 * How a run stands. `waiting`: its folder is not there yet. `ended`: nobody writes to it, and it says neither that it
 * finished nor why it stopped, as after a crash.
 */
export type RunState = 'waiting' | 'running' | 'finished' | 'stopped' | 'failed' | 'ended';

/** What there is of a run's profile. */
export interface ProfileInfo {
  /** Another one for each profile. */
  readonly version: string;
  /** Whether it has a trace. */
  readonly hasTrace: boolean;
}

export interface RunInfo {
  /** Its place on the command line, from 0. */
  readonly id: string;
  /** What it does: learns from what it plays, or from chats, which is shown by its losses alone. */
  readonly kind: 'train' | 'sft';
  readonly name: string;
  /** The folder as it was given. */
  readonly dir: string;
  readonly state: RunState;
  /** The last line of its log. */
  readonly note: string | null;
  /** What of the folder cannot be read, in a sentence. */
  readonly problem: string | null;
  readonly started: string | null;
  readonly adapter: string | null;
  readonly version: string | null;
  readonly seed: number | null;
  /** Its settings, by their keys joined with dots. */
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  /** `summary.json`, when it is finished. */
  readonly summary: Readonly<Record<string, unknown>> | null;
  /** Iterations whose episodes are kept, rising. */
  readonly rollouts: readonly number[];
  /** Iterations after which held-out episodes are kept, rising; 0 is before training. */
  readonly heldOut: readonly number[];
  /** Null where it has none. */
  readonly profile: ProfileInfo | null;
}

/** What a run does at the moment; of a run that crashed, what it did last. Null where it does not say. */
export interface ProgressChange {
  readonly run: string;
  readonly progress: LiveProgress | null;
}

/** Records that were added to a run's metrics. */
export interface MetricsChange {
  readonly run: string;
  /** Whether they replace all that came before. */
  readonly isReset: boolean;
  readonly records: readonly MetricRecord[];
  /** Lines that are no records. */
  readonly badLines: number;
}

/** What a page that opens from disk is told, in place of the server's events. */
export interface DiskPage {
  /** When it was written. */
  readonly time: string;
  readonly runs: readonly RunInfo[];
  readonly metrics: readonly MetricsChange[];
  readonly progress: readonly ProgressChange[];
  /** What of a run is not in the page, in sentences, by its id; none where all is. */
  readonly leftOut: Readonly<Record<string, string>>;
}

/** A page from disk as it holds it, each text as base64 of gzip. */
export interface HeldPage {
  /** A `DiskPage` as JSON. */
  readonly page: string;
  /** What the server would send, by its address below `runs/`. */
  readonly files: Readonly<Record<string, string>>;
}
