/** A reporter of vitest: says behind its counts why tests were skipped. */
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';
import './needs.ts';

/** A line for each reason, the most frequent first. */
export function skippedLines(reasons: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .sort(([one, a], [other, b]) => b - a || one.localeCompare(other))
    .map(([reason, count]) => `${String(count).padStart(11)} skipped: ${reason}`);
}

/** Why a test was skipped: what it needs (`needs.ts`), or what it said itself by `skip(condition, reason)`. */
function reasonOf(test: TestCase): string {
  const { needs } = test.meta();
  if (needs !== undefined && test.options.mode === 'skip') return `needs ${needs}`;
  const result = test.result();
  return (result.state === 'skipped' && result.note) || 'for no stated reason';
}

export class WhySkipped implements Reporter {
  private vitest: Vitest | null = null;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const pattern = this.vitest?.getGlobalTestNamePattern();
    // What `-t` leaves out is skipped too, for vitest.
    const isMeant = ({ fullName }: TestCase) => !pattern || pattern.test(fullName.replaceAll(' > ', ' '));
    const skipped = modules.flatMap((module) => [...module.children.allTests('skipped')].filter(isMeant));
    const lines = skippedLines(skipped.map(reasonOf));
    if (lines.length > 0) console.log(`${lines.join('\n')}\n`);
  }
}
