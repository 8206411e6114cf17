/**
 * What `proxmo study` shows while it runs: a line for each run that ends, and on a terminal a live line for the whole.
 */

import { standardError } from '../output.ts';
import type { RunNews } from '../parent.ts';
import type { ProgressLine } from '../progressLine.ts';
import { duration, percent } from '../table.ts';
import { logPath } from './child.ts';
import type { StudyRun } from './file.ts';
import type { Outcome, RunnerHooks } from './runner.ts';

export class StudyProgress implements RunnerHooks {
  readonly failures: { readonly run: StudyRun; readonly reason: string }[] = [];
  private readonly started = performance.now();
  private readonly running = new Map<StudyRun, { first: number; news: RunNews | null; begun: number }>();
  /** Runs that came to their end in this session, in shares of a run where they began before it. */
  private worked = 0;
  private failed = 0;

  /**
   * @param total runs of the study
   * @param done those that were done before
   */
  constructor(
    private readonly line: ProgressLine,
    private readonly total: number,
    private done: number,
  ) {}

  onBegin(run: StudyRun): void {
    this.running.set(run, { first: 0, news: null, begun: performance.now() });
    this.show();
  }

  onNews(run: StudyRun, news: RunNews): void {
    const known = this.running.get(run);
    if (!known) return;
    if (known.news === null) known.first = news.iteration / news.iterations;
    known.news = news;
    this.show();
  }

  onWait(run: StudyRun, holder: string): void {
    this.line.print(`${run.name} is in use by ${holder}; waiting for it to end`);
  }

  onEnd(run: StudyRun, outcome: Outcome): void {
    const known = this.running.get(run);
    this.running.delete(run);
    if (outcome.kind === 'done') {
      this.done++;
      this.worked += 1 - (known?.first ?? 1);
      const { before, after } = outcome.summary;
      const seconds = known ? `, ${duration((performance.now() - known.begun) / 1000)}` : '';
      const what = `${percent(before.success)} before, ${percent(after.success)} after, of ${after.episodes} tasks`;
      this.line.print(`${run.name}: ${what}${seconds} | ${this.state()}`);
    } else if (outcome.kind === 'failed') {
      this.failed++;
      this.failures.push({ run, reason: outcome.reason });
      this.line.print(`${run.name} failed: ${outcome.reason} (${logPath(run)}) | ${this.state()}`);
    } else if (known) this.line.print(`${run.name} is stopped`);
    this.show();
  }

  stopping(): void {
    this.line.print('stopping after this step; press Ctrl-C again to stop at once');
  }

  /** Takes the live line away. */
  end(): void {
    this.line.clear();
  }

  private show(): void {
    if (standardError.columns === null || this.running.size === 0) return;
    const runs = [...this.running].map(([{ name }, { news }]) => `${name} ${news ? tell(news) : 'starts'}`);
    this.line.show('study', [this.state(), ...runs].join(' | '));
  }

  private state(): string {
    const left = this.total - this.done - this.failed - this.running.size;
    return [
      `${this.done} of ${this.total} runs done`,
      ...(this.failed > 0 ? [`${this.failed} failed`] : []),
      ...(this.running.size > 0 ? [`${this.running.size} running`] : []),
      ...(left > 0 ? [`${left} to come`] : []),
      ...this.timeLeft(),
    ].join(', ');
  }

  /** At the pace of this session so far, once there is enough of it to say. */
  private timeLeft(): string[] {
    const shares = [...this.running.values()].map(({ news, first }) => {
      const share = news ? news.iteration / news.iterations : 0;
      return { share, since: Math.max(0, share - first) };
    });
    const worked = this.worked + shares.reduce((sum, { since }) => sum + since, 0);
    const left = this.total - this.done - this.failed - shares.reduce((sum, { share }) => sum + share, 0);
    if (worked < 0.1 || left <= 0) return [];
    return [`${duration(((performance.now() - this.started) / 1000 / worked) * left)} left`];
  }
}

function tell({ iteration, iterations, phase, done, success }: RunNews): string {
  const where = phase === 'iteration' || iteration > 0 ? `${iteration}/${iterations}` : `${phase} ${percentOf(done)}`;
  return success === null ? where : `${where} (${percent(success)})`;
}

function percentOf(share: number): string {
  return `${Math.round(100 * share)} %`;
}
