/**
 * `proxmo gpu-report`: the first thing to run on a GPU that nobody has measured. Leaves one page, with everything that
 * a maintainer asks for, in a folder; the same command goes on where the time was over or the machine went down.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import * as z from 'zod';
import type { AdapterProfile } from '../../kernels/spec.ts';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { acquireLock } from '../base/lock.node.ts';
import { readTextOrNull } from '../base/wholeFile.node.ts';
import { openDevice } from '../gpu/device.node.ts';
import { parseJson, plainJson, writeJson } from '../runs/json.ts';
import { adapterOption, positive, wholeNumber } from './arguments.ts';
import { Conductor, type WorkerNews } from './gpuReport/conductor.ts';
import { factsOf, type ReportFacts } from './gpuReport/facts.ts';
import { withoutHome } from './gpuReport/home.ts';
import {
  failuresIn,
  missingOf,
  type PartSize,
  profileOfWorkload,
  type ReportPage,
  reportData,
  reportPage,
} from './gpuReport/page.ts';
import { deviceParts, type Part } from './gpuReport/parts.ts';
import { Records } from './gpuReport/records.ts';
import { alfworld, household, type Training, type TrainingState, train, trainingState } from './gpuReport/training.ts';
import { deviceFailed, workOn } from './gpuReport/worker.ts';
import { noSuchName } from './noSuchName.ts';
import { standardOutput } from './output.ts';
import { hasParent, Parent } from './parent.ts';
import { rooflineSvg } from './profile/roofline.ts';
import { ProgressLine } from './progressLine.ts';
import { onStopSignals } from './stopSignals.ts';
import { duration, percent } from './table.ts';

interface ReportOptions {
  readonly out: string;
  readonly minutes: number;
  readonly only?: string;
  readonly retry?: boolean;
  readonly seed: number;
  readonly adapter?: string;
  /** Of the processes that the command starts: what they are to work on, and for how long. */
  readonly part?: string;
  readonly seconds: number;
}

/** Parts and trainings in the order in which they run. */
const byName = (name: string) => deviceParts.find((part) => part.name === name)!;
type Step = Part | Training;
const steps: readonly Step[] = [
  ...['ceilings', 'kernels'].map(byName),
  household,
  ...['products', 'workloads', 'profile', 'bench'].map(byName),
  alfworld,
];
const stepNames = steps.map(({ name }) => name);

/** What a folder's report is of. */
const identitySchema = z.object({
  adapter: z.string(),
  driver: z.string(),
  versions: z.object({ proxmo: z.string() }),
});

const files = {
  facts: 'facts.json',
  page: 'report.md',
  data: 'report.json',
  picture: 'roofline.svg',
  lock: 'report.lock',
};

/** @param program the command line's own file, which the parts are started from */
export function gpuReportCommand(version: string, program: string): Command {
  return new Command('gpu-report')
    .description(
      'Check, tune, measure and train on an adapter that nobody has measured, and write one page about it. The same command goes on where it was.',
    )
    .requiredOption(
      '--out <dir>',
      `folder for ${files.page}, ${files.picture}, ${files.data} and what they are made from`,
    )
    .option('--minutes <n>', 'how long it may take, this time', positive, 8)
    .option('--only <parts>', `only some parts, as kernels,household; there are ${stepNames.join(', ')}`)
    .option('--retry', 'try once more what failed before')
    .option('--seed <n>', 'seed of the training runs', wholeNumber, 1)
    .addOption(adapterOption())
    .addOption(new Option('--part <name>').hideHelp())
    .addOption(new Option('--seconds <n>').argParser(positive).default(60).hideHelp())
    .action(async (options: ReportOptions) => {
      if (options.part !== undefined && hasParent) return workAsChild(options.part, options, version);
      const chosen = chosenSteps(options.only);
      await mkdir(options.out, { recursive: true });
      const unlock = acquireLock(join(options.out, files.lock), 'report');
      try {
        await report(chosen, options, program);
      } finally {
        unlock();
      }
    });
}

/** @throws {ProxmoError} `usage` if there is no such part */
function chosenSteps(only: string | undefined): readonly string[] {
  const names = only?.split(',').map((name) => name.trim()) ?? stepNames;
  const wrong = names.find((name) => !stepNames.includes(name));
  if (wrong !== undefined) throw noSuchName('part', wrong, stepNames);
  return names;
}

/** A process of a report: it works on one part, and ends with the process that started it. */
async function workAsChild(name: string, options: ReportOptions, version: string): Promise<void> {
  new Parent().onGone(() => process.exit(1));
  const gpu = await openDevice(options.adapter);
  try {
    if (name === 'facts') {
      process.send?.(factsOf(gpu, version));
      return;
    }
    const records = new Records(options.out);
    const onItem = (item: string, done: number, total: number) => process.send?.({ item, done, total });
    const works = await workOn(byName(name), gpu, { version, records, seconds: options.seconds, onItem });
    if (!works) process.exit(deviceFailed);
  } finally {
    gpu.destroy();
  }
}

