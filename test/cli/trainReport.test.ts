/** The line of an iteration: what it names, and what it says of groups that teach nothing. */
import { expect, it } from 'vitest';
import type { ProgressLine } from '../../src/cli/progressLine.ts';
import { TrainReporter } from '../../src/cli/trainReport.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import type { IterationMetrics } from '../../src/rl/metrics.ts';

const figures = { iteration: 0, success: 0.5, return: 5, entropy: 0.1, groups: 16, seconds: { total: 2 } };

function lineOf(metrics: Partial<IterationMetrics>): string {
  const printed: string[] = [];
  const line = { print: (text: string) => printed.push(text), show: () => {}, clear: () => {} };
  const reporter = new TrainReporter(line as unknown as ProgressLine, trainConfigSchema.parse({}), 'run', false);
  reporter.show({ kind: 'iteration', metrics: { ...figures, ...metrics } as IterationMetrics });
  return printed.join('\n');
}

it('names the reference or the sampler as what the KL is to', () => {
  expect(lineOf({ kl: 0.01, deadGroupShare: 0 })).toBe(
    'iteration 1/16 | success 50.0 % | reward 5.00 | KL 0.0100 | entropy 0.100 | 2.0 s',
  );
  expect(lineOf({ samplerKl: 0.02, deadGroupShare: 0 })).toContain('| KL to sampler 0.0200 |');
});

it('counts the groups whose episodes all came to the same', () => {
  expect(lineOf({ kl: 0, deadGroupShare: 12 / 16 })).toContain('| no difference in 12 of 16 groups | 2.0 s');
  expect(lineOf({ kl: 0, deadGroupShare: 1 })).toContain('| no difference in 16 of 16 groups | 2.0 s');
});
