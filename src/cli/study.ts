/** `proxmo study`: arms that differ in their settings, trained with the same seeds and compared. */
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { acquireLock } from '../base/lock.node.ts';
import { adapterOption, count } from './arguments.ts';
import { standardError, standardOutput } from './output.ts';
import { ProgressLine } from './progressLine.ts';
import { shellWord } from './shellWord.ts';
import { onStopSignals } from './stopSignals.ts';
import { checkStudy } from './study/checks.ts';
import { armConfigPath } from './study/child.ts';
import { loadStudy, type Study, type StudyRun } from './study/file.ts';
import { StudyProgress } from './study/progress.ts';
import { describeSession, recordSession } from './study/record.ts';
import { StudyRunner } from './study/runner.ts';
import { nameSome, type RunStatus, statusOf } from './study/state.ts';
import { formatTable, percent } from './table.ts';
import { agreement, trustOption } from './trust.ts';
import { addViewOptions, type ViewOptions, viewBeside } from './viewBeside.ts';

interface StudyOptions extends ViewOptions {
  readonly out?: string;
  readonly jobs?: number;
  readonly threads?: number;
  readonly report?: string;
  readonly dryRun?: boolean;
  readonly adapter?: string;
  readonly trust?: boolean;
  readonly json?: boolean;
}

/** @param program the command line's own file, which runs are started from */
export function studyCommand(version: string, program: string): Command {
  return addViewOptions(new Command('study'))
    .description(
      'Train arms that differ in their settings with the same seeds, and compare them. Goes on where it was.',
    )
    .argument('<file>', 'YAML file: preset, settings, arms, seeds (studies/ has some)')
    .option('--out <dir>', 'folder of the study (default: runs/ and the name of its file)')
    .option('--jobs <n>', "runs at a time (default: the file's `jobs`, or 1)", count)
    .option('--threads <n>', 'threads of the lavapipe driver for each run (default: cores / jobs)', count)
    .option('--report <dir>', 'train nothing; write tables (Markdown, JSON) and figures (SVG) of what is done')
    .option('--dry-run', 'train nothing; check the file and list its runs')
    .addOption(trustOption())
    .addOption(adapterOption())
    .option('--json', 'print the state of all runs as JSON')
    .action(async (file: string, options: StudyOptions) => {
      if (options.view && (options.dryRun || options.report !== undefined))
        throw new ProxmoError('usage', '--view is of a study that trains; proxmo view opens one that does not.');
      const study = await loadStudy(file, options.out);
      const statuses = await statusOf(study);
      if (options.report !== undefined) return report(study, statuses, options.report);
      for (const note of await checkStudy(study, agreement(options.trust))) standardError.print(note);
      if (options.dryRun) return printStatuses(study, statuses, options.json);
      await runStudy(study, options, version, program);
    });
}

async function report(study: Study, statuses: readonly RunStatus[], dir: string): Promise<void> {
  // Plots are much code, which nothing else needs.
  const { writeReport } = await import('./study/report.ts');
  const missing = await writeReport(study, statuses, dir, commandLine());
  standardOutput.print(`report: ${join(dir, 'report.md')}`);
  if (missing.length === 0) return;
  const are = missing.length === 1 ? 'is' : 'are';
  standardError.print(`${missing.length} of ${study.runs.length} runs ${are} missing in it: ${nameSome(missing)}`);
}

/** What was typed, without the program's path. */
function commandLine(): string {
  return ['proxmo', ...process.argv.slice(2).map(shellWord)].join(' ');
}

async function runStudy(study: Study, options: StudyOptions, version: string, program: string): Promise<void> {
  const jobs = options.jobs ?? study.jobs;
  const threads = options.threads ?? threadsFor(jobs);
  await mkdir(study.dir, { recursive: true });
  const release = acquireLock(join(study.dir, 'study.lock'), 'study');
  try {
    const missing = (await statusOf(study)).filter(({ state }) => state.kind !== 'done').map(({ run }) => run);
    const progress = new StudyProgress(new ProgressLine(), study.runs.length, study.runs.length - missing.length);
    if (missing.length > 0) {
      await writeArms(study);
      const session = await describeSession(program, version);
      await recordSession(study, { ...session, command: commandLine(), jobs, threads });
      const adapter = options.adapter === undefined ? {} : { adapter: options.adapter };
      const warmStarts = join(study.dir, 'warm-starts', codeName(session));
      const runner = new StudyRunner({ program, warmStarts, threads, ...adapter }, progress);
      let isStopped = false;
      const stop = () => {
        isStopped = true;
        progress.stopping();
        runner.stop();
      };
      onStopSignals(stop, () => runner.kill());
      const endView = await viewBeside(program, [study.dir], options);
      await runner.run(jobs > 1 ? newSeedsFirst(missing) : missing, jobs).finally(() => {
        progress.end();
        endView();
      });
      if (isStopped) throw await interrupted(study);
    }
    await printStatuses(study, await statusOf(study), options.json);
    if (progress.failures.length > 0) throw failed(study, progress.failures);
  } finally {
    release();
  }
}