async function report(
  chosen: readonly string[],
  { out, minutes, retry, seed, adapter }: ReportOptions,
  program: string,
): Promise<void> {
  const end = performance.now() + 60_000 * minutes;
  const left = () => Math.max(0, (end - performance.now()) / 1000);
  const line = new ProgressLine();
  const show = (part: string, text: string) => line.show(part, `${part}: ${text} | ${duration(left())} left`);
  const { signal } = new Stop();
  const records = new Records(out);
  if (retry) records.tryAgain();
  const onNews = (part: string, { item, done, total }: WorkerNews) => show(part, `${item} (${done + 1} of ${total})`);
  const conductor = new Conductor({ dir: out, program, adapter, records, signal, end, onNews });
  line.show('adapter', 'opening the adapter');
  const facts = await sameFacts(await conductor.facts(), out);
  const todo = steps.filter(({ name }) => chosen.includes(name));
  const pageNow = () => makePage(todo, facts, records, out, conductor.adapterArguments);
  for (const [index, step] of todo.entries()) {
    const weights = todo.slice(index).reduce((sum, { weight }) => sum + weight, 0);
    const seconds = (left() * step.weight) / weights;
    if (signal.aborted || seconds <= 0) break;
    if ('items' in step) await conductor.run(step, seconds);
    else await trainStep(conductor, records, out, step, { seconds, seed, onNews: (text) => show(step.name, text) });
    await writePage(out, await pageNow());
  }
  line.clear();
  const page = await pageNow();
  await writePage(out, page);
  if (signal.aborted) throw new ProxmoError('interrupted', `Stopped; the same command goes on with ${out}.`);
  tell(page, out);
}

/** The request to stop. */
class Stop {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;

  constructor() {
    onStopSignals(
      () => this.controller.abort(),
      () => process.exit(130),
    );
  }
}

/**
 * A report is of one adapter, driver and version.
 * @throws {ProxmoError} `file` if the folder has another one's
 */
async function sameFacts(facts: ReportFacts, out: string): Promise<ReportFacts> {
  const path = join(out, files.facts);
  const text = await readTextOrNull(path);
  if (text === null) {
    await writeJson(path, facts);
    return facts;
  }
  const before = parseJson(text, identitySchema, path, 'name a new folder by --out');
  const same =
    before.adapter === facts.adapter &&
    before.driver === facts.driver &&
    before.versions.proxmo === facts.versions.proxmo;
  if (same) return facts;
  throw new ProxmoError(
    'file',
    `${out} holds the report of ${before.adapter} (${before.driver}) by proxmo ${before.versions.proxmo}, not of ${facts.adapter} (${facts.driver}) by ${facts.versions.proxmo}; name another folder by --out.`,
  );
}

async function trainStep(
  conductor: Conductor,
  records: Records,
  out: string,
  training: Training,
  { seconds, seed, onNews }: { seconds: number; seed: number; onNews: (text: string) => void },
): Promise<void> {
  const { kind } = await trainingState(records, out, training);
  if (kind === 'left out') return;
  onNews('training');
  await train(conductor, records, out, training, {
    seconds,
    seed,
    onNews: ({ iteration, iterations, phase, done }) =>
      onNews(`iteration ${iteration} of ${iterations}, ${phase} ${percent(done)}`),
  });
}

async function makePage(
  todo: readonly Step[],
  facts: ReportFacts,
  records: Records,
  out: string,
  adapterArguments: readonly string[],
): Promise<ReportPage> {
  const parts: PartSize[] = [];
  const trainings: [string, TrainingState][] = [];
  for (const step of todo) {
    const { name } = step;
    if ('items' in step) parts.push({ name, total: step.items(profileOf(facts)).length });
    else trainings.push([name, await trainingState(records, out, step)]);
  }
  const picture = records.itemsOf('profile').size > 0 ? files.picture : null;
  const command = ['proxmo gpu-report --out', out, ...adapterArguments].join(' ');
  return { facts, records, parts, trainings, picture, command };
}

/** As much of an adapter's profile as lists of items depend on. */
function profileOf({ kind, class: driver, features }: ReportFacts): AdapterProfile {
  return {
    kind,
    driver,
    features: new Set(features),
    maxInvocations: 0,
    maxWorkgroupBytes: 0,
    subgroupMinSize: 0,
    subgroupMaxSize: 0,
    subgroupMatrixConfigs: [],
  };
}

async function writePage(out: string, page: ReportPage): Promise<void> {
  const profile = profileOfWorkload(page.records);
  if (profile) {
    const title = `Kernels of ${profile.workload} on ${page.facts.adapter}`;
    await writeFileAtomic(join(out, files.picture), [rooflineSvg(profile.kernels, profile.ceilings, title)]);
  }
  await writeFileAtomic(join(out, files.page), [withoutHome(reportPage(page))]);
  const data = JSON.stringify(plainJson(reportData(page), files.data));
  await writeJson(join(out, files.data), JSON.parse(withoutHome(data)));
}

/** @throws {ProxmoError} `data` if something failed or is wrong */
function tell(page: ReportPage, out: string): void {
  const path = join(out, files.page);
  standardOutput.print(`${page.facts.adapter}\n${path}`);
  const missing = missingOf(page);
  if (missing.length > 0)
    standardOutput.print(`not reached in the time; the same command goes on:\n  ${missing.join('\n  ')}`);
  const count = failuresIn(page.records).length;
  if (count > 0)
    throw new ProxmoError('data', `${count} failures on ${page.facts.adapter}: ${path} has their messages.`);
}
