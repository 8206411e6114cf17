/**
 * Run folders: everything that one training run writes, in a form that can be read while it runs, survives a stop at
 * any moment, and lets the run go on afterwards.
 *
 *   run.json        what it ran on: adapter, package version, seed, start; and each resume
 *   config.yaml     its whole configuration, and config.schema.json, by which editors check and explain it
 *   metrics.jsonl   one record a line (`metrics.ts`)
 *   tensorboard/, metrics.csv  the metrics in other forms, if asked for (`metricsForms.ts`)
 *   rollouts/       what was played in each iteration and evaluation (`rollouts.ts`)
 *   checkpoints/    weights, optimiser and state (`checkpoint.ts`)
 *   warm-start/     what the warm start has come to, in the same form, until the first checkpoint
 *   summary.json    the outcome, once it is finished
 *   run.log         what happened besides, a line each: starts and stops, faults, what was put aside
 *   progress.json   what is done at the moment, and how long it still takes, while a process is at it (`progressFile.ts`)
 *   run.lock        while a process writes to it (`base/lock.node.ts`)
 *   aside/          what a resumed run went back behind (`resume.ts`)
 *   adapters/       of a finished run of `proxmo sft`: what it trained, as a PEFT folder,
 *   model/          or, where it trained all weights, as a Hugging Face folder
 *
 * and files of the trainer's own, which it writes by name: what its policy started from, its choices of kernel
 * variants.
 */
