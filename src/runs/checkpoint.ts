/**
 * Checkpoints of a run. Each is a folder named by its iteration:
 *
 *   checkpoints/000012/weights.safetensors    the policy
 *                      optimizer.safetensors  moments and whatever else the optimiser keeps
 *                      state.json             the trainer's own state, the run's settings as they were, and the size
 *                                             and SHA-256 of the two files
 *   checkpoints/latest                        the name of the folder to resume from
 *
 * The folder is made under a temporary name and renamed when it is whole, and `latest` is written last, so what it
 * names is always a whole checkpoint; it never changes from then on. Where `latest` or what it names is damaged all the
 * same, a run goes on from the newest checkpoint that is whole. Tensors go to and from the files in pieces, so that a
 * checkpoint may be larger than memory.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import {
  type FileDigest,
  isHeldOpen,
  isTemporaryName,
  renameSoon,
  syncFolder,
  temporaryPath,
  writeFileAtomic,
} from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { iterationName } from '../base/iterationName.ts';
import { SafetensorsFile, streamSafetensors } from '../base/safetensors.node.ts';
import { digestOfFile, readTextOrNull } from '../base/wholeFile.node.ts';
import { type JsonObject, jsonObjectSchema, parseJson, readText, writeJson } from './json.ts';

/** A tensor by name. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Its values in row-major order, piece by piece from where they are kept. A piece need not outlive the next one. */
  readonly pieces: () => AsyncIterable<Float32Array>;
}

export interface Checkpoint {
  /** Iterations done. */
  readonly iteration: number;
  readonly weights: readonly NamedTensor[];
  readonly optimizer: readonly NamedTensor[];
  /** What else the trainer needs to go on with the same bits: counters, random number state, the best score so far. */
  readonly state: JsonObject;
}

/** What a run keeps with a checkpoint of its own. */
export interface CheckpointContext {
  /** Its whole configuration. */
  readonly settings: JsonObject;
  /** Metric records of this iteration that were written before. */
  readonly records: number;
}

/** A checkpoint on disk, whose tensors can be read until it is closed. */
export interface OpenCheckpoint extends Checkpoint {
  /** Null where it has none, as those that earlier versions wrote. */
  readonly context: CheckpointContext | null;
  close(): Promise<void>;
}

const weightsFile = 'weights.safetensors';
const optimizerFile = 'optimizer.safetensors';
const stateFile = 'state.json';
const latestFile = 'latest';

