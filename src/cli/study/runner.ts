/** Runs what is missing of a study, some at a time. A run that fails does not end the others. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { holderOf } from '../../base/lock.node.ts';
import type { Summary } from '../../rl/summary.ts';
import { clearUnbegunRun, runFiles } from '../../runs/run.ts';
import type { RunNews } from '../parent.ts';
import { type ChildOptions, TrainingChild } from './child.ts';
import type { StudyRun } from './file.ts';
import { stateOf } from './state.ts';

/** What became of a run. */
export type Outcome =
  | { readonly kind: 'done'; readonly summary: Summary }
  | { readonly kind: 'failed'; readonly reason: string }
  /** It is not at its end, as it was asked to stop. */
  | { readonly kind: 'stopped' };

export interface RunnerHooks {
  onBegin(run: StudyRun): void;
  onNews(run: StudyRun, news: RunNews): void;
  /** Another process is at this run, and is waited for. */
  onWait(run: StudyRun, holder: string): void;
  onEnd(run: StudyRun, outcome: Outcome): void;
}

/** How often a lock is looked at that another process holds. In milliseconds. */
const lookEvery = 500;

export class StudyRunner {
  private readonly children = new Set<TrainingChild>();
  private isStopping = false;

  constructor(
    private readonly options: Omit<ChildOptions, 'onNews'>,
    private readonly hooks: RunnerHooks,
  ) {}

  /** Runs all of them, `jobs` at a time, in order, until they are done or `stop` is called. */
  async run(runs: readonly StudyRun[], jobs: number): Promise<void> {
    const waiting = [...runs];
    const work = async () => {
      for (let run = waiting.shift(); run && !this.isStopping; run = waiting.shift()) {
        const outcome = await this.outcomeOf(run).catch(
          (error: Error): Outcome => ({ kind: 'failed', reason: error.message }),
        );
        this.hooks.onEnd(run, outcome);
      }
    };
    await Promise.all(Array.from({ length: Math.min(jobs, runs.length) }, work));
  }

  /** Lets the runs stop with a checkpoint, and begins no more. */
  stop(): void {
    this.isStopping = true;
    for (const child of this.children) child.stop();
  }

  /** Ends the runs at once. What they did since their last checkpoint is done again when the study goes on. */
  kill(): void {
    for (const child of this.children) child.kill();
  }

  private async outcomeOf(run: StudyRun): Promise<Outcome> {
    await this.waitForLock(run);
    if (this.isStopping) return { kind: 'stopped' };
    const before = await stateOf(run);
    if (typeof before === 'string') return { kind: 'failed', reason: `its settings were changed: ${before}` };
    if (before.kind === 'done') return before;
    if (before.kind === 'new') await clearUnbegunRun(run.dir);
    this.hooks.onBegin(run);
    const child = new TrainingChild(run, before.kind === 'new', {
      ...this.options,
      onNews: (news) => this.hooks.onNews(run, news),
    });
    this.children.add(child);
    if (this.isStopping) child.stop();
    const { reason } = await child.ended.finally(() => this.children.delete(child));
    const after = await stateOf(run);
    if (typeof after === 'object' && after.kind === 'done') return after;
    return this.isStopping ? { kind: 'stopped' } : { kind: 'failed', reason };
  }

  /** A run whose study was killed may still be on its way to a checkpoint. */
  private async waitForLock(run: StudyRun): Promise<void> {
    let isTold = false;
    for (;;) {
      const holder = holderOf(join(run.dir, runFiles.lock));
      if (holder === null || this.isStopping) return;
      if (!isTold) this.hooks.onWait(run, holder);
      isTold = true;
      await sleep(lookEvery);
    }
  }
}
