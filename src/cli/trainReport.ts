/** What `proxmo train` shows: a live line while it works, a line for each step that is done, and a table at the end. */
import { tellFault } from '../envs/faults.ts';
import type { AdapterDescription } from '../gpu/context.ts';
import type { TuningReport } from '../gpu/tuner.ts';
import type { TrainConfig } from '../rl/config.ts';
import type { Evaluation } from '../rl/evaluate.ts';
import type { IterationMetrics } from '../rl/metrics.ts';
import type { Summary } from '../rl/summary.ts';
import type { TrainEvent } from '../rl/trainingRun.node.ts';
import { creditRows } from './credit.ts';
import { droppedNote } from './dropped.ts';
import { standardOutput } from './output.ts';
import type { ProgressLine } from './progressLine.ts';
import { duration, formatTable, percent } from './table.ts';

export class TrainReporter {
  private readonly started = performance.now();
  private lastMetrics: IterationMetrics | null = null;
  /** Seconds of the iterations so far, for the time that is left. */
  private readonly iterationSeconds: number[] = [];

  constructor(
    private readonly line: ProgressLine,
    private readonly config: TrainConfig,
    private readonly dir: string,
    private readonly resumed: boolean,
  ) {}

  start(adapter: AdapterDescription): void {
    const { environment, advantages, seed } = this.config;
    this.line.print(
      `training with ${advantages.estimator} on ${environment.name}, seed ${seed}, on ${adapter.name} (${adapter.profile.kind === 'cpu' ? 'software adapter' : 'GPU'})`,
    );
  }

  show(event: TrainEvent): void {
    switch (event.kind) {
      case 'begin':
        this.line.print(this.describeBegin(event.from));
        break;
      case 'finished':
        this.line.print(`${this.dir} is finished after ${event.iterations} iterations; --iterations +10 trains on`);
        break;
      case 'progress':
        this.showProgress(event);
        break;
      case 'warm start':
        this.line.print(
          event.loss === null
            ? 'no warm start'
            : `warm start: loss ${event.loss.toFixed(3)} nats a token after ${duration(event.seconds)}`,
        );
        break;
      case 'evaluation':
        this.line.print(this.describeEvaluation(event.evaluation, event.iteration));
        break;
      case 'iteration':
        this.lastMetrics = event.metrics;
        this.iterationSeconds.push(event.metrics.seconds.total);
        this.line.print(this.describeIteration(event.metrics));
        break;
      case 'checkpoint':
        break;
      case 'fault':
        this.line.print(tellFault(event.fault, event.outcome));
        break;
      case 'tuning':
        this.line.show('tuning', `tuning ${event.kernel} ${event.shape}`);
        break;
      case 'tuned':
        this.showTuned(event.report);
        break;
      case 'warning':
        this.line.print(event.text);
        break;
    }
  }

  interrupted(): void {
    this.line.print('stopping after this step; press Ctrl-C again to stop at once');
  }

  /** Takes the live line away. */
  stop(): void {
    this.line.clear();
  }

  finish(summary: Summary): void {
    this.line.clear();
    standardOutput.print(`\n${describeSummary(summary)}\n\nrun folder: ${this.dir}`);
  }

  private showProgress({ iteration, progress }: TrainEvent & { kind: 'progress' }): void {
    const { iterations } = this.config.training;
    const name =
      progress.phase === 'demonstrations' || progress.phase === 'warm start' || progress.phase === 'evaluation'
        ? progress.phase
        : `iteration ${iteration + 1}/${iterations} ${progress.phase}`;
    const parts = [
      `${name} ${Math.round(100 * progress.done)} %`,
      progress.detail,
      this.lastMetrics && briefly(this.lastMetrics),
      this.timeLeft(iteration),
    ];
    this.line.show(name, parts.filter(Boolean).join(' | '));
  }

