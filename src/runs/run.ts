/**
 * Run folders: everything that one training run writes, in a form that can be read while it runs, survives a stop at
 * any moment, and lets the run go on afterwards.
 *
 *   run.json        what it ran on: adapter, package version, seed, start; and each resume
 *   config.yaml     its whole configuration
 *   metrics.jsonl   one record a line (`metrics.ts`)
 *   checkpoints/    weights, optimiser and state (`checkpoint.ts`)
 *   summary.json    the outcome, once it is finished
 *   run.lock        while a process writes to it (`lock.ts`)
 *
 * and files of the trainer's own, which it writes by name: what its policy started from, its choices of kernel
 * variants, its rollouts.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { readTextOrNull } from '../base/wholeFile.node.ts';
import {
  type Checkpoint,
  latestCheckpoint,
  listCheckpoints,
  type OpenCheckpoint,
  openCheckpoint,
  removeLeftovers,
  saveCheckpoint,
} from './checkpoint.ts';
import { type JsonObject, jsonObjectSchema, parseJson, readText, writeJson } from './json.ts';
import { acquireLock } from './lock.ts';
import { type MetricRecord, MetricsWriter, readMetrics } from './metrics.ts';
import { parseYaml } from './yaml.ts';

const manifestFile = 'run.json';
const configFile = 'config.yaml';
const metricsFile = 'metrics.jsonl';
const checkpointFolder = 'checkpoints';
const summaryFile = 'summary.json';
const lockFile = 'run.lock';

const defaultKeep = 3;

const sessionFields = { version: z.string(), adapter: jsonObjectSchema, started: z.iso.datetime() };
const manifestSchema = z.strictObject({
  format: z.literal('proxmo-run'),
  formatVersion: z.literal(1),
  seed: z.int(),
  ...sessionFields,
  resumes: z.array(z.strictObject({ ...sessionFields, iteration: z.int().nonnegative().nullable() })),
});

/**
 * What `run.json` says. `resumes` has one entry for each time the run was taken up again, with the iteration it went on
 * from.
 */
export type RunManifest = z.infer<typeof manifestSchema>;

/** What a process that writes to a run tells about itself. */
export interface RunSession {
  /** The GPU adapter, as the device layer describes it. */
  readonly adapter: JsonObject;
  /** Version of this package. */
  readonly version: string;
}

export interface CreateRunOptions extends RunSession {
  readonly config: Readonly<Record<string, unknown>>;
  readonly seed: number;
}

/** A run folder, for reading; also while another process writes to it. */
export class Run {
  constructor(
    readonly dir: string,
    readonly manifest: RunManifest,
    /** As `config.yaml` has it, to be checked by whoever knows its schema. */
    readonly config: unknown,
  ) {}

  /** Every record so far, in order. */
  readMetrics(): Promise<MetricRecord[]> {
    return readMetrics(join(this.dir, metricsFile));
  }

  /** Iterations that have a checkpoint, rising. */
  checkpoints(): Promise<number[]> {
    return listCheckpoints(join(this.dir, checkpointFolder));
  }

  /** Iteration of the checkpoint to resume from; null before the first. */
  latestCheckpoint(): Promise<number | null> {
    return latestCheckpoint(join(this.dir, checkpointFolder));
  }

  /**
   * The checkpoint of an iteration, or the latest. Close it when done.
   * @throws {ProxmoError} `file` if there is none, or it is damaged.
   */
  openCheckpoint(iteration?: number): Promise<OpenCheckpoint> {
    return openCheckpoint(join(this.dir, checkpointFolder), iteration);
  }

