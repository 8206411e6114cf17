/**
 * The tuning cache: a file for each adapter, driver and version of the package in the user's cache folder. Whatever is
 * wrong with it costs one warning and new measurements.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { sha256 } from '../base/sha256.ts';
import { systemReason } from '../base/systemErrors.node.ts';
import type { AdapterDescription } from './adapterDescription.ts';
import { cacheFolder, makeCacheFolder } from './cacheFolder.node.ts';
import type { TuningRecord, TuningStore } from './tuner.ts';
import { formatTuning, parseTuning, type TuningOrigin } from './tuningRecords.ts';

/**
 * What was tuned on an adapter, in a file of the user's.
 * @example
 * const cache = await TuningCache.open(gpu.adapter, '1');
 * engine.variantChooser = new Tuner(gpu, [cache], { version: '1' });
 */
export class TuningCache implements TuningStore {
  private saving: Promise<void> = Promise.resolve();
  private isSaved = true;
  /** There is a folder for it. */
  private isKept = true;
  private warned = false;

  private constructor(
    readonly path: string,
    private readonly origin: TuningOrigin,
    private records: Map<string, TuningRecord>,
    private readonly onWarning: (text: string) => void,
  ) {}

  /**
   * The cache of an adapter; empty if there is none.
   * @param onWarning told, once at most, of a file that is damaged or of a folder that cannot be had
   * @param folder default: the user's own, which nobody else can write
   */
  static async open(
    { name, driver }: Pick<AdapterDescription, 'name' | 'driver'>,
    version: string,
    onWarning: (text: string) => void = () => {},
    folder?: string,
  ): Promise<TuningCache> {
    const origin = { adapter: name, driver, version };
    const file = `tuning-${await sha256(JSON.stringify([name, driver, version]), 16)}.json`;
    try {
      const cache = new TuningCache(join(folder ?? makeCacheFolder(), file), origin, new Map(), onWarning);
      cache.records = (await cache.read()) ?? new Map();
      return cache;
    } catch (error) {
      if (!(error instanceof ProxmoError)) throw error;
      const cache = new TuningCache(join(cacheFolder(), file), origin, new Map(), onWarning);
      cache.isKept = false;
      cache.warn(`${error.message} What is measured is not kept.`);
      return cache;
    }
  }

  /** Number of records. */
  get size(): number {
    return this.records.size;
  }

  /** What is known under a key. */
  get(key: string): TuningRecord | undefined {
    return this.records.get(key);
  }

  /** Kept for the next process, unless the folder cannot be written: then for this one. */
  set(key: string, record: TuningRecord): Promise<void> {
    this.records.set(key, record);
    this.isSaved = !this.isKept;
    this.saving = this.saving.then(() => (this.isSaved ? undefined : this.save()));
    return this.saving;
  }

  private async save(): Promise<void> {
    this.isSaved = true;
    try {
      await mkdir(dirname(this.path), { recursive: true });
      // Another process may have measured other kernels meanwhile.
      this.records = new Map([...((await this.read()) ?? []), ...this.records]);
      await writeFileAtomic(this.path, [await formatTuning(this.origin, this.records)]);
    } catch (error) {
      this.warn(`The tuning cache ${this.path} cannot be written: ${systemReason(error)}; it is not kept.`);
    }
  }

  /** The records of the file; null if there is none that holds for this adapter. */
  private async read(): Promise<Map<string, TuningRecord> | null> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT')
        this.warn(`The tuning cache ${this.path} cannot be read: ${systemReason(error)}; kernels are measured again.`);
      return null;
    });
    if (text === null) return null;
    const parsed = await parseTuning(text);
    const { adapter, driver, version } = this.origin;
    if (
      parsed &&
      parsed.origin.adapter === adapter &&
      parsed.origin.driver === driver &&
      parsed.origin.version === version
    )
      return parsed.records;
    this.warn(`The tuning cache ${this.path} is damaged or another adapter's; kernels are measured again.`);
    return null;
  }

  private warn(text: string): void {
    if (!this.warned) this.onWarning(text);
    this.warned = true;
  }
}
