/** The line of an iteration: what it names, and what it says of groups that teach nothing. */
import { expect, it, vi } from 'vitest';
import { standardOutput } from '../../src/cli/output.ts';
import type { ProgressLine } from '../../src/cli/progressLine.ts';
import { TrainReporter } from '../../src/cli/trainReport.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import type { IterationMetrics } from '../../src/rl/metrics.ts';
import type { Summary } from '../../src/rl/summary.ts';

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

it.each([
  [{ from: 3, warmStartStep: null }, 'resuming run from its checkpoint of iteration 3'],
  [{ from: null, warmStartStep: 12 }, 'resuming run within its warm start, of which step 12 is saved'],
  [{ from: null, warmStartStep: null }, 'beginning run again: it had no checkpoint yet'],
])('says where a run goes on: %j', (where, said) => {
  const printed: string[] = [];
  const line = { print: (text: string) => printed.push(text) } as unknown as ProgressLine;
  new TrainReporter(line, trainConfigSchema.parse({}), 'run', true).show({ kind: 'begin', ...where });
  expect(printed).toEqual([said]);
});

const credit = { score: 0.5, components: {} };

/** A run of as many iterations as the settings have, each of so many seconds. */
function reported(iterations: number, seconds: number, isLive: boolean) {
  const printed: string[] = [];
  const written = vi.spyOn(standardOutput, 'write').mockImplementation(() => undefined);
  const line = { print: (text: string) => printed.push(text), showParts: () => {}, clear: () => {}, isLive };
  const config = trainConfigSchema.parse({ training: { iterations } });
  const reporter = new TrainReporter(line as unknown as ProgressLine, config, 'run', false);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const metrics = { ...figures, kl: 0, deadGroupShare: 0, dropped: 0, iteration, seconds: { total: seconds } };
    reporter.show({ kind: 'iteration', metrics: metrics as unknown as IterationMetrics });
  }
  const evaluation = { success: 0.5, byTask: {}, meanLength: 3, validShare: 1, episodes: 10, dropped: 0, ...credit };
  const summary = { before: evaluation, after: evaluation, wallSeconds: 9, tokensPerSecond: 5, advantageShare: 0.01 };
  reporter.finish({ ...summary, adapter: 'a', seed: 1 } as unknown as Summary);
  const end = written.mock.calls.join('');
  written.mockRestore();
  return { iterations: printed.filter((text) => text.startsWith('iteration ')), end };
}

it('compares the overhead with the paper only where there was enough to measure', () => {
  expect(reported(30, 3, true).end).toContain(
    '5 tokens/s in training; advantages took 1.00 % of an iteration (the paper',
  );
  for (const [iterations, seconds] of [
    [30, 1],
    [5, 100],
  ] as const)
    expect(reported(iterations, seconds, true).end).not.toContain('the paper');
});

it('has a line for every iteration on a terminal, and elsewhere some twenty in all', () => {
  expect(reported(150, 1, true).iterations.length).toBe(150);
  const { iterations } = reported(150, 1, false);
  expect(iterations.length).toBeGreaterThan(15);
  expect(iterations.length).toBeLessThan(25);
  expect(iterations[0]).toContain('iteration 1/150');
  expect(iterations.at(-1)).toContain('iteration 150/150');
  expect(reported(6, 1, false).iterations.length).toBe(6);
});
