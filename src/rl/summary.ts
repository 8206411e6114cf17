/** What runs report: evaluations and summaries as files keep them, and figures as metrics keep them. */
import * as z from 'zod';
import type { Evaluation } from './evaluate.ts';

const evaluationShape = {
  success: z.number(),
  interval: z.tuple([z.number(), z.number()]).readonly(),
  episodes: z.number(),
  /** Tasks left out because the environment failed every time. */
  dropped: z.number().default(0),
  byTask: z.record(z.string(), z.number()).readonly(),
  meanLength: z.number(),
  validShare: z.number(),
  /**
   * Mean partial credit, and means of what it consists of; the success rate and nothing where the environment gives
   * none.
   */
  score: z.number(),
  components: z.record(z.string(), z.number()).readonly(),
};

export const evaluationSummarySchema = z.object(evaluationShape).readonly();
/** An evaluation in figures. Success rates are fractions. */
export type EvaluationSummary = z.output<typeof evaluationSummarySchema>;

export const summarySchema = z
  .object({
    seed: z.number(),
    adapter: z.string(),
    wallSeconds: z.number(),
    /** Of these, that the run's warm start took: next to none where it is that of another run. Null if not known. */
    warmStartSeconds: z.number().nullable().default(null),
    before: evaluationSummarySchema,
    after: evaluationSummarySchema,
    /** Prompt and reply tokens of the rollouts, over the seconds of the iterations they belong to. */
    tokensPerSecond: z.number(),
    /** Share of the iterations' seconds that advantages took. */
    advantageShare: z.number(),
  })
  .readonly();
/** `summary.json`. */
export type Summary = z.output<typeof summarySchema>;

export function summariseEvaluation(evaluation: Evaluation): EvaluationSummary {
  const { success, interval, episodes, dropped, byTask, meanLength, validShare, score, components } = evaluation;
  const rates = Object.fromEntries(Object.entries(byTask).map(([type, rate]) => [type, rate.success]));
  return { success, interval, episodes, dropped, byTask: rates, meanLength, validShare, score, components };
}

/** Figures of an evaluation for a record of metrics. */
export function evaluationFigures(evaluation: Evaluation): Record<string, number> {
  const { byTask, interval, components, ...rates } = evaluation;
  const successByType = Object.fromEntries(Object.entries(byTask).map(([type, { success }]) => [type, success]));
  return flatFigures({ ...rates, low: interval[0], high: interval[1], successByType, components });
}

/** Nested figures as `seconds/rollout`, lists as `groupSuccessHistogram/3`. */
export function flatFigures(metrics: object): Record<string, number> {
  const flat: Record<string, number> = {};
  for (const [name, value] of Object.entries(metrics) as [
    string,
    number | Record<string, number> | readonly number[],
  ][]) {
    if (typeof value === 'number') flat[name] = value;
    else
      for (const [part, figure] of Object.entries(value))
        flat[`${name === 'successByType' ? 'success' : name}/${part}`] = figure;
  }
  return flat;
}