import { appendFileSync, existsSync, lstatSync } from 'node:fs';
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { isTemporaryName, writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { acquireLock } from '../base/lock.node.ts';
import { systemReason } from '../base/systemErrors.node.ts';
import { readTextOrNull } from '../base/wholeFile.node.ts';
import {
  type Checkpoint,
  type FoundCheckpoint,
  latestCheckpoint,
  listCheckpoints,
  type OpenCheckpoint,
  openCheckpoint,
  openWholeCheckpoint,
  removeCheckpoints,
  saveCheckpoint,
} from './checkpoint.ts';
import { type JsonObject, jsonObjectSchema, parseJson, plainJson, readText, writeJson } from './json.ts';
import { type MetricRecord, MetricsWriter, readMetrics } from './metrics.ts';
import { followerNames } from './metricsForms.ts';
import { ProgressFile } from './progressFile.ts';
import { RolloutFolder, rolloutFolder } from './rollouts.ts';
import { configYaml, parseYaml } from './yaml.ts';

/** The names in a run's folder. */
export const runFiles = {
  manifest: 'run.json',
  config: 'config.yaml',
  schema: 'config.schema.json',
  metrics: 'metrics.jsonl',
  rollouts: rolloutFolder,
  checkpoints: 'checkpoints',
  warmStart: 'warm-start',
  summary: 'summary.json',
  log: 'run.log',
  progress: 'progress.json',
  lock: 'run.lock',
  aside: 'aside',
  adapters: 'adapters',
  model: 'model',
} as const;

const defaultKeep = 3;

const sessionFields = {
  version: z.string(),
  adapter: jsonObjectSchema,
  started: z.iso.datetime(),
  /** Modules of the user's own that it loaded, with the hash of each file as it was. */
  modules: z.array(z.strictObject({ path: z.string(), sha256: z.string().nullable() })).default([]),
};
const manifestSchema = z.strictObject({
  format: z.literal('proxmo-run'),
  formatVersion: z.literal(1),
  /** The command that it is a run of. */
  kind: z.enum(['train', 'sft']).default('train'),
  seed: z.int(),
  ...sessionFields,
  resumes: z.array(
    z.strictObject({
      ...sessionFields,
      iteration: z.int().nonnegative().nullable(),
      /** Settings that were other ones before, by their keys. */
      changes: jsonObjectSchema.default({}),
    }),
  ),
});

/**
 * What `run.json` says. `resumes` has one entry for each time the run was taken up again, with the iteration it went on
 * from.
 */
export type RunManifest = z.infer<typeof manifestSchema>;

/** A module of the user's own, as an environment or an estimator; without a hash where it is no plain file. */
export type LoadedModule = RunManifest['modules'][number];

/** The process that wrote to a run last. */
export function lastSession(manifest: RunManifest): Pick<RunManifest, keyof typeof sessionFields> {
  return manifest.resumes.at(-1) ?? manifest;
}

/** What a process that writes to a run tells about itself. */
export interface RunSession {
  /** The GPU adapter, as the device layer describes it. */
  readonly adapter: JsonObject;
  /** Version of this package. */
  readonly version: string;
  /** Default: none. */
  readonly modules?: readonly LoadedModule[];
}

export interface CreateRunOptions extends RunSession {
  readonly config: Readonly<Record<string, unknown>>;
  /** Default: `train`. */
  readonly kind?: RunManifest['kind'];
  /** JSON Schema of the configuration, which then names it for editors. */
  readonly schema?: string;
  readonly seed: number;
}

/**
 * A run folder, for reading; also while another process writes to it.
 * @example
 * const run = await openRun('runs/1');
 * for (const { iteration, success } of await run.readMetrics()) console.log(iteration, success);
 */
export class Run {
  constructor(
    readonly dir: string,
    readonly manifest: RunManifest,
    /** As `config.yaml` has it, to be checked by whoever knows its schema. */
    readonly config: unknown,
  ) {}

  /** What was played in each iteration and evaluation. */
  get rollouts(): RolloutFolder {
    return new RolloutFolder(this.dir);
  }

  /** Every record so far, in order. */
  readMetrics(): Promise<MetricRecord[]> {
    return readMetrics(join(this.dir, runFiles.metrics));
  }

  /** Iterations that have a checkpoint, rising. */
  checkpoints(): Promise<number[]> {
    return listCheckpoints(join(this.dir, runFiles.checkpoints));
  }

  /** Iteration of the checkpoint to resume from; null before the first. */
  latestCheckpoint(): Promise<number | null> {
    return latestCheckpoint(join(this.dir, runFiles.checkpoints));
  }

  /**
   * The checkpoint of an iteration, or the latest. Close it when done.
   * @throws {ProxmoError} `file` if there is none, or it is damaged.
   */
  openCheckpoint(iteration?: number): Promise<OpenCheckpoint> {
    return openCheckpoint(join(this.dir, runFiles.checkpoints), iteration);
  }

  /** The newest whole state of a warm start that is under way. */
  openWarmStart(): Promise<FoundCheckpoint> {
    return openWholeCheckpoint(join(this.dir, runFiles.warmStart));
  }

  /** The outcome; null while the run is not finished. */
  async readSummary(): Promise<JsonObject | null> {
    const path = join(this.dir, runFiles.summary);
    const text = await readTextOrNull(path);
    return text === null ? null : parseJson(text, jsonObjectSchema, path);
  }

  /** Text of another file of the run, by name; null if there is none. */
  readFile(name: string): Promise<string | null> {
    return readTextOrNull(join(this.dir, name));
  }
}

/** A run folder that this process writes to, and no other. Close it when done. */
export class RunWriter extends Run {
  /** Write the records of an iteration before its checkpoint. */
  readonly metrics: MetricsWriter;
  readonly progress: ProgressFile;
  readonly #settings: JsonObject;
  readonly #release: () => void;
  #isOpen = true;
  /** Files that were written by name. */
  protected readonly named = new Set<string>();

  /** @param settings the whole configuration, as checkpoints keep it */
  constructor(run: Run, settings: JsonObject, metrics: MetricsWriter, release: () => void) {
    super(run.dir, run.manifest, run.config);
    this.metrics = metrics;
    this.progress = new ProgressFile(join(run.dir, runFiles.progress));
    this.#settings = settings;
    this.#release = release;
  }

  /**
   * Saves a checkpoint and removes all but the last `keep`.
   * @throws {ProxmoError} `data` if it is saved already, or its state is no JSON.
   */
  async saveCheckpoint(checkpoint: Checkpoint, keep: number = defaultKeep): Promise<void> {
    const { metrics } = this;
    metrics.sync();
    const records = metrics.mark.iteration === checkpoint.iteration ? metrics.mark.records : 0;
    const context = { settings: this.#settings, records };
    await saveCheckpoint(join(this.dir, runFiles.checkpoints), checkpoint, keep, context);
  }

  /** Saves what a warm start has come to, in place of what was saved of it before. */
  async saveWarmStart(state: Checkpoint): Promise<void> {
    await saveCheckpoint(join(this.dir, runFiles.warmStart), state, 1, { settings: this.#settings, records: 0 });
  }

  /** Removes the saved states of a warm start: a checkpoint has what came of it. */
  async removeWarmStart(): Promise<void> {
    await rm(join(this.dir, runFiles.warmStart), { recursive: true, force: true });
  }

  /** Writes the outcome. @throws {ProxmoError} `data` if it holds what JSON cannot, such as NaN. */
  async writeSummary(summary: JsonObject): Promise<void> {
    await writeJson(join(this.dir, runFiles.summary), summary);
  }

  /** Writes another file into the run, whole: a tokenizer, say. */
  async writeFile(name: string, text: string): Promise<void> {
    this.named.add(name);
    await writeFileAtomic(join(this.dir, name), [text]);
  }

  /** Adds a line to the run's log. */
  log(text: string): void {
    logToRun(this.dir, text);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.metrics.close();
    this.progress.end();
    this.#release();
  }
}

/** A run that this process has started. */
export class NewRun extends RunWriter {
  /** The outermost folder that was made for it; undefined where all were there. */
  #madeFolder: string | undefined;

  constructor(writer: ConstructorParameters<typeof RunWriter>, madeFolder: string | undefined) {
    super(...writer);
    this.#madeFolder = madeFolder;
  }

  /** Closes a run that came to nothing, and takes its folder away, but for what others put into it. */
  async discard(): Promise<void> {
    this.close();
    await removeNewRun(this.dir, this.named, this.#madeFolder);
  }
}

/**
 * Adds a line to the log of a run, if there is a run. A log that cannot be written is done without: training goes on.
 */
export function logToRun(dir: string, text: string): void {
  try {
    if (!existsSync(dir)) return;
    const path = join(dir, runFiles.log);
    // A link in a run of somebody else's may lead anywhere.
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return;
    appendFileSync(path, `${new Date().toISOString()} ${text.replaceAll(/\s*\n\s*/g, ' ')}\n`);
  } catch {}
}

/**
 * Starts a run in a folder that is new or empty.
 * @throws {ProxmoError} `file` if the folder holds anything, is in use, or cannot be made; `data` if the configuration
 * holds what JSON cannot. What it made is gone then.
 */
export async function createRun(dir: string, options: CreateRunOptions): Promise<NewRun> {
  const { config, kind = 'train', schema, adapter, version, modules = [], seed } = options;
  const settings = plainJson(config, `${dir}: the configuration`);
  const madeFolder = await makeFolder(dir);
  const release = acquireLock(join(dir, runFiles.lock));
  await checkNewFolder(dir).catch((error: unknown) => {
    release();
    throw error;
  });
  let metrics: MetricsWriter | undefined;
  try {
    const started = new Date().toISOString();
    const manifest: RunManifest = {
      format: 'proxmo-run',
      formatVersion: 1,
      kind,
      seed,
      version,
      adapter,
      started,
      modules: [...modules],
      resumes: [],
    };
    if (schema !== undefined) await writeFileAtomic(join(dir, runFiles.schema), [schema]);
    const text = configYaml(config, schema === undefined ? null : runFiles.schema);
    await writeFileAtomic(join(dir, runFiles.config), [text]);
    metrics = new MetricsWriter(join(dir, runFiles.metrics), null);
    // Written last: a folder with this file is a run.
    await writeJson(join(dir, runFiles.manifest), manifest);
    return new NewRun([new Run(dir, manifest, config), settings, metrics, release], madeFolder);
  } catch (error) {
    metrics?.close();
    release();
    await removeNewRun(dir, [], madeFolder);
    throw error;
  }
}

/** Opens a run for reading. @throws {ProxmoError} `file` if the folder is not a run, or is damaged. */
export async function openRun(dir: string): Promise<Run> {
  const manifestPath = join(dir, runFiles.manifest);
  const text = await readTextOrNull(manifestPath);
  if (text === null)
    throw new ProxmoError(
      'file',
      `${dir} is not a run: it has no ${runFiles.manifest}; give the folder that training wrote to.`,
    );
  const manifest = parseJson(text, manifestSchema, manifestPath);
  const configPath = join(dir, runFiles.config);
  try {
    const { value: config } = parseYaml(await readText(configPath), configPath, 'file');
    return new Run(dir, manifest, config);
  } catch (error) {
    if (!(error instanceof ProxmoError)) throw error;
    const copies = `the settings stand in state.json of each checkpoint too, as \`context.settings\``;
    throw new ProxmoError(error.code, `${error.message.replace(/\.$/, '')} (${copies}).`, { cause: error });
  }
}

/** @throws {ProxmoError} `file` if a folder for a new run is there and holds anything but a lock, or is no folder */
export async function checkNewFolder(dir: string): Promise<void> {
  const names = await readdir(dir).catch((cause: NodeJS.ErrnoException): string[] => {
    if (cause.code === 'ENOENT') return [];
    throw new ProxmoError('file', `${dir} cannot hold a run: ${systemReason(cause)}; give another folder.`, { cause });
  });
  if (names.every((name) => name === runFiles.lock)) return;
  const what = names.includes(runFiles.manifest) ? 'holds a run already; resume it, or' : 'is not empty;';
  throw new ProxmoError('file', `${dir} ${what} give another folder for the new run.`);
}

/**
 * Whether a run can begin in a folder: it is not there, is empty, or a process was killed while it made a run in it, so
 * that there are files of a run, but no manifest.
 */
export async function isUnbegunRun(dir: string): Promise<boolean> {
  return (await namesIn(dir)).every(isOfBeginning);
}

/** Removes what is left of the beginning of a run from such a folder. Only while nobody holds its lock. */
export async function clearUnbegunRun(dir: string): Promise<void> {
  for (const name of (await namesIn(dir)).filter(isOfBeginning)) await rm(join(dir, name), { force: true });
}

function isOfBeginning(name: string): boolean {
  const { config, schema, metrics, log, lock } = runFiles;
  return [config, schema, metrics, log, lock].some((each) => each === name) || isTemporaryName(name);
}

async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** @returns the outermost folder that had to be made; undefined where all were there */
function makeFolder(dir: string): Promise<string | undefined> {
  return mkdir(dir, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new ProxmoError(
      'file',
      `${dir} cannot be made: ${systemReason(cause)}; give a folder that can be written to.`,
      {
        cause,
      },
    );
  });
}

/** Removes what a new run has written, and the folders that were made for it, as far as nothing else is in them. */
async function removeNewRun(dir: string, named: Iterable<string>, madeFolder: string | undefined): Promise<void> {
  const { manifest, config, schema, metrics, log, summary, checkpoints, rollouts } = runFiles;
  for (const name of [manifest, config, schema, metrics, log, summary, ...named])
    await rm(join(dir, name), { force: true });
  for (const name of Object.values(followerNames)) await rm(join(dir, name), { recursive: true, force: true });
  const folders = [join(dir, checkpoints), join(dir, rollouts)];
  await removeCheckpoints(join(dir, checkpoints));
  await new RolloutFolder(dir).remove();
  if (madeFolder !== undefined) {
    const outermost = resolve(madeFolder);
    for (let folder = resolve(dir); folder.length >= outermost.length; folder = dirname(folder)) folders.push(folder);
  }
  // One that is not there, or holds anything, stays as it is.
  for (const folder of folders) await rmdir(folder).catch(() => {});
}