  private describeBegin(from: number | null): string {
    if (!this.resumed) return `writing ${this.dir}`;
    return from === null
      ? `beginning ${this.dir} again: it had no checkpoint yet`
      : `resuming ${this.dir} from its checkpoint of iteration ${from}`;
  }

  private showTuned({ kernel, shape, variant, ms, defaultMs }: TuningReport): void {
    this.line.show(
      'tuning',
      `tuned ${kernel} ${shape}: ${variant}, ${(defaultMs / ms).toFixed(2)} times as fast as the default`,
    );
  }

  /** Time that is left, by the mean of the last iterations; before the first of them, the time so far. */
  private timeLeft(iteration: number): string {
    const recent = this.iterationSeconds.slice(-5);
    if (recent.length === 0) return `${duration((performance.now() - this.started) / 1000)} so far`;
    const mean = recent.reduce((sum, seconds) => sum + seconds, 0) / recent.length;
    return `${duration(mean * (this.config.training.iterations - iteration))} left`;
  }

  private describeEvaluation(evaluation: Evaluation, iteration: number): string {
    const when = iteration === 0 ? 'before training' : `after ${iteration} iterations`;
    const [low, high] = evaluation.interval;
    const { split } = this.config.evaluation;
    return `${when}: ${percent(evaluation.success)} of ${evaluation.episodes} ${split} tasks (95 %: ${percent(low)} to ${percent(high)}), ${duration(evaluation.seconds)}${droppedNote(evaluation)}`;
  }

  private describeIteration(metrics: IterationMetrics): string {
    const { iterations } = this.config.training;
    const lost =
      metrics.dropped > 0 ? ` | ${metrics.dropped} episodes dropped, ${metrics.groupsLeftOut} groups left out` : '';
    return `iteration ${metrics.iteration + 1}/${iterations} | ${briefly(metrics)} | ${metrics.seconds.total.toFixed(1)} s${lost}`;
  }
}

/** The KL is that to the reference; to the policy that sampled where there is none. */
function briefly(metrics: IterationMetrics): string {
  const { success, return: reward, kl, samplerKl = 0, entropy, deadGroupShare, groups } = metrics;
  const alike = Math.round(deadGroupShare * groups);
  return [
    `success ${percent(success)}`,
    `reward ${reward.toFixed(2)}`,
    kl === undefined ? `KL to sampler ${samplerKl.toFixed(4)}` : `KL ${kl.toFixed(4)}`,
    `entropy ${entropy.toFixed(3)}`,
    ...(alike > 0 ? [`no difference in ${alike} of ${groups} groups`] : []),
  ].join(' | ');
}

/** The result: before and after, in all and by task type. */
function describeSummary({
  before,
  after,
  wallSeconds,
  tokensPerSecond,
  advantageShare,
  adapter,
  seed,
}: Summary): string {
  const signed = (value: number, digits: number) => `${value >= 0 ? '+' : ''}${value.toFixed(digits)}`;
  const row = (name: string, from: number, to: number) => [
    name,
    percent(from),
    percent(to),
    signed(100 * (to - from), 1),
  ];
  return [
    formatTable([
      ['held-out success', 'before', 'after', 'points'],
      row('all', before.success, after.success),
      ...Object.keys(after.byTask).map((type) => row(type, before.byTask[type] ?? 0, after.byTask[type] ?? 0)),
      ['episode length', before.meanLength.toFixed(1), after.meanLength.toFixed(1), ''],
      row('valid actions', before.validShare, after.validShare),
      ...creditRows(before, after).map(([name, from = 0, to = 0]) => [
        name,
        from.toFixed(3),
        to.toFixed(3),
        signed(to - from, 3),
      ]),
    ]),
    '',
    `seed ${seed}, ${after.episodes} held-out tasks, ${duration(wallSeconds)} on ${adapter}${droppedNote(after)}`,
    `${Math.round(tokensPerSecond)} tokens/s in training; advantages took ${(100 * advantageShare).toFixed(2)} % of an iteration (the paper: 1.09 %)`,
  ].join('\n');
}
