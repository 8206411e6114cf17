/**
 * Partial credit in tables: mean scores and what they consist of, where an environment says more of an episode's end
 * than whether it succeeded.
 */
import type { EvaluationSummary } from '../rl/summary.ts';

type Credit = Pick<EvaluationSummary, 'success' | 'score' | 'components'>;

/**
 * A row for the score and each of its components, with a figure for each evaluation; none where scores only repeat the
 * success rates.
 */
export function creditRows(...evaluations: readonly Credit[]): (readonly [name: string, ...figures: number[]])[] {
  const names = [...new Set(evaluations.flatMap(({ components }) => Object.keys(components)))];
  if (names.length === 0 && evaluations.every(({ success, score }) => score === success)) return [];
  return [
    ['score', ...evaluations.map(({ score }) => score)],
    ...names.map((name) => [`score: ${name}`, ...evaluations.map(({ components }) => components[name] ?? 0)] as const),
  ];
}
