/** The page of a report: what is wrong first, then what the adapter is, reaches and learns, then all figures. */
import type { Ceiling, MeasuredCeilings } from '../../gpu/ceilings.ts';
import type { Ceilings } from '../../gpu/rates.ts';
import { figure, kernelRates } from '../../view/profile/kernelWords.ts';
import type { RooflineKernel } from '../../view/profile/roofline.ts';
import { noiseOf, spreadOf } from '../bench/noise.ts';
import { type BenchRow, benchCells, benchHeadings } from '../bench/rows.ts';
import type { KernelFinding } from '../doctor/kernelChecks.ts';
import { markdownTable } from '../markdownTable.ts';
import { duration, percent } from '../table.ts';
import type { ReportFacts } from './facts.ts';
import type { Product } from './products.ts';
import type { Records } from './records.ts';
import { type TrainingState, trainingPart } from './training.ts';

/** How many items of a part there are. */
export interface PartSize {
  readonly name: string;
  readonly total: number;
}

export interface ReportPage {
  readonly facts: ReportFacts;
  readonly records: Records;
  /** Of the parts that measure on the device. */
  readonly parts: readonly PartSize[];
  readonly trainings: readonly (readonly [name: string, state: TrainingState])[];
  /** File of the roofline picture; null where nothing was profiled. */
  readonly picture: string | null;
  /** The command that goes on with it. */
  readonly command: string;
}

/** What a profile of a workload left in the records. */
export interface ProfileResult {
  readonly workload: string;
  readonly timing: string;
  readonly milliseconds: {
    readonly wall: number;
    readonly gpu: number;
    readonly gaps: number;
    readonly encoding: number;
  };
  readonly ceilings: Ceilings;
  readonly kernels: readonly RooflineKernel[];
}

