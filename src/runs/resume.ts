/**
 * Taking up a run that was stopped. First it is looked at and nothing is changed, so that whoever trains can refuse to
 * go on; then it goes on from its latest checkpoint, or from the newest that is whole. What lies behind that checkpoint
 * is not deleted but moved to `aside/001`, `aside/002` and so on, one for each time that there was something: records
 * of metrics, rollouts, checkpoints, the summary.
 */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renameSoon, writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { acquireLock } from '../base/lock.node.ts';
import { type OpenCheckpoint, openWholeCheckpoint, pointLatest, removeLeftovers } from './checkpoint.ts';
import { type JsonObject, plainJson, writeJson } from './json.ts';
import { type MetricsHistory, type MetricsMark, MetricsWriter, readMetricsHistory } from './metrics.ts';
import { batchOfName } from './rollouts.ts';
import { type CreateRunOptions, openRun, Run, RunWriter, runFiles } from './run.ts';
import { editYaml, type YamlEdit } from './yaml.ts';

/** What a run is from now on. */
export interface ResumeOptions extends CreateRunOptions {
  /** What it changes in `config.yaml`. */
  readonly edits?: readonly YamlEdit[];
  /** Settings that the checkpoint was made with other values of, by their keys. */
  readonly changes?: JsonObject;
}

/** A run that is to go on: locked by this process, and not changed yet. */
export class StoppedRun extends Run {
  /** What it goes on from; null at its beginning. */
  readonly checkpoint: OpenCheckpoint | null;
  /** What is damaged or missing in it, in sentences. */
  readonly problems: readonly string[];
  readonly #history: MetricsHistory | null;
  readonly #release: () => void;

  constructor(
    run: Run,
    checkpoint: OpenCheckpoint | null,
    problems: readonly string[],
    history: MetricsHistory | null,
    release: () => void,
  ) {
    super(run.dir, run.manifest, run.config);
    this.checkpoint = checkpoint;
    this.problems = problems;
    this.#history = history;
    this.#release = release;
  }

  /** Goes on: from here the folder changes. Close the writer first, and then this. */
  async resume({
    adapter,
    version,
    modules = [],
    seed,
    config,
    edits = [],
    changes = {},
  }: ResumeOptions): Promise<RunWriter> {
    const { dir, checkpoint } = this;
    const settings = plainJson(config, `${dir}: the configuration`);
    const iteration = checkpoint?.iteration ?? null;
    await removeLeftovers(dir);
    await removeLeftovers(join(dir, runFiles.checkpoints));
    await removeLeftovers(join(dir, runFiles.rollouts));
    const aside = await this.#putAside(iteration);
    const metrics = new MetricsWriter(join(dir, runFiles.metrics), this.#history);
    try {
      if (iteration !== null) await pointLatest(join(dir, runFiles.checkpoints), iteration);
      if (edits.length > 0) await this.#editConfig(edits);
      const started = new Date().toISOString();
      const resume = { adapter, version, started, modules: [...modules], iteration, changes };
      const manifest = { ...this.manifest, seed, resumes: [...this.manifest.resumes, resume] };
      await writeJson(join(dir, runFiles.manifest), manifest);
      const writer = new RunWriter(new Run(dir, manifest, config), settings, metrics, this.#release);
      for (const problem of this.problems) writer.log(problem);
      if (aside !== null) writer.log(`what came after the checkpoint lies in ${aside}`);
      return writer;
    } catch (error) {
      metrics.close();
      throw error;
    }
  }

  /** Closes the checkpoint, and lets go of the run. */
  async close(): Promise<void> {
    await this.checkpoint?.close();
    this.#release();
  }

  /** Moves what lies behind the checkpoint. @returns where to; null if there was nothing */
  async #putAside(iteration: number | null): Promise<string | null> {
    const { dir } = this;
    const isBehind = (name: string) => (iterationOf(name) ?? -1) > (iteration ?? -1);
    const moved: string[] = [];
    for (const folder of [runFiles.rollouts, runFiles.checkpoints])
      moved.push(...(await namesIn(join(dir, folder))).filter(isBehind).map((name) => join(folder, name)));
    if ((await namesIn(dir)).includes(runFiles.summary)) moved.push(runFiles.summary);
    const rest = this.#history?.rest ?? Buffer.alloc(0);
    if (moved.length === 0 && rest.length === 0) return null;
    const taken = (await namesIn(join(dir, runFiles.aside))).map(Number).filter(Number.isInteger);
    const name = String(Math.max(0, ...taken) + 1).padStart(3, '0');
    const aside = join(dir, runFiles.aside, name);
    for (const folder of ['', runFiles.rollouts, runFiles.checkpoints])
      if (folder === '' || moved.some((path) => path.startsWith(folder)))
        await mkdir(join(aside, folder), { recursive: true });
    // The records first: they are cut off only when they are here.
    if (rest.length > 0) await writeFileAtomic(join(aside, runFiles.metrics), [rest]);
    for (const path of moved) await renameSoon(join(dir, path), join(aside, path));
    return aside;
  }

  async #editConfig(edits: readonly YamlEdit[]): Promise<void> {
    const path = join(this.dir, runFiles.config);
    await writeFileAtomic(path, [editYaml(await readFile(path, 'utf8'), edits)]);
  }
}