  /** The outcome; null while the run is not finished. */
  async readSummary(): Promise<JsonObject | null> {
    const path = join(this.dir, summaryFile);
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
  readonly #release: () => void;

  constructor(run: Run, metrics: MetricsWriter, release: () => void) {
    super(run.dir, run.manifest, run.config);
    this.metrics = metrics;
    this.#release = release;
  }

  /**
   * Saves a checkpoint and removes all but the last `keep`.
   * @throws {ProxmoError} `data` if it is saved already, or its state is no JSON.
   */
  async saveCheckpoint(checkpoint: Checkpoint, keep: number = defaultKeep): Promise<void> {
    this.metrics.sync();
    await saveCheckpoint(join(this.dir, checkpointFolder), checkpoint, keep);
  }

  /** Writes the outcome. @throws {ProxmoError} `data` if it holds what JSON cannot, such as NaN. */
  async writeSummary(summary: JsonObject): Promise<void> {
    await writeJson(join(this.dir, summaryFile), summary);
  }

  /** Writes another file into the run, whole: a tokenizer, say. */
  async writeFile(name: string, text: string): Promise<void> {
    await writeFileAtomic(join(this.dir, name), [text]);
  }

  close(): void {
    this.metrics.close();
    this.#release();
  }
}

/**
 * Starts a run in a folder that is new or empty.
 * @throws {ProxmoError} `file` if the folder holds anything, is in use, or cannot be made.
 */
export async function createRun(dir: string, options: CreateRunOptions): Promise<RunWriter> {
  await makeFolder(dir);
  const release = acquireLock(join(dir, lockFile));
  const names = (await readdir(dir)).filter((name) => name !== lockFile);
  if (names.length > 0) {
    release();
    const what = names.includes(manifestFile) ? 'holds a run already; resume it, or' : 'is not empty;';
    throw new ProxmoError('file', `${dir} ${what} give another folder for the new run.`);
  }
  let metrics: MetricsWriter | undefined;
  try {
    const { config, adapter, version, seed } = options;
    const started = new Date().toISOString();
    const manifest: RunManifest = {
      format: 'proxmo-run',
      formatVersion: 1,
      seed,
      version,
      adapter,
      started,
      resumes: [],
    };
    await writeFileAtomic(join(dir, configFile), [stringify(config)]);
    metrics = new MetricsWriter(join(dir, metricsFile), null);
    // Written last: a folder with this file is a run.
    await writeJson(join(dir, manifestFile), manifest);
    return new RunWriter(new Run(dir, manifest, config), metrics, release);
  } catch (error) {
    metrics?.close();
    for (const name of [configFile, metricsFile]) await rm(join(dir, name), { force: true });
    release();
    throw error;
  }
}

/**
 * Takes up a run where its latest checkpoint left it, or from its start if it has none: metrics after that are cut off,
 * and what a killed process left half-made is removed.
 * @throws {ProxmoError} `file` if the folder is not a run, is damaged, or is in use.
 */
export async function resumeRun(dir: string, session: RunSession): Promise<RunWriter> {
  // What is no run gets no lock.
  await openRun(dir);
  const release = acquireLock(join(dir, lockFile));
  let metrics: MetricsWriter | undefined;
  try {
    await removeLeftovers(dir);
    await removeLeftovers(join(dir, checkpointFolder));
    const run = await openRun(dir);
    const iteration = await run.latestCheckpoint();
    const resume = { adapter: session.adapter, version: session.version, started: new Date().toISOString(), iteration };
    const manifest = { ...run.manifest, resumes: [...run.manifest.resumes, resume] };
    metrics = new MetricsWriter(join(dir, metricsFile), iteration);
    await rm(join(dir, summaryFile), { force: true });
    await writeJson(join(dir, manifestFile), manifest);
    return new RunWriter(new Run(dir, manifest, run.config), metrics, release);
  } catch (error) {
    metrics?.close();
    release();
    throw error;
  }
}

/** Opens a run for reading. @throws {ProxmoError} `file` if the folder is not a run, or is damaged. */
export async function openRun(dir: string): Promise<Run> {
  const manifestPath = join(dir, manifestFile);
  const text = await readTextOrNull(manifestPath);
  if (text === null)
    throw new ProxmoError(
      'file',
      `${dir} is not a run: it has no ${manifestFile}; give the folder that training wrote to.`,
    );
  const manifest = parseJson(text, manifestSchema, manifestPath);
  const configPath = join(dir, configFile);
  const { value: config } = parseYaml(await readText(configPath), configPath, 'file');
  const run = new Run(dir, manifest, config);
  await readText(join(dir, metricsFile));
  await run.latestCheckpoint();
  return run;
}

async function makeFolder(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new ProxmoError('file', `${dir} cannot be made (${cause.code}); give a folder that can be written to.`, {
      cause,
    });
  });
}