const digestSchema: z.ZodType<FileDigest> = z.strictObject({
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const stateSchema = z.strictObject({
  format: z.literal('proxmo-checkpoint'),
  version: z.literal(1),
  iteration: z.int().nonnegative(),
  files: z.strictObject({ [weightsFile]: digestSchema, [optimizerFile]: digestSchema }),
  state: jsonObjectSchema,
  context: z.strictObject({ settings: jsonObjectSchema, records: z.int().nonnegative() }).nullable().default(null),
});

/**
 * Saves a checkpoint, makes it the latest, and removes all but the last `keep`. Its tensors are read as they are
 * written.
 * @param folder the run's `checkpoints` folder; made if it is not there
 * @throws {ProxmoError} `data` if the latest checkpoint is of this iteration already, `keep` is below 1, or the state
 * is no JSON.
 */
export async function saveCheckpoint(
  folder: string,
  checkpoint: Checkpoint,
  keep: number,
  context: CheckpointContext | null = null,
): Promise<void> {
  const { iteration, weights, optimizer, state } = checkpoint;
  if (!(Number.isInteger(iteration) && iteration >= 0 && keep >= 1)) {
    throw new ProxmoError(
      'data',
      `Checkpoint: cannot save iteration ${iteration} and keep ${keep}; give counts, and keep at least 1.`,
    );
  }
  await mkdir(folder, { recursive: true });
  if ((await latestCheckpoint(folder)) === iteration) {
    throw new ProxmoError(
      'data',
      `Checkpoint: iteration ${iteration} is saved already as the latest in ${folder}; save each once.`,
    );
  }
  const path = join(folder, iterationName(iteration));
  const temporary = temporaryPath(path);
  try {
    await mkdir(temporary);
    const files = {
      [weightsFile]: await writeTensors(join(temporary, weightsFile), weights),
      [optimizerFile]: await writeTensors(join(temporary, optimizerFile), optimizer),
    };
    const description = { format: 'proxmo-checkpoint', version: 1, iteration, files, state, context } satisfies z.input<
      typeof stateSchema
    >;
    await writeJson(join(temporary, stateFile), description);
    await removeFolder(path);
    await renameSoon(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(folder);
  await pointLatest(folder, iteration);
  const older = (await listCheckpoints(folder)).filter((other) => other <= iteration);
  for (const other of older.slice(0, -keep)) await removeFolder(join(folder, iterationName(other))).catch(letBe);
}

/** Makes a checkpoint that is there the one to resume from. */
export async function pointLatest(folder: string, iteration: number): Promise<void> {
  await writeFileAtomic(join(folder, latestFile), [`${iterationName(iteration)}\n`]);
}

/** On Windows a checkpoint that someone reads cannot be removed; it is when the next one is saved. */
function letBe(error: unknown): void {
  if (!isHeldOpen(error)) throw error;
}

/**
 * Opens a checkpoint and checks it against its hashes. Close it when done.
 * @param iteration the one to open; the latest by default
 * @throws {ProxmoError} `file` if there is none, or it is damaged.
 */
export async function openCheckpoint(folder: string, iteration?: number): Promise<OpenCheckpoint> {
  const wanted = iteration ?? (await latestCheckpoint(folder));
  const all = await listCheckpoints(folder);
  if (wanted === null) {
    const none = `${folder} has no checkpoint: none was saved yet, or they were removed; train until one is saved, or put them back.`;
    const some = `${folder} has no file \`${latestFile}\` that says which is the last; choose one: ${all.join(', ')}.`;
    throw new ProxmoError('file', all.length === 0 ? none : some);
  }
  if (!all.includes(wanted)) {
    const others = all.length === 0 ? 'there are none' : `there are ${all.join(', ')}`;
    throw new ProxmoError('file', `${folder} has no checkpoint of iteration ${wanted}; ${others}.`);
  }
  const path = join(folder, iterationName(wanted));
  const statePath = join(path, stateFile);
  const { iteration: stated, files, state, context } = parseJson(await readText(statePath), stateSchema, statePath);
  if (stated !== wanted) {
    throw new ProxmoError(
      'file',
      `${statePath} is of iteration ${stated}, not ${wanted}; its folder was renamed, so rename it back.`,
    );
  }
  const weights = await openTensors(join(path, weightsFile), files[weightsFile]);
  const optimizer = await openTensors(join(path, optimizerFile), files[optimizerFile]).catch(async (error: unknown) => {
    await weights.close();
    throw error;
  });
  const close = async () => {
    await weights.close();
    await optimizer.close();
  };
  return { iteration: stated, weights: tensorsOf(weights), optimizer: tensorsOf(optimizer), state, context, close };
}

/** The checkpoint that a run can go on from, and what is wrong with others that would come before it. */
export interface FoundCheckpoint {
  /** Close it when done. Null if none is whole. */
  readonly checkpoint: OpenCheckpoint | null;
  /** In sentences. */
  readonly problems: readonly string[];
}

/**
 * Opens the latest checkpoint, or where that is not whole, the newest one that is, checked against its hashes. Nothing
 * is changed.
 */
export async function openWholeCheckpoint(folder: string): Promise<FoundCheckpoint> {
  const newestFirst = (await listCheckpoints(folder)).reverse();
  const problems: string[] = [];
  let latest: number | null = null;
  try {
    latest = await latestCheckpoint(folder);
    if (latest === null && newestFirst.length > 0) problems.push(`${join(folder, latestFile)} is missing.`);
  } catch (error) {
    problems.push(asProblem(error));
  }
  for (const iteration of latest === null ? newestFirst : [latest, ...newestFirst.filter((each) => each !== latest)]) {
    try {
      return { checkpoint: await openCheckpoint(folder, iteration), problems };
    } catch (error) {
      problems.push(asProblem(error));
    }
  }
  return { checkpoint: null, problems };
}

/** What is wrong with a file. @throws any other error */
function asProblem(error: unknown): string {
  if (error instanceof ProxmoError && error.code === 'file') return error.message;
  throw error;
}

/** Iterations of the checkpoints in a folder, rising; none if there is no such folder. */
export async function listCheckpoints(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  return names
    .filter((name) => /^\d{6,}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** Removes all of them, and nothing else that may be in their folder. */
export async function removeCheckpoints(folder: string): Promise<void> {
  await rm(join(folder, latestFile), { force: true });
  for (const iteration of await listCheckpoints(folder))
    await rm(join(folder, iterationName(iteration)), { recursive: true, force: true });
}

/**
 * Iteration that `latest` names; null if no checkpoint was saved.
 * @throws {ProxmoError} `file` if it names none that is there.
 */
export async function latestCheckpoint(folder: string): Promise<number | null> {
  const path = join(folder, latestFile);
  const text = await readTextOrNull(path);
  if (text === null) return null;
  const name = text.trim();
  const all = await listCheckpoints(folder);
  if (all.some((iteration) => iterationName(iteration) === name)) return Number(name);
  const others =
    all.length === 0 ? 'there is none' : `write the name of one that is there: ${all.map(iterationName).join(', ')}`;
  throw new ProxmoError('file', `${path} names "${name.slice(0, 40)}", which is no checkpoint; ${others}.`);
}

/** Removes what a process that was killed left half-made in a folder. Only the holder of the run's lock may. */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (isTemporaryName(name)) await rm(join(folder, name), { recursive: true, force: true });
}

/**
 * Removes a checkpoint's folder, if it is there, so that it is gone at once: a half-removed one must not look like a
 * checkpoint.
 */
async function removeFolder(path: string): Promise<void> {
  const aside = temporaryPath(path);
  try {
    await renameSoon(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await rm(aside, { recursive: true, force: true, maxRetries: 5 });
}

function writeTensors(path: string, tensors: readonly NamedTensor[]): Promise<FileDigest> {
  return streamSafetensors(
    path,
    tensors.map((tensor) => ({ ...tensor, dtype: 'F32' as const })),
    ({ pieces }) => pieces(),
  );
}

async function openTensors(path: string, expected: FileDigest): Promise<SafetensorsFile> {
  const found = await digestOfFile(path, 'the checkpoint is damaged, so use another one');
  if (found.bytes !== expected.bytes || found.sha256 !== expected.sha256) {
    throw new ProxmoError(
      'file',
      `${path} does not match the hash in its ${stateFile}; it is damaged, so use another checkpoint.`,
    );
  }
  return SafetensorsFile.open(path);
}

function tensorsOf(file: SafetensorsFile): NamedTensor[] {
  return Array.from(file.entries.values(), ({ name, shape }) => ({
    name,
    shape,
    pieces: () => file.float32Pieces(name),
  }));
}