/** Software drivers take all cores for themselves, so runs at the same time share them. */
function threadsFor(jobs: number): number | null {
  if (jobs === 1 || process.env.LP_NUM_THREADS !== undefined) return null;
  return Math.max(1, Math.floor(availableParallelism() / jobs));
}

/** Names the code that runs: what another one computed may have other bits. */
function codeName({ version, commit, changed, started }: Awaited<ReturnType<typeof describeSession>>): string {
  if (commit === null) return version;
  return changed ? `changed-${started.replaceAll(/\D/g, '')}` : commit.slice(0, 12);
}

/** The first run of each seed before the others, which can then begin with its warm start. */
function newSeedsFirst(runs: readonly StudyRun[]): StudyRun[] {
  const isFirst = (run: StudyRun) => runs.find(({ seed }) => seed === run.seed) === run;
  return [...runs.filter(isFirst), ...runs.filter((run) => !isFirst(run))];
}

/** Leaves the configuration of each arm where its runs take it from. */
async function writeArms({ arms, runs }: Study): Promise<void> {
  for (const { name, config } of arms) {
    const path = armConfigPath(runs.find(({ arm }) => arm === name)!);
    const { seed: _, ...settings } = config;
    const text = stringify(settings);
    if ((await readFile(path, 'utf8').catch(() => null)) === text) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomic(path, [text]);
  }
}

async function interrupted(study: Study): Promise<ProxmoError> {
  const done = (await statusOf(study)).filter(({ state }) => state.kind === 'done').length;
  return new ProxmoError(
    'interrupted',
    `Stopped. ${done} of ${study.runs.length} runs are done; go on with: ${commandLine()}`,
  );
}

function failed(study: Study, failures: StudyProgress['failures']): ProxmoError {
  const reasons = [...new Set(failures.map(({ reason }) => reason))];
  const list = reasons.map((reason) => {
    const runs = failures.filter((failure) => failure.reason === reason).map(({ run }) => run);
    return `  ${nameSome(runs)}: ${reason}`;
  });
  return new ProxmoError(
    'study',
    `${failures.length} of ${study.runs.length} runs failed; their output is beside their folders in ${study.dir}. Try them again with: ${commandLine()}\n${list.join('\n')}`,
  );
}

/** How far the study is: arm by arm, or run by run as JSON. */
function printStatuses(study: Study, statuses: readonly RunStatus[], json = false): void {
  if (json) {
    const runs = statuses.map(({ run: { arm, seed, dir }, state }) => ({
      arm,
      seed,
      dir,
      state: state.kind,
      ...(state.kind === 'done' ? { before: state.summary.before.success, after: state.summary.after.success } : {}),
    }));
    standardOutput.json({ study: study.name, dir: study.dir, reference: study.reference, runs });
    return;
  }
  const rows = study.arms.map(({ name }) => {
    const summaries = statuses.flatMap(({ run, state }) =>
      run.arm === name && state.kind === 'done' ? [state.summary] : [],
    );
    const mean = (figure: (summary: (typeof summaries)[number]) => number) =>
      summaries.length === 0 ? '–' : percent(summaries.reduce((sum, each) => sum + figure(each), 0) / summaries.length);
    const done = `${summaries.length} of ${study.seeds.length}`;
    return [name, done, mean(({ before }) => before.success), mean(({ after }) => after.success)];
  });
  standardOutput.print(formatTable([['arm', 'runs done', 'before', 'after'], ...rows]));
  standardOutput.print(`\n${study.runs.length} runs in ${study.dir}`);
}
