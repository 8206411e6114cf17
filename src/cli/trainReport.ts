/**
 * What `proxmo train` shows: a live line while it works, a line for each step that is done, and a table at the end.
 * Where the output is no terminal, iterations have a line every now and then: `metrics.jsonl` has them all.
 */
import { tellFault } from '../envs/faults.ts';
import type { AdapterDescription } from '../gpu/adapterDescription.ts';
import type { TuningReport } from '../gpu/tuner.ts';
import { estimatorName } from '../rl/advantages/options.ts';
import type { TrainConfig } from '../rl/config.ts';
import type { Evaluation } from '../rl/evaluate.ts';
import type { IterationMetrics } from '../rl/metrics.ts';
import type { Summary } from '../rl/summary.ts';
import type { TrainEvent } from '../rl/trainingRun.node.ts';
import { bar, sparkline } from './bars.ts';
import { creditRows } from './credit.ts';
import { droppedNote } from './dropped.ts';
import type { ProgressLine } from './progressLine.ts';
import { RunReporter } from './runReport.ts';
import { duration, formatTable, percent, signed } from './table.ts';

const barWidth = 20;
const sparkWidth = 20;
/** Of a run's iterations, where the output is no terminal: the first, so many in all, and one after so many seconds. */
const firstLines = 3;
const mostLines = 20;
const secondsBetweenLines = 60;
/** Iterations, and seconds of them, from which on the share of advantages is compared with the paper's. */
const leastIterations = 10;
const leastSeconds = 60;

export class TrainReporter extends RunReporter {
  private lastMetrics: IterationMetrics | null = null;
  private readonly successes: number[] = [];
  /** Seconds of the iterations so far. */
  private iterationSeconds = 0;
  /** When the last line on an iteration was printed, in milliseconds. */
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(
    line: ProgressLine,
    private readonly config: TrainConfig,
    dir: string,
    resumed: boolean,
  ) {
    super(line, dir, resumed, 'iteration');
  }

  start(adapter: AdapterDescription): void {
    const { environment, advantages, seed } = this.config;
    this.showAdapter(`training with ${estimatorName(advantages)} on ${environment.name}, seed ${seed},`, adapter);
  }

  show(event: TrainEvent): void {
    switch (event.kind) {
      case 'begin':
        this.showBegin(event);
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
            : `warm start${event.isShared ? ' of another run' : ''}: loss ${event.loss.toFixed(3)} nats a token after ${duration(event.seconds)}`,
        );
        break;
      case 'evaluation':
        this.line.print(this.describeEvaluation(event.evaluation, event.iteration));
        break;
      case 'iteration':
        this.showIteration(event.metrics);
        break;
      case 'checkpoint':
        break;
      case 'fault':
        this.line.print(tellFault(event.fault, event.outcome), 'yellow');
        break;
      case 'tuning':
        this.line.show('tuning', `tuning ${event.kernel} ${event.shape}`);
        break;
      case 'tuned':
        this.showTuned(event.report);
        break;
      case 'warning':
        this.line.print(event.text, 'yellow');
        break;
    }
  }

  finish(summary: Summary): void {
    this.showEnd(describeSummary(summary, this.isLongEnough));
  }

  private showProgress({ iteration, progress, run: { share, seconds } }: TrainEvent & { kind: 'progress' }): void {
    const isOutside = ['demonstrations', 'warm start', 'evaluation'].includes(progress.phase);
    const place = isOutside ? '' : `iteration ${iteration + 1}/${this.config.training.iterations} `;
    const last = this.lastMetrics;
    this.line.showParts([
      { text: `${bar(share, barWidth)} ${Math.floor(100 * share)} %`, colour: 'cyan' },
      { text: seconds === null ? '' : `${duration(seconds)} left`, rank: 1 },
      { text: `${place}${progress.phase} ${Math.floor(100 * progress.done)} %`, rank: 2 },
      { text: progress.detail ?? '', rank: 3 },
      {
        text: last === null ? '' : `success ${percent(last.success)} ${sparkline(this.successes, sparkWidth)}`,
        colour: 'green',
        rank: 3,
      },
      { text: last === null ? '' : deadGroups(last), colour: 'yellow', rank: 4 },
    ]);
  }

  private showIteration(metrics: IterationMetrics): void {
    this.lastMetrics = metrics;
    this.successes.push(metrics.success);
    this.iterationSeconds += metrics.seconds.total;
    const { iterations } = this.config.training;
    const number = metrics.iteration + 1;
    const now = performance.now();
    const isDue = (now - this.toldAt) / 1000 >= secondsBetweenLines || number % Math.ceil(iterations / mostLines) === 0;
    const isFirst = this.successes.length <= firstLines;
    const isTold = this.line.isLive || isFirst || isDue || number === iterations || metrics.dropped > 0;
    if (!isTold) return;
    this.toldAt = now;
    this.line.print(this.describeIteration(metrics));
  }

  /** Whether this process has iterated long enough to say what their parts take. */
  private get isLongEnough(): boolean {
    return this.successes.length >= leastIterations && this.iterationSeconds >= leastSeconds;
  }

  private showTuned({ kernel, shape, variant, ms, defaultMs }: TuningReport): void {
    this.line.show(
      'tuning',
      `tuned ${kernel} ${shape}: ${variant}, ${(defaultMs / ms).toFixed(2)} times as fast as the default`,
    );
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
  const { success, return: reward, kl, samplerKl = 0, entropy } = metrics;
  return [
    `success ${percent(success)}`,
    `reward ${reward.toFixed(2)}`,
    kl === undefined ? `KL to sampler ${samplerKl.toFixed(4)}` : `KL ${kl.toFixed(4)}`,
    `entropy ${entropy.toFixed(3)}`,
    deadGroups(metrics),
  ]
    .filter(Boolean)
    .join(' | ');
}

function deadGroups({ deadGroupShare, groups }: IterationMetrics): string {
  const alike = Math.round(deadGroupShare * groups);
  return alike > 0 ? `no difference in ${alike} of ${groups} groups` : '';
}

/** The result: before and after, in all and by task type. */
function describeSummary(summary: Summary, isLongEnough: boolean): string {
  const { before, after, wallSeconds, tokensPerSecond, advantageShare, adapter, seed } = summary;
  const overhead = `; advantages took ${(100 * advantageShare).toFixed(2)} % of an iteration (the paper: 1.09 %)`;
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
    `${Math.round(tokensPerSecond)} tokens/s in training${isLongEnough ? overhead : ''}`,
  ].join('\n');
}
