/**
 * `proxmo bench`: how fast kernels and whole workloads run on an adapter, against what it reaches in matrix products
 * and copies, and against an earlier bench.
 */
import { Command, Option } from 'commander';
import { kernels } from '../../kernels/index.ts';
import type { KernelSpec, Params } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { openDevice } from '../gpu/device.node.ts';
import { adapterOption, count, nonNegative, repeatedOption } from './arguments.ts';
import { type Change, compareRows, readOldRows } from './bench/compare.ts';
import { environmentWorkloads } from './bench/environmentWorkloads.ts';
import { type BenchForm, benchForms, formatRows } from './bench/formats.ts';
import { iterationWorkloads } from './bench/iterationWorkloads.ts';
import { leakWorkload } from './bench/leakWorkload.ts';
import { type MeasureOptions, measureAll } from './bench/measureAll.ts';
import { modelWorkloads } from './bench/modelWorkloads.ts';
import { originOf } from './bench/origin.ts';
import { kernelsOfModule } from './bench/ownKernels.ts';
import { proximityWorkloads } from './bench/proximityWorkload.ts';
import { recordWorkload } from './bench/recordWorkload.ts';
import { rolloutWorkloads } from './bench/rolloutWorkload.ts';
import type { BenchRow } from './bench/rows.ts';
import { benchName, findBench, saveBench } from './bench/savedBenches.ts';
import { scaleWorkloads } from './bench/scaleWorkloads.ts';
import { listed, type NamedWork, namedWork } from './bench/selection.ts';
import { parseShape } from './bench/shapes.ts';
import type { Workload } from './bench/workload.ts';
import { standardError, standardOutput } from './output.ts';
import { formatTable } from './table.ts';

const allWorkloads: readonly Workload[] = [
  ...modelWorkloads,
  ...proximityWorkloads,
  ...rolloutWorkloads,
  ...scaleWorkloads,
  leakWorkload,
  ...environmentWorkloads,
  ...iterationWorkloads,
  recordWorkload,
];

interface BenchOptions extends Omit<MeasureOptions, 'shapes' | 'repeats'> {
  readonly repeat: number;
  readonly filter: readonly string[];
  readonly shape: readonly Params[];
  readonly kernel: readonly string[];
  readonly list?: boolean;
  readonly save?: string;
  readonly compare?: string;
  readonly history?: string;
  readonly threshold: number;
  readonly adapter?: string;
  readonly format: BenchForm;
  readonly json?: boolean;
}

export function benchCommand(version: string): Command {
  return new Command('bench')
    .description(
      'Time every kernel, a training step, prefill, decoding, advantages and environments; each result is checked.',
    )
    .addOption(repeatedOption('--filter <text>', 'only what has this in its name, as matmul or train-step'))
    .addOption(
      new Option('--shape <sizes>', 'kernels in this shape, as m=512,n=512,k=128; may be given several times')
        .argParser((text, before: readonly Params[]) => [...before, parseShape(text)])
        .default([], 'their own'),
    )
    .addOption(repeatedOption('--kernel <module>', 'the kernels that a module exports, as ./mine.mjs, and no others'))
    .option('--list', 'print what there is to measure, and measure nothing')
    .option('--variants', 'every variant of a kernel that the adapter can run, not only the one that programs use')
    .option('--full', 'large models and contexts too, which take a CPU minutes each')
    .option('--tune', 'measure the variants first, use the fastest, and keep what was chosen for runs with engine.tune')
    .option('--repeat <n>', 'times each is measured; the table shows the median', count, 7)
    .option('--save <name>', 'keep the rows under a name, for --compare', benchName)
    .option(
      '--compare <name>',
      'a bench that was saved, or a file with what an earlier bench --json printed; fails if a row got slower',
    )
    .option('--threshold <share>', 'how much slower a row may get with --compare', nonNegative, 0.2)
    .option('--history <dir>', 'add the rows to a folder of dated benches, and draw how speed changed between them')
    .addOption(adapterOption())
    .addOption(new Option('--format <form>', 'of what is printed').choices(benchForms).default('table'))
    .option('--json', 'print the rows as JSON: --format json')
    .action(async (options: BenchOptions) => {
      const work = await chosenWork(options);
      if (options.list) return list(work, options.json ?? false);
      const old = options.compare === undefined ? null : await readOldRows(await findBench(options.compare));
      const gpu = await openDevice(options.adapter);
      try {
        const origin = await originOf(gpu, version);
        const rows = await measureAll(
          gpu,
          work,
          { ...options, repeats: options.repeat, shapes: options.shape },
          version,
        );
        standardOutput.print(formatRows(rows, origin, options.json ? 'json' : options.format));
        const keep = (what: string) => standardError.print(`kept in ${what}`);
        if (options.save !== undefined) keep(await saveBench(options.save, formatRows(rows, origin, 'json')));
        if (options.history !== undefined) {
          // Drawing takes longer to load than all else.
          const { addToHistory } = await import('./bench/history.ts');
          keep(await addToHistory(options.history, rows, origin));
        }
        const changes = old && compareRows(rows, old, options.threshold);
        if (changes) standardError.print(`\n${describeChanges(changes)}`);
        failIfBad(rows, changes, options.threshold);
      } finally {
        gpu.destroy();
      }
    });
}

/** @throws {ProxmoError} `usage` if nothing is named, `file` or `config` if a module has no kernels */
async function chosenWork({ filter, kernel, shape }: BenchOptions): Promise<NamedWork> {
  const own: KernelSpec[] = [];
  for (const path of kernel) own.push(...(await kernelsOfModule(path)));
  // Workloads have shapes of their own.
  const isOfKernels = kernel.length > 0 || shape.length > 0;
  const work = namedWork(filter, kernel.length > 0 ? own : kernels, isOfKernels ? [] : allWorkloads);
  if (shape.length > 0 && filter.length + kernel.length === 0)
    throw new ProxmoError('usage', '--shape is of some kernels: name them by --filter or --kernel.');
  return work;
}

function list(work: NamedWork, json: boolean): void {
  const rows = listed(work);
  if (json) standardOutput.json(rows);
  else
    standardOutput.print(
      formatTable([['name', 'kind', 'shape'], ...rows.map(({ name, kind, shape }) => [name, kind, shape])], 3),
    );
}

function describeChanges(changes: readonly Change[]): string {
  const headings = ['compared', 'shape', 'before, ms', 'now, ms', 'ratio', 'p', ''];
  const cells = changes.map(({ row, before, ratio, p, verdict }) => [
    row.name,
    row.shape,
    before.toPrecision(3),
    row.ms.median.toPrecision(3),
    ratio.toFixed(2),
    p === null ? 'too few' : p < 0.001 ? '< 0.001' : p.toFixed(3),
    { slower: 'SLOWER', faster: 'faster', same: '', noise: 'NOISE' }[verdict],
  ]);
  return formatTable([headings, ...cells], 2);
}

function failIfBad(rows: readonly BenchRow[], changes: readonly Change[] | null, threshold: number): void {
  const wrong = rows.filter(({ check }) => check === 'wrong');
  if (wrong.length > 0)
    throw new ProxmoError(
      'data',
      `${wrong.length} results are wrong, first ${wrong[0]?.name} ${wrong[0]?.shape}; do not trust this adapter.`,
    );
  const slower = (changes ?? []).filter(({ verdict }) => verdict === 'slower');
  if (slower.length === 0) return;
  const names = [...new Set(slower.map(({ row }) => row.name))].join(', ');
  throw new ProxmoError('data', `Slower than before by more than ${Math.round(100 * threshold)} %: ${names}.`);
}
