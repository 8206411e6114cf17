/** A study's report as Markdown: plain sentences first, then tables, then how the figures were made. */
import { stringify } from 'yaml';
import { markdownTable } from '../markdownTable.ts';
import { duration, percent } from '../table.ts';
import { type ArmFigures, type Comparison, measures, smoothing } from './comparison.ts';
import type { Figure } from './figures.ts';
import type { MissingRun, Report } from './report.ts';
import { type Diagnostic, diagnosticNames } from './results.ts';
import { type Estimate, type Interval, leastSeeds, resamples } from './statistics.ts';

export function reportMarkdown(report: Report, drawn: readonly Figure[]): string {
  const { study, figures, missing } = report;
  const figure = (start: string) =>
    drawn.filter(({ name }) => name.startsWith(start)).map(({ name, caption }) => `![${caption}](${name}.svg)`);
  const sections = [
    `# ${study.title}`,
    ...(missing.length > 0 ? [tellMissing(missing, study.runs.length)] : []),
    '## Outcome',
    ...measures.map(({ name, what }) => tellComparisons(report, name, what)),
    ...figure('final-success'),
    successTable(figures.arms),
    ...figure('difference'),
    '## Differences',
    `Each arm against ${study.reference}, over the seeds that both have. Points of success.`,
    comparisonTable(figures.againstReference, true),
    ...(figures.arms.length > 2
      ? [
          'Each arm against each that stands before it, in held-out success after training:',
          comparisonTable(figures.pairs, false),
        ]
      : []),
    '## Curves',
    ...figure('training-by'),
    ...figure('held-out-by'),
    ...typeSection(figures.arms),
    '## Cost',
    costTable(figures.arms, study.reference),
    ...(figures.arms.some(({ warmStartSeconds }) => warmStartSeconds !== null && warmStartSeconds > 0)
      ? [
          'Arms of a seed whose warm starts are the same share one. Its seconds are those of the run that made it, mostly one of the first arm, and are in the wall time of that run.',
        ]
      : []),
    ...figure('seconds'),
    '## What there was to learn from',
    'Means over all iterations and seeds.',
    diagnosticTable(figures.arms),
    '## Single runs',
    runTable(report),
    '## Arms',
    armTable(figures.arms, study.reference),
    '## How this was made',
    describeMaking(report),
    describeMethod(report),
  ];
  return `${sections.join('\n\n')}\n`;
}

function tellMissing(missing: readonly MissingRun[], total: number): string {
  const list = missing.map(({ name, iteration, iterations }) =>
    iteration === null
      ? `- ${name}: not begun, or not past its warm start`
      : `- ${name}: iteration ${iteration} of ${iterations}`,
  );
  return `**${missing.length} of ${total} runs are missing.** Figures are of the others:\n\n${list.join('\n')}`;
}

/** What can be said of an arm against the reference, a sentence each. */
function tellComparisons({ figures, study }: Report, measure: string, what: string): string {
  const those = figures.againstReference.filter((comparison) => comparison.measure === measure);
  if (figures.arms.length === 1) return `There is one arm, so nothing can be compared in ${what}.`;
  if (those.length === 0)
    return `Nothing can be compared with ${study.reference} in ${what}: no arm has a seed in common with it.`;
  const tested = those.filter(({ p }) => p !== null).length;
  const list = those.map((comparison) => `- ${comparison.arm}: ${verdictOf(comparison, tested)}`);
  return `Against ${study.reference} in ${what}:\n\n${list.join('\n')}`;
}

function verdictOf({ mean, studentInterval, seeds, verdict }: Comparison, comparisons: number): string {
  const by = `${signedPoints(mean)} points${studentInterval ? ` (95 %: ${range(studentInterval, signedPoints)})` : ''} over ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}`;
  switch (verdict) {
    case 'separated':
      return `**separated**, ${by}, also when held against the number of comparisons (${comparisons}).`;
    case 'separated alone':
      return `separated by itself, ${by}, but not when held against the number of comparisons (${comparisons}): one in twenty looks so by chance.`;
    case 'not separated':
      return `not separated, ${by}.`;
    case 'too few seeds':
      return `${by}, from which nothing follows: it takes ${leastSeeds} seeds to say whether arms are separated.`;
  }
}

