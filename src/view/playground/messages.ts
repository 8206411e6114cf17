/** What the page of the playground and the worker that trains tell each other. */
import type { LiveProgress } from '../../rl/liveProgress.ts';
import type { MetricRecord, RunInfo } from '../protocol.ts';

/** What the visitor may choose of a run. */
export interface Choice {
  readonly estimator: 'proxmo' | 'grpo' | 'gigpo' | 'rloo' | 'reinforce++';
  /** τ of ProxMO's step level; other estimators have none. */
  readonly temperature: number;
  readonly seed: number;
  readonly iterations: number;
  /** Tasks whose demonstrations the policy begins with. */
  readonly demonstrations: number;
  /** Tasks of an iteration, and held-out ones of an evaluation. */
  readonly tasks: number;
  readonly heldOut: number;
}

export type ToWorker =
  | { readonly kind: 'train'; readonly run: string; readonly choice: Choice }
  | { readonly kind: 'stop' };

export type FromWorker =
  | { readonly kind: 'adapter'; readonly name: string }
  /** There is no device, or the run failed. */
  | { readonly kind: 'problem'; readonly run: string | null; readonly text: string }
  | { readonly kind: 'begun'; readonly run: string; readonly info: RunInfo; readonly config: object }
  | { readonly kind: 'progress'; readonly run: string; readonly progress: LiveProgress }
  | { readonly kind: 'record'; readonly run: string; readonly record: MetricRecord }
  | {
      readonly kind: 'rollout';
      readonly run: string;
      readonly iteration: number;
      readonly index: string;
      /** The rows of each group, JSON Lines in gzip, in the order of the file. */
      readonly members: readonly Uint8Array<ArrayBuffer>[];
    }
  | { readonly kind: 'ended'; readonly run: string; readonly state: 'finished' | 'stopped' };