export function reportPage(page: ReportPage): string {
  const { facts, records } = page;
  const sections = [
    `# ${plain(facts.adapter)}`,
    `What \`proxmo gpu-report\` found on this adapter on ${facts.date.slice(0, 10)}. ${versionsOf(facts)}.`,
    ...unfinished(page),
    '## Outcome',
    outcome(page),
    ...failures(records),
    '## Adapter',
    adapterTable(facts),
    ...ceilings(records),
    ...products(records),
    ...workloads(records),
    ...roofline(page),
    ...trainings(page),
    ...kernels(records),
    ...benches(records),
    ...folded('Features and limits', featuresAndLimits(facts)),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** The same as data. */
export function reportData({ facts, records, parts, trainings }: ReportPage): object {
  const results = parts.map(({ name }) => [name, Object.fromEntries(doneOf(records, name))]);
  return {
    format: 'proxmo-gpu-report',
    formatVersion: 1,
    facts,
    failures: records.failures,
    ...Object.fromEntries(results),
    training: Object.fromEntries(trainings),
  };
}

function doneOf<T>(records: Records, part: string): [item: string, result: T][] {
  return [...records.itemsOf(part)].flatMap(([item, state]) =>
    state.kind === 'done' ? [[item, state.result as T] as [string, T]] : [],
  );
}

function versionsOf({ versions, host }: ReportFacts): string {
  const tools = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [...tools, host.system].join(', ');
}

/** Items of parts that the time did not reach. */
export function missingOf({ records, parts, trainings }: ReportPage): string[] {
  const ofParts = parts.flatMap(({ name, total }) => {
    const ended = [...records.itemsOf(name).values()].filter(({ kind }) => kind !== 'open').length;
    if (ended >= total || records.stateOf(name, 'start').kind === 'failed') return [];
    return [`${name}: ${ended} of ${total}`];
  });
  const ofTrainings = trainings.flatMap(([name, state]) => {
    if (state.kind === 'new') return [`training of ${name}: not begun`];
    if (state.kind !== 'begun' || records.stateOf(trainingPart, name).kind === 'failed') return [];
    return [
      `training of ${name}: ${state.outcome.iteration} of ${state.outcome.config.training.iterations} iterations`,
    ];
  });
  return [...ofParts, ...ofTrainings];
}

function unfinished(page: ReportPage): string[] {
  const missing = missingOf(page);
  if (missing.length === 0) return [];
  return [
    `**Not everything was reached in the time.** The same command goes on: \`${page.command}\`\n\n${list(missing)}`,
  ];
}

function outcome(page: ReportPage): string {
  const { records } = page;
  const findings = doneOf<KernelFinding>(records, 'kernels').map(([, finding]) => finding);
  const lines = [
    kernelWords(findings),
    ...page.trainings.map(([name, state]) => `${name}: ${trainingWords(state)}`),
    `${failuresIn(records).length} failures`,
  ];
  return list(lines);
}

function kernelWords(findings: readonly KernelFinding[]): string {
  const checked = findings.filter(({ leftOut }) => leftOut === null);
  const wrong = checked.filter(({ problems }) => problems.length > 0);
  const variants = checked.reduce((sum, finding) => sum + finding.variants.length, 0);
  const left = findings.length - checked.length;
  return [
    `${checked.length - wrong.length} of ${checked.length} checked kernels are right (${variants} variants)`,
    ...(wrong.length > 0 ? [`**wrong: ${wrong.map(({ kernel }) => kernel).join(', ')}**`] : []),
    ...(left > 0 ? [`${left} left out, as the adapter stores no f16`] : []),
  ].join('; ');
}

function trainingWords(state: TrainingState): string {
  switch (state.kind) {
    case 'new':
      return 'not begun';
    case 'left out':
      return `left out: ${plain(state.why)}`;
    case 'begun': {
      const { iteration, config, curve } = state.outcome;
      return `${iteration} of ${config.training.iterations} iterations so far${curve.length > 0 ? `, success in the last ${percent(curve.at(-1)!)}` : ''}`;
    }
    case 'done': {
      const { before, after, wallSeconds, tokensPerSecond } = state.summary;
      return `success on held-out tasks from ${percent(before.success)} to ${percent(after.success)} in ${duration(wallSeconds)}, ${tokensPerSecond.toFixed(0)} tokens/s`;
    }
  }
}

/** Every failure with its message, wrong results of kernels among them. */
export function failuresIn(records: Records): [part: string, what: string, message: string][] {
  const wrong = doneOf<KernelFinding>(records, 'kernels').flatMap(([, { kernel, problems }]) =>
    problems.map((problem): [string, string, string] => ['kernels', kernel, problem]),
  );
  const broken = ['bench', 'products'].flatMap((part) =>
    doneOf<{ readonly broken: readonly string[] }>(records, part).flatMap(([item, result]) =>
      result.broken.map((message): [string, string, string] => [part, item, message]),
    ),
  );
  const others = records.failures.map(({ part, item, message }): [string, string, string] => [part, item, message]);
  return [...others, ...wrong, ...broken];
}

function failures(records: Records): string[] {
  const rows = failuresIn(records);
  return rows.length === 0 ? [] : ['## Failures', markdownTable(['part', 'what', 'message'], rows)];
}

function adapterTable({
  adapter,
  vendor,
  architecture,
  driver,
  kind,
  subgroupSizes,
  matrixUnits,
  features,
  host,
}: ReportFacts): string {
  return markdownTable(
    ['', ''],
    [
      ['adapter', adapter],
      ['vendor, architecture', `${vendor} ${architecture}`],
      ['driver', driver],
      ['kind', kind === 'gpu' ? 'hardware GPU' : 'software (CPU)'],
      ['subgroups of', [...new Set(subgroupSizes)].join(' to ')],
      ['matrix units', matrixUnits.join(', ') || 'none'],
      ['features used', features.join(', ') || 'none'],
      ...Object.entries(host),
    ],
  );
}

function ceilings(records: Records): string[] {
  const found = records.resultOf('ceilings', 'ceilings') as MeasuredCeilings | undefined;
  if (!found) return [];
  const row = (name: string, ceiling: Ceiling) => [
    name,
    ceiling.gflops === undefined ? '' : figure(ceiling.gflops),
    figure(ceiling.gbps),
    spreadWords(ceiling),
    ceiling.label,
    Object.entries(ceiling.shape)
      .map(([key, value]) => `${key}=${value}`)
      .join(' '),
  ];
  const rows = [
    row('matrix products, f32', found.matmul),
    ...(found.halfMatmul ? [row('matrix products, f16', found.halfMatmul)] : []),
    row('copies', found.copy),
  ];
  return [
    '## Ceilings',
    'The best that the adapter reached; all else is held against these.',
    markdownTable(['', 'GFLOP/s', 'GB/s', 'spread', 'kernel', 'shape'], rows),
  ];
}

function spreadWords({ ms }: Ceiling): string {
  const spread = spreadOf(ms);
  if (spread === null) return '';
  return [percent(spread), ...(noiseOf(ms, undefined) ? ['noise'] : [])].join(', ');
}

const productKinds = ['f32', 'f16', 'f16 on matrix units'] as const satisfies readonly Product['kind'][];

function products(records: Records): string[] {
  const rows = doneOf<{ readonly products: readonly Product[] }>(records, 'products').map(([shape, { products }]) => [
    shape,
    ...productKinds.map((kind) => {
      const found = products.find((product) => product.kind === kind);
      if (!found) return 'none here';
      return `${figure(found.gflops)} (${found.variant})${found.isRight ? '' : ' WRONG'}`;
    }),
  ]);
  if (rows.length === 0) return [];
  return [
    '## float32, f16 and matrix units',
    'A · Bᵀ, GFLOP/s of the fastest variant of each kind.',
    markdownTable(['shape', ...productKinds], rows),
  ];
}

function workloads(records: Records): string[] {
  const rows = doneOf<BenchRow>(records, 'workloads').map(([, row]) => benchCells(row));
  return rows.length === 0 ? [] : ['## Workloads', markdownTable(benchHeadings, rows)];
}

/** Kernels in the table of a profile. */
const mostKernels = 16;

/** The profile that the records have; undefined if there is none. */
export function profileOfWorkload(records: Records): ProfileResult | undefined {
  return doneOf<ProfileResult>(records, 'profile')[0]?.[1];
}

function roofline({ records, picture }: ReportPage): string[] {
  const found = profileOfWorkload(records);
  if (!found || picture === null) return [];
  const { workload, timing, milliseconds, ceilings, kernels } = found;
  const gpuMs = kernels.reduce((sum, { ms }) => sum + ms, 0);
  const rows = kernels.slice(0, mostKernels).map((kernel) => {
    const { gflops, gbps, ofCeiling, limit } = kernelRates(kernel, kernel.op, ceilings);
    return [
      kernel.name,
      percent(kernel.ms / gpuMs),
      `${kernel.count}`,
      figure((1000 * kernel.ms) / kernel.count),
      gflops === null ? '' : figure(gflops),
      gbps === null ? '' : figure(gbps),
      ofCeiling === null ? '' : percent(ofCeiling),
      limit ?? '',
    ];
  });
  const clock = timing === 'timestamps' ? 'by timestamps of the device' : 'one by one, by the clock of the host';
  return [
    '## Where the time goes',
    `Three runs of ${workload}, each dispatch timed ${clock}: ${figure(milliseconds.wall)} ms, of which kernels ${percent(milliseconds.gpu / milliseconds.wall)}, gaps between them ${percent(milliseconds.gaps / milliseconds.wall)}.`,
    `![Roofline of the kernels](${picture})`,
    markdownTable(
      ['kernel', 'of the time', 'dispatches', 'µs each', 'GFLOP/s', 'GB/s', 'of ceiling', 'limited by'],
      rows,
    ),
  ];
}

function trainings({ trainings: all }: ReportPage): string[] {
  const rows = all.flatMap(([name, state]) => {
    if (state.kind !== 'done') return [];
    const { before, after, wallSeconds, tokensPerSecond, advantageShare } = state.summary;
    const rate = ({ success, interval: [low, high] }: typeof before) =>
      `${percent(success)} (${percent(low)} to ${percent(high)})`;
    return [
      [name, rate(before), rate(after), duration(wallSeconds), tokensPerSecond.toFixed(0), percent(advantageShare)],
    ];
  });
  const curves = all.flatMap(([name, state]) =>
    state.kind === 'begun' && state.outcome.curve.length > 0
      ? [`${name}, success of each iteration so far: ${state.outcome.curve.map(percent).join(', ')}`]
      : [],
  );
  if (rows.length + curves.length === 0) return [];
  return [
    '## Training',
    ...(rows.length > 0 ? [markdownTable(['', 'before', 'after', 'time', 'tokens/s', 'of it advantages'], rows)] : []),
    ...curves,
  ];
}

function kernels(records: Records): string[] {
  const rows = doneOf<KernelFinding>(records, 'kernels').map(([name, { variants, cases, leftOut, problems }]) => [
    name,
    leftOut ?? (problems.length === 0 ? 'right' : 'WRONG'),
    `${variants.length}`,
    `${cases}`,
  ]);
  return rows.length === 0 ? [] : folded('Kernels', markdownTable(['kernel', '', 'variants', 'cases'], rows));
}

function benches(records: Records): string[] {
  const rows = doneOf<{ readonly rows: readonly BenchRow[] }>(records, 'bench').flatMap(([, found]) => found.rows);
  if (rows.length === 0) return [];
  const tuned = rows.filter(({ speedup }) => speedup !== undefined).length;
  return [
    ...folded('Kernels, tuned and measured', markdownTable(benchHeadings, rows.map(benchCells))),
    `In ${tuned} of ${rows.length} shapes another variant than the default is faster; \`--set engine.tune=true\` uses it.`,
  ];
}

function featuresAndLimits({ offered, limits, versions, host }: ReportFacts): string {
  const values = Object.entries(limits).map(([name, value]) => [name, value.toLocaleString('en')]);
  const about = Object.entries({ ...versions, ...host });
  return [
    `Features offered: ${offered.join(', ') || 'none'}`,
    markdownTable(['', ''], about),
    markdownTable(['limit', ''], values),
  ].join('\n\n');
}

function folded(title: string, text: string): string[] {
  return [`<details><summary>${title}</summary>\n\n${text}\n\n</details>`];
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n');
}

/** Text from outside, in which nothing is Markdown or HTML. */
function plain(text: string): string {
  return text.replace(/[<>*_`[\]|\\]/g, (character) => `\\${character}`).replaceAll('\n', ' ');
}