function successTable(arms: readonly ArmFigures[]): string {
  const hasScore = arms.some(({ score }) => score !== null);
  return markdownTable(
    ['arm', 'seeds', 'warm start', 'after training', 'gain, points', 'in training', ...(hasScore ? ['score'] : [])],
    arms.map(({ name, seeds, warmStart, final, gain, training, score }) => [
      name,
      String(seeds.length),
      rate(warmStart),
      rate(final),
      withInterval(gain, signedPoints),
      training ? rate(training) : '–',
      ...(hasScore ? [score ? withInterval(score, (value) => value.toFixed(3)) : '–'] : []),
    ]),
  );
}

function comparisonTable(comparisons: readonly Comparison[], hasMeasure: boolean): string {
  const whatOf = (name: string) => measures.find((measure) => measure.name === name)!.what;
  return markdownTable(
    [
      'arm',
      'against',
      ...(hasMeasure ? ['in'] : []),
      'seeds',
      'points',
      't interval',
      'bootstrap interval',
      'p',
      'p, all comparisons',
      'separated',
    ],
    comparisons.map(({ arm, against, measure, seeds, mean, studentInterval, interval, p, adjustedP, verdict }) => [
      arm,
      against,
      ...(hasMeasure ? [whatOf(measure)] : []),
      String(seeds),
      signedPoints(mean),
      studentInterval ? range(studentInterval, signedPoints) : '–',
      interval ? range(interval, signedPoints) : '–',
      pValue(p),
      pValue(adjustedP),
      { separated: 'yes', 'separated alone': 'alone', 'not separated': 'no', 'too few seeds': '–' }[verdict],
    ]),
  );
}

function typeSection(arms: readonly ArmFigures[]): string[] {
  const types = [...new Set(arms.flatMap(({ byType }) => Object.keys(byType)))];
  if (types.length < 2) return [];
  const rows = arms.map(({ name, byType, final }) => [
    name,
    ...types.map((type) => (byType[type] ? rate(byType[type]) : '–')),
    rate(final),
  ]);
  return ['## By task type', 'Held-out success after training.', markdownTable(['arm', ...types, 'all'], rows)];
}

function costTable(arms: readonly ArmFigures[], reference: string): string {
  const base = arms.find(({ name }) => name === reference)?.seconds;
  return markdownTable(
    [
      'arm',
      'rollout, s',
      'advantages, s',
      'update, s',
      'an iteration, s',
      `advantages beyond ${reference}'s, % of its iteration`,
      'share of advantages, %',
      'tokens/s',
      'steps an episode, before',
      'after',
      'warm start, s',
      'evaluations, s',
      'a run',
    ],
    arms.map(({ name, seconds, advantageShare, tokensPerSecond, length, ...arm }) => [
      name,
      seconds?.rollout.toFixed(3) ?? '–',
      seconds?.advantage.toFixed(4) ?? '–',
      seconds?.update.toFixed(3) ?? '–',
      seconds?.total.toFixed(3) ?? '–',
      base && seconds ? signed((100 * (seconds.advantage - base.advantage)) / base.total, 2) : '–',
      (100 * advantageShare).toFixed(2),
      Math.round(tokensPerSecond).toLocaleString('en'),
      length.before.toFixed(1),
      length.after.toFixed(1),
      arm.warmStartSeconds?.toFixed(1) ?? '–',
      arm.evaluationSeconds.toFixed(1),
      duration(arm.runSeconds),
    ]),
  );
}

function diagnosticTable(arms: readonly ArmFigures[]): string {
  const names = (Object.keys(diagnosticNames) as Diagnostic[]).filter((name) =>
    arms.some(({ diagnostics }) => diagnostics[name] !== null),
  );
  const rows = arms.map(({ name, diagnostics }) => [name, ...names.map((key) => diagnostics[key]?.toFixed(3) ?? '–')]);
  return markdownTable(['arm', ...names.map((name) => diagnosticNames[name])], rows);
}

function runTable({ results }: Report): string {
  return markdownTable(
    ['arm', 'seed', 'warm start', 'after training', 'in training', 'wall time'],
    results.map(({ run, summary, trainingSuccess }) => [
      run.arm,
      String(run.seed),
      percent(summary.before.success),
      percent(summary.after.success),
      trainingSuccess === null ? '–' : percent(trainingSuccess),
      duration(summary.wallSeconds),
    ]),
  );
}

