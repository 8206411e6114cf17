/** The arms of a study in figures: means over seeds with their intervals, differences, curves. */
import type { Summary } from '../../rl/summary.ts';
import type { Study } from './file.ts';
import { type CurvePoint, type Diagnostic, diagnosticNames, phases, type RunResult, type Seconds } from './results.ts';
import { type Difference, type Estimate, estimate, estimateDifference, holm, type Interval } from './statistics.ts';

/** A figure of a run by which arms are compared. */
interface Measure {
  readonly name: string;
  /** For people. */
  readonly what: string;
  /** Null where the run has no such figure. */
  readonly of: (result: RunResult) => number | null;
  /** Episodes that it is the success of. */
  readonly episodes: (result: RunResult) => number;
}

export const measures: readonly Measure[] = [
  {
    name: 'final',
    what: 'held-out success after training',
    of: ({ summary }) => summary.after.success,
    episodes: ({ summary }) => summary.after.episodes,
  },
  {
    name: 'training',
    what: 'success in training, mean over all iterations',
    of: ({ trainingSuccess }) => trainingSuccess,
    episodes: ({ training }) => training.at(-1)?.episodes ?? 0,
  },
];

export interface ArmFigures {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Those that are done. */
  readonly seeds: readonly number[];
  readonly warmStart: Estimate;
  readonly final: Estimate;
  readonly gain: Estimate;
  /** Null where there was no iteration; as `seconds`. */
  readonly training: Estimate | null;
  /** Held-out success after training, by task type, over the runs that have an episode of it. */
  readonly byType: Readonly<Record<string, Estimate>>;
  /** Mean partial credit after training; null where it only repeats the success. */
  readonly score: Estimate | null;
  /** Steps of a held-out episode, before and after training. */
  readonly length: { readonly before: number; readonly after: number };
  readonly tokensPerSecond: number;
  readonly seconds: Seconds | null;
  readonly evaluationSeconds: number;
  readonly runSeconds: number;
  /** That its runs spent on their warm starts; null where one of them does not say. */
  readonly warmStartSeconds: number | null;
  /** Share of the iterations' seconds that advantages took. */
  readonly advantageShare: number;
  readonly diagnostics: Readonly<Record<Diagnostic, number | null>>;
}

/** How one arm did against another over the seeds that both have. */
export interface Comparison extends Difference {
  readonly measure: string;
  readonly arm: string;
  readonly against: string;
  /** p held against the number of comparisons in its list. */
  readonly adjustedP: number | null;
  readonly verdict: Verdict;
}

export type Verdict = 'separated' | 'separated alone' | 'not separated' | 'too few seeds';

/** Success of an arm after some iterations, over its seeds. */
export interface BandPoint {
  readonly arm: string;
  readonly iteration: number;
  readonly episodes: number;
  readonly mean: number;
  readonly interval: Interval | null;
  readonly seeds: number;
}

export interface StudyFigures {
  readonly arms: readonly ArmFigures[];
  /** Each arm against the reference, by each measure. */
  readonly againstReference: readonly Comparison[];
  /** Each arm against each that comes after it, by held-out success after training. */
  readonly pairs: readonly Comparison[];
  readonly curves: { readonly training: readonly BandPoint[]; readonly heldOut: readonly BandPoint[] };
}

/** Arms of which no run is done are left out. */
export function compareArms(study: Study, results: readonly RunResult[]): StudyFigures {
  const byArm = study.arms.map((arm) => ({ arm, results: results.filter(({ run }) => run.arm === arm.name) }));
  const present = byArm.filter((each) => each.results.length > 0);
  const names = present.map(({ arm }) => arm.name);
  const others = names.filter((name) => name !== study.reference && names.includes(study.reference));
  const pairs = names.flatMap((name, index) => names.slice(index + 1).map((later) => [later, name] as const));
  return {
    arms: present.map(({ arm, results }) => figuresOf(arm, results)),
    againstReference: measures.flatMap((measure) =>
      compareAll(
        others.map((name) => [name, study.reference] as const),
        measure,
        results,
      ),
    ),
    pairs: compareAll(pairs, measures[0]!, results),
    curves: {
      training: present.flatMap(({ arm, results }) =>
        band(
          arm.name,
          results.map(({ training }) => smoothed(training)),
        ),
      ),
      heldOut: present.flatMap(({ arm, results }) =>
        band(
          arm.name,
          results.map(({ heldOut }) => heldOut),
        ),
      ),
    },
  };
}

