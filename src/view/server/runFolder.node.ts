/** What a run's folder says of the run, whatever state it is in: running, finished, crashed, damaged, not there yet. */
import { basename, resolve } from 'node:path';
import { ProxmoError } from '../../base/errors.ts';
import { GuardedFolder } from '../../base/guardedFolder.node.ts';
import { isHeldLock } from '../../base/lock.node.ts';
import type { PlayedBatch } from '../../base/playedBatch.ts';
import { recordSchemas } from '../../rl/credit/record.ts';
import { type LiveProgress, liveProgressSchema } from '../../rl/liveProgress.ts';
import { isPlainObject, parseJson } from '../../runs/json.ts';
import { RolloutFolder } from '../../runs/rollouts.ts';
import { runFiles } from '../../runs/run.ts';
import { parseYaml } from '../../runs/yaml.ts';
import { flattened } from '../flatSettings.ts';
import { profileFiles, profileSchema } from '../profile/profileFile.ts';
import type { ProfileInfo, RunInfo, RunState } from '../protocol.ts';

/** Bytes at the end of a log, among which its last line is. */
const longestNote = 1 << 16;

export class RunFolder {
  readonly files: GuardedFolder;
  private readonly rollouts: RolloutFolder;
  /** What was made of files, by name, with the stamp that they had then. */
  private readonly known = new Map<string, { readonly stamp: string | null; readonly value: unknown }>();

  constructor(
    readonly id: string,
    readonly dir: string,
    /** As the page calls it. */
    private readonly name = basename(resolve(dir)),
  ) {
    this.files = new GuardedFolder(dir);
    this.rollouts = new RolloutFolder(dir);
  }

  async describe(): Promise<RunInfo> {
    const problems: string[] = [];
    const manifest = await this.parsed(runFiles.manifest, JSON.parse, problems);
    const settings = await this.parsed(
      runFiles.config,
      (text) => parseYaml(text, runFiles.config, 'file').value,
      problems,
    );
    const summary = await this.parsed(runFiles.summary, JSON.parse, problems);
    const log = (await this.files.readEnd(runFiles.log, longestNote))?.trimEnd().split('\n').at(-1) ?? null;
    const lock = await this.files.readText(runFiles.lock);
    const adapter = isPlainObject(manifest?.adapter) ? manifest.adapter.name : null;
    return {
      id: this.id,
      kind: manifest?.kind === 'sft' ? 'sft' : 'train',
      name: this.name,
      dir: this.dir,
      state: stateOf(manifest !== null, lock, summary !== null, log),
      note: log,
      problem: problems[0] ?? null,
      started: textOrNull(manifest?.started),
      adapter: textOrNull(adapter),
      version: textOrNull(manifest?.version),
      seed: typeof manifest?.seed === 'number' ? manifest.seed : null,
      settings: flattened(settings ?? {}),
      summary,
      rollouts: await this.rollouts.iterations('training'),
      heldOut: await this.rollouts.iterations('held-out'),
      profile: await this.profileInfo(),
    };
  }

  /** What it does at the moment; null where it does not say, or it cannot be read. */
  async progress(): Promise<LiveProgress | null> {
    const text = await this.files.readText(runFiles.progress);
    try {
      return text === null ? null : (liveProgressSchema.safeParse(JSON.parse(text)).data ?? null);
    } catch {
      return null;
    }
  }

  /**
   * The figures of its profile, as JSON; null where it has none.
   * @throws {ProxmoError} `file` if they are damaged, or of another version
   */
  async profile(): Promise<string | null> {
    const { folder, figures } = profileFiles;
    const text = await this.files.readText(folder, figures);
    if (text !== null) parseJson(text, profileSchema, `${folder}/${figures}`, 'profile the run again');
    return text;
  }

  /** Its profile as a trace; null where it has none. */
  async trace(): Promise<string | null> {
    return this.files.readText(profileFiles.folder, profileFiles.trace);
  }

  private async profileInfo(): Promise<ProfileInfo | null> {
    const { folder, figures, trace } = profileFiles;
    const version = await this.files.stamp(folder, figures);
    return version === null ? null : { version, hasTrace: (await this.files.stamp(folder, trace)) !== null };
  }

  /**
   * The index of a batch, as JSON; null where it was not kept.
   * @throws {ProxmoError} `file` if it is damaged, as of rows below
   */
  async rolloutIndex(batch: PlayedBatch): Promise<string | null> {
    const found = await this.rollouts.readIndex<object>(batch, recordSchemas[batch.split].index);
    return found?.text ?? null;
  }

  /**
   * Rows of a batch, as JSON Lines.
   * @param part where the index says that those of a group are; null for all
   */
  async rows(batch: PlayedBatch, part: { readonly offset: number; readonly bytes: number } | null): Promise<string> {
    return (await this.rollouts.readRows<object>(batch, part, recordSchemas[batch.split].row)).text;
  }

  /** An object out of a file; null where there is none, or none that can be read. */
  private async parsed(
    name: string,
    parse: (text: string) => unknown,
    problems: string[],
  ): Promise<Record<string, unknown> | null> {
    const stamp = await this.files.stamp(name);
    if (stamp === null) return null;
    const known = this.known.get(name);
    const value = known?.stamp === stamp ? known.value : await this.parse(name, parse);
    this.known.set(name, { stamp, value });
    if (isPlainObject(value) && !(value instanceof Error)) return value;
    problems.push(value instanceof ProxmoError ? value.message : `${name} is damaged; restore it from a copy.`);
    return null;
  }

  private async parse(name: string, parse: (text: string) => unknown): Promise<unknown> {
    try {
      return parse((await this.files.readText(name)) ?? '');
    } catch (error) {
      return error;
    }
  }
}

function stateOf(isRun: boolean, lock: string | null, hasSummary: boolean, log: string | null): RunState {
  if (lock !== null && isHeldLock(lock)) return 'running';
  if (!isRun) return 'waiting';
  if (hasSummary) return 'finished';
  const line = log?.replace(/^\S+ /, '') ?? '';
  if (line.startsWith('stopped:')) return 'stopped';
  return line.startsWith('ended by an error:') ? 'failed' : 'ended';
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