function armTable(arms: readonly ArmFigures[], reference: string): string {
  const rows = arms.map(({ name, settings }) => {
    const own = Object.keys(settings).length === 0 ? 'nothing' : `\`${inline(settings)}\``;
    return [name === reference ? `${name} (reference)` : name, own];
  });
  return markdownTable(['arm', 'what it sets besides'], rows);
}

/** Settings as YAML in one line. */
function inline(settings: object): string {
  return stringify(settings, { collectionStyle: 'flow', lineWidth: 0 })
    .trim()
    .replace(/^\{ | \}$/g, '');
}

function describeMaking({ study, command, sessions, made, changedModules, results }: Report): string {
  const tasks = results[0]!.summary.after.episodes;
  const { split } = results[0]!.run.config.evaluation;
  const runs = sessions.map(({ started, command: made, machine, node, version, commit, changed, jobs, threads }) => {
    const source =
      commit === null
        ? `proxmo ${version}`
        : `proxmo ${version} at commit ${commit}${changed ? ', with changes to it' : ''}`;
    const share = jobs === 1 ? 'one run at a time' : `${jobs} runs at a time`;
    return `- \`${made}\`, ${started.slice(0, 10)}: ${machine}; Node ${node.slice(1)}; ${source}; ${share}${threads === null ? '' : `, ${threads} driver threads each`}`;
  });
  return [
    `The study is \`${study.file}\`: ${study.arms.length} arms, seeds ${study.seeds.join(', ')}. Held-out success is that on ${tasks} ${split} tasks, the same for every run.`,
    '',
    ...runs,
    `- on ${made.join('; ')}`,
    ...changedModules.map(
      (path) => `- **${path} was changed in between**, so runs before and after are not of one kind`,
    ),
    `- this report: \`${command}\``,
  ].join('\n');
}

function describeMethod({ results, figures: { arms } }: Report): string {
  const least = Math.min(...results.map(({ summary }) => summary.after.episodes));
  const most = Math.max(...arms.map(({ seeds }) => seeds.length));
  return [
    ...(most < leastSeeds
      ? []
      : [
          `Intervals are at 95 %. Those of means are percentile bootstrap intervals over seeds, of ${resamples.toLocaleString('en')} resamples: with few seeds they are too narrow (at five they hold the mean in about 83 % of cases, at three in 74 %).`,
        ]),
    ...(arms.some(({ seeds }) => seeds.length < leastSeeds)
      ? [
          `With fewer than ${leastSeeds} seeds a mean has no interval, and nothing is said to be separated: values of two seeds are too often alike by chance.`,
        ]
      : []),
    'Differences are paired by seed: arms of a seed have the same held-out tasks, and the same warm start and training tasks unless they set those themselves.',
    ...(most < leastSeeds
      ? []
      : [
          "Whether they are separated is told by Student's t interval, and by Holm's correction for the number of comparisons in a list. Both take differences of seeds to be spread as a normal distribution, and by no less than rounding to whole episodes does.",
        ]),
    `Figures are of the ${least.toLocaleString('en')} held-out tasks: how another choice of tasks would have come out is not in them. Training success is that of each iteration's own episodes before it learns from them; curves of it are means of the last ${smoothing} iterations. Seconds are medians over iterations, which compiling in the first does not change; that of whole iterations is not exactly the sum of those of their phases.`,
  ].join('\n');
}

function rate(estimate: Estimate): string {
  return withInterval(estimate, (value) => (100 * value).toFixed(1), ' %');
}

function withInterval({ mean, interval }: Estimate, show: (value: number) => string, unit = ''): string {
  return `${show(mean)}${unit}${interval ? ` (${range(interval, show)})` : ''}`;
}

function range([low, high]: Interval, show: (value: number) => string): string {
  return `${show(low)} to ${show(high)}`;
}

/** A difference of fractions in points, with its sign. */
function signedPoints(value: number): string {
  return signed(100 * value, 1);
}

function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : `${value > 0 ? '+' : '−'}${text}`;
}

function pValue(p: number | null): string {
  if (p === null) return '–';
  return p < 0.001 ? '< 0.001' : p.toFixed(3);
}