/**
 * Takes a run in hand to go on with it. Nothing in its folder is changed before `resume`; close it in any case.
 * @throws {ProxmoError} `file` if the folder is not a run, is in use, or has no whole checkpoint though it was trained
 */
export async function reopenRun(dir: string): Promise<StoppedRun> {
  // What is no run gets no lock.
  await openRun(dir);
  await refuseLinks(dir);
  const release = acquireLock(join(dir, runFiles.lock));
  let checkpoint: OpenCheckpoint | null = null;
  try {
    const run = await openRun(dir);
    const found = await openWholeCheckpoint(join(dir, runFiles.checkpoints));
    checkpoint = found.checkpoint;
    const history = readMetricsHistory(join(dir, runFiles.metrics), checkpoint && markOf(checkpoint));
    if (checkpoint === null) await checkUntrained(run, found.problems);
    const problems = [...found.problems, ...missingRecords(run, checkpoint, history)];
    return new StoppedRun(run, checkpoint, problems, history, release);
  } catch (error) {
    await checkpoint?.close();
    release();
    throw error;
  }
}

/**
 * A run folder may come from anybody, and what is written through a link in it may land anywhere.
 * @throws {ProxmoError} `file` if a file or folder that a run writes to is a link
 */
async function refuseLinks(dir: string): Promise<void> {
  const names: readonly string[] = Object.values(runFiles);
  const link = (await readdir(dir, { withFileTypes: true })).find(
    (entry) => entry.isSymbolicLink() && names.includes(entry.name),
  );
  if (link)
    throw new ProxmoError(
      'file',
      `${join(dir, link.name)} is a link, and a run writes within its own folder only; put what it leads to in its place.`,
    );
}

/** The iteration after which something was saved or kept, by its name; null of other names. */
function iterationOf(name: string): number | null {
  // A checkpoint, or rows as earlier versions of this package wrote them.
  if (/^\d{6,}(\.jsonl)?$/.test(name)) return Number.parseInt(name, 10);
  return batchOfName(name)?.iteration ?? null;
}

/** Where the metrics were when a checkpoint was saved. */
function markOf({ iteration, context }: OpenCheckpoint): MetricsMark {
  return { iteration, records: context?.records ?? Number.POSITIVE_INFINITY };
}

function missingRecords(run: Run, checkpoint: OpenCheckpoint | null, history: MetricsHistory | null): string[] {
  const path = join(run.dir, runFiles.metrics);
  if (history === null) return [`${path} is missing; the run goes on without its records so far.`];
  if (checkpoint === null || checkpoint.context === null) return [];
  const { iteration, records } = history.mark;
  const { iteration: wanted, context } = checkpoint;
  const reached = context.records === 0 || (iteration === wanted && records === context.records);
  return reached
    ? []
    : [`${path} lacks records up to the checkpoint of iteration ${wanted}; the run goes on without them.`];
}

/**
 * A run that never had a checkpoint may begin again; one that lost them may not, as that would replace what it was.
 * @throws {ProxmoError} `file` if it was trained
 */
async function checkUntrained(run: Run, problems: readonly string[]): Promise<void> {
  const { dir, manifest } = run;
  const records = problems.length > 0 ? [] : await run.readMetrics().catch(() => []);
  const wasTrained =
    problems.length > 0 ||
    records.some(({ iteration }) => iteration > 0) ||
    manifest.resumes.some(({ iteration }) => iteration !== null) ||
    (await run.rollouts.iterations()).length > 0 ||
    (await run.rollouts.hasEarlierForm()) ||
    (await run.readFile(runFiles.summary)) !== null;
  if (!wasTrained) return;
  const why = problems.length > 0 ? ` (${problems.join(' ').replace(/\.$/, '')})` : '';
  throw new ProxmoError(
    'file',
    `${dir} was trained, but has no whole checkpoint to go on from${why}; restore its ${runFiles.checkpoints} from a copy, or start a new run.`,
  );
}

/** Names in a folder; none where there is no such folder. */
async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
}
