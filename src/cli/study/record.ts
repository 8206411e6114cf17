/**
 * `study.json`: what a study's folder holds, for whoever opens it without the study's file, and on what each session of
 * it ran, for reports.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { readTextOrNull } from '../../base/wholeFile.node.ts';
import { jsonObjectSchema, parseJson, plainJson, writeJson } from '../../runs/json.ts';
import type { Study } from './file.ts';

const recordFile = 'study.json';

const sessionSchema = z.strictObject({
  started: z.iso.datetime(),
  command: z.string(),
  version: z.string(),
  /** Of proxmo's checkout, if it runs from one. */
  commit: z.string().nullable(),
  /** Whether files of the checkout differ from that commit. */
  changed: z.boolean(),
  node: z.string(),
  machine: z.string(),
  /** Runs at a time. */
  jobs: z.int(),
  /** Threads of a software driver for each; null where that was left to it. */
  threads: z.int().nullable(),
});
/** A time that runs of the study were made. */
export type StudySession = z.output<typeof sessionSchema>;

const recordSchema = z.strictObject({
  format: z.literal('proxmo-study'),
  formatVersion: z.literal(1),
  title: z.string(),
  file: z.string(),
  reference: z.string(),
  seeds: z.array(z.int()),
  /** In the order of the file; `settings` are those that the arm sets besides. Runs are in ARM/seed-N. */
  arms: z.array(z.strictObject({ name: z.string(), settings: jsonObjectSchema })),
  sessions: z.array(sessionSchema),
});

/** Sessions so far. @throws {ProxmoError} `file` if the record is damaged */
export async function readSessions({ dir }: Study): Promise<StudySession[]> {
  const path = join(dir, recordFile);
  const text = await readTextOrNull(path);
  return text === null ? [] : parseJson(text, recordSchema, path, 'remove it').sessions;
}

/** Writes down what the study is, and that a session of it begins. */
export async function recordSession(study: Study, session: StudySession): Promise<void> {
  const { title, file, reference, seeds, arms, dir } = study;
  const record: z.input<typeof recordSchema> = {
    format: 'proxmo-study',
    formatVersion: 1,
    title,
    file,
    reference,
    seeds: [...seeds],
    arms: arms.map(({ name, settings }) => ({ name, settings: plainJson(settings, `${file}: the arm ${name}`) })),
    sessions: [...(await readSessions(study)), session],
  };
  await writeJson(join(dir, recordFile), record);
}

/** What this process runs on. @param program the command line's own file */
export async function describeSession(
  program: string,
  version: string,
): Promise<Omit<StudySession, 'command' | 'jobs' | 'threads'>> {
  const [{ model } = { model: 'unknown CPU' }] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return {
    started: new Date().toISOString(),
    version,
    ...(await checkoutOf(program)),
    node: process.version,
    machine: `${model.trim()}, ${availableParallelism()} cores, ${memory} GiB, ${type()} ${release()} ${process.arch}`,
  };
}

const nothing = { commit: null, changed: false };

/** The commit of the checkout that a file of proxmo lies in. */
async function checkoutOf(file: string): Promise<Pick<StudySession, 'commit' | 'changed'>> {
  const git = async (...args: string[]) =>
    (await promisify(execFile)('git', ['-C', dirname(file), ...args])).stdout.trim();
  try {
    const root = await git('rev-parse', '--show-toplevel');
    const { name } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    // Where proxmo is a dependency, the checkout around it is its user's.
    if (name !== 'proxmo') return nothing;
    const changes = await git('status', '--porcelain', '--untracked-files=no');
    return { commit: await git('rev-parse', 'HEAD'), changed: changes !== '' };
  } catch {
    return nothing;
  }
}
