/** `progress.json` of a run: what its trainer does at the moment. The trainer writes it, whoever looks on reads it. */
import * as z from 'zod';

/** What a training run can be doing, in the order in which it does. A fine-tuning has evaluations of these. */
export const phases = ['demonstrations', 'warm start', 'rollout', 'advantages', 'update', 'evaluation'] as const;
export type Phase = (typeof phases)[number];

const left = z.object({
  /** Of the time that it takes, what has passed: 0 to 1. */
  share: z.number().min(0).max(1),
  /** Seconds that it still takes; null while nothing is known. */
  seconds: z.number().nonnegative().nullable(),
});

export const liveProgressSchema = z.object({
  /** When it was written. */
  time: z.iso.datetime(),
  /** Iterations that are done; of a fine-tuning, steps. */
  iteration: z.int().nonnegative(),
  phase: z.enum([...phases, 'fine-tuning']),
  /** Share of the phase that is done: 0 to 1. */
  done: z.number().min(0).max(1),
  /** What there is to say of it, as `loss 1.2`. */
  detail: z.string().optional(),
  /** The iteration or epoch under way; outside of iterations, the warm start or the evaluation. */
  stage: left,
  run: left,
});

/** How far something is, and how long it still takes. */
export type Left = Readonly<z.output<typeof left>>;
export type LiveProgress = z.output<typeof liveProgressSchema>;