function figuresOf({ name, settings }: Study['arms'][number], results: readonly RunResult[]): ArmFigures {
  const over = (value: (result: RunResult) => number) => estimate(results.map(value));
  const meanOf = (value: (result: RunResult) => number) => over(value).mean;
  const after = (value: (after: Summary['after']) => number) => over(({ summary }) => value(summary.after));
  const types = [...new Set(results.flatMap(({ summary }) => Object.keys(summary.after.byTask)))];
  const hasCredit = results.some(({ summary: { after } }) => after.score !== after.success);
  return {
    name,
    settings,
    seeds: results.map(({ run }) => run.seed),
    warmStart: over(({ summary }) => summary.before.success),
    final: after(({ success }) => success),
    gain: over(({ summary }) => summary.after.success - summary.before.success),
    training: overKnown(results.map(({ trainingSuccess }) => trainingSuccess)),
    byType: Object.fromEntries(
      types.map((type) => [type, overKnown(results.map(({ summary }) => summary.after.byTask[type] ?? null))!]),
    ),
    score: hasCredit ? after(({ score }) => score) : null,
    length: {
      before: meanOf(({ summary }) => summary.before.meanLength),
      after: after(({ meanLength }) => meanLength).mean,
    },
    tokensPerSecond: meanOf(({ summary }) => summary.tokensPerSecond),
    seconds: meanSeconds(results),
    evaluationSeconds: meanOf(({ evaluationSeconds }) => evaluationSeconds),
    runSeconds: meanOf(({ summary }) => summary.wallSeconds),
    warmStartSeconds: results.some(({ summary }) => summary.warmStartSeconds === null)
      ? null
      : meanOf(({ summary }) => summary.warmStartSeconds!),
    advantageShare: meanOf(({ summary }) => summary.advantageShare),
    diagnostics: Object.fromEntries(
      (Object.keys(diagnosticNames) as Diagnostic[]).map((key) => [
        key,
        overKnown(results.map(({ diagnostics }) => diagnostics[key]))?.mean ?? null,
      ]),
    ) as ArmFigures['diagnostics'],
  };
}

/** Over the runs that have the figure; null where none has. */
function overKnown(values: readonly (number | null)[]): Estimate | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : estimate(known);
}

function meanSeconds(results: readonly RunResult[]): Seconds | null {
  const means = [...phases, 'total' as const].map((phase) => {
    const mean = overKnown(results.map(({ seconds }) => seconds?.[phase] ?? null))?.mean;
    return [phase, mean] as const;
  });
  return means.some(([, mean]) => mean === undefined) ? null : (Object.fromEntries(means) as Seconds);
}

/** Compares pairs of arms; pairs without a common seed are left out. */
function compareAll(
  pairs: readonly (readonly [arm: string, against: string])[],
  measure: Measure,
  results: readonly RunResult[],
): Comparison[] {
  const figureOf = (arm: string, seed: number) => {
    const result = results.find(({ run }) => run.arm === arm && run.seed === seed);
    return result ? measure.of(result) : null;
  };
  const seeds = [...new Set(results.map(({ run }) => run.seed))];
  const measured = results.filter((result) => measure.of(result) !== null);
  const step = 1 / Math.min(...measured.map(measure.episodes));
  const compared = pairs.flatMap(([arm, against]) => {
    const differences = seeds.flatMap((seed) => {
      const [a, b] = [figureOf(arm, seed), figureOf(against, seed)];
      return a === null || b === null ? [] : [a - b];
    });
    return differences.length === 0 ? [] : [{ arm, against, difference: estimateDifference(differences, step) }];
  });
  const tested = compared.map(({ difference }) => difference.p).filter((p) => p !== null);
  const adjusted = holm(tested);
  return compared.map(({ arm, against, difference }) => {
    const adjustedP = difference.p === null ? null : adjusted.shift()!;
    const verdict = verdictOf(difference.p, adjustedP);
    return { measure: measure.name, arm, against, ...difference, adjustedP, verdict };
  });
}

function verdictOf(p: number | null, adjustedP: number | null): Verdict {
  if (p === null || adjustedP === null) return 'too few seeds';
  if (adjustedP < 0.05) return 'separated';
  return p < 0.05 ? 'separated alone' : 'not separated';
}

/** Iterations over which training success is shown as a mean. */
export const smoothing = 5;

/** The mean of an iteration and those before it, `smoothing` in all, or as many as there are. */
function smoothed(curve: readonly CurvePoint[]): CurvePoint[] {
  return curve.map((point, index) => {
    const recent = curve.slice(Math.max(0, index - smoothing + 1), index + 1);
    return { ...point, success: recent.reduce((sum, { success }) => sum + success, 0) / recent.length };
  });
}

/** Fewer draws than for tables: a band has hundreds of points. */
const bandDraws = 1000;

/** The mean of curves with its interval, where all have a point. */
function band(arm: string, curves: readonly (readonly CurvePoint[])[]): BandPoint[] {
  return curves[0]!.flatMap(({ iteration }) => {
    const points = curves.map((curve) => curve.find((point) => point.iteration === iteration));
    if (points.includes(undefined)) return [];
    const { mean, interval, seeds } = estimate(
      points.map((point) => point!.success),
      bandDraws,
    );
    return [
      {
        arm,
        iteration,
        episodes: estimate(
          points.map((point) => point!.episodes),
          1,
        ).mean,
        mean,
        interval,
        seeds,
      },
    ];
  });
}
