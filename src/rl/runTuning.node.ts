/**
 * Tuning in a training run. What is chosen stands in the run's `tuning.json` before any program runs with it. So a run
 * that is stopped at any moment goes on with the same variants, whatever the cache of the device says by then; and so
 * does whatever plays, evaluates or samples from the trained policy.
 */
import { join } from 'node:path';
import { ProxmoError } from '../base/errors.ts';
import { readTextOrNull } from '../base/wholeFile.node.ts';
import { RecordedChooser, Tuner, type TuningRecord, type TuningReport, type TuningStore } from '../gpu/tuner.ts';
import { TuningCache } from '../gpu/tuningCache.node.ts';
import { formatTuning, parseTuning, type TuningOrigin } from '../gpu/tuningRecords.ts';
import { openRun, type Run, type RunWriter } from '../runs/run.ts';
import type { Engine } from '../tensor/engine.ts';
import type { TrainConfig } from './config.ts';

const tuningFile = 'tuning.json';

export type TuningEvent =
  | { readonly kind: 'tuning'; readonly kernel: string; readonly shape: string }
  | { readonly kind: 'tuned'; readonly report: TuningReport }
  | { readonly kind: 'warning'; readonly text: string };

export interface RunTuningOptions {
  readonly dir: string;
  readonly config: Pick<TrainConfig, 'engine'>;
  readonly version: string;
  readonly resume?: boolean;
  readonly onEvent?: (event: TuningEvent) => void;
}

/** The choices of one run. */
export class RunChoices implements TuningStore {
  private writer: RunWriter | null = null;
  private saving: Promise<void> = Promise.resolve();
  private isSaved = true;

  private constructor(
    private readonly origin: TuningOrigin,
    private readonly records: Map<string, TuningRecord>,
    /** Gives the engine back the chooser that it had. */
    readonly release: () => void,
  ) {}

  /**
   * Lets the engine tune what it compiles from now on, where the configuration says so; null where it does not.
   * @throws {ProxmoError} `file` if the choices that the run must keep to cannot be read
   */
  static async start(
    engine: Engine,
    { dir, config, version, resume, onEvent }: RunTuningOptions,
  ): Promise<RunChoices | null> {
    if (!config.engine.tune) return null;
    const { gpu } = engine;
    const onWarning = (text: string) => onEvent?.({ kind: 'warning', text });
    const records = await recordsToKeepTo(dir, resume ?? false, config.engine.variants);
    const before = engine.variantChooser;
    const choices = new RunChoices({ adapter: gpu.adapter.name, driver: gpu.adapter.driver, version }, records, () => {
      engine.variantChooser = before;
    });
    engine.variantChooser = new Tuner(gpu, [choices, await TuningCache.open(gpu.adapter, version, onWarning)], {
      version,
      onBroken: onWarning,
      onStart: (kernel, shape) => onEvent?.({ kind: 'tuning', kernel, shape }),
      onTuned: (report) => onEvent?.({ kind: 'tuned', report }),
    });
    return choices;
  }

  get(key: string): TuningRecord | undefined {
    return this.records.get(key);
  }

  set(key: string, record: TuningRecord): Promise<void> {
    this.records.set(key, record);
    return this.save();
  }

  /** Writes what was chosen so far, and from then on each choice. */
  keepIn(writer: RunWriter): Promise<void> {
    this.writer = writer;
    return this.save();
  }

  /** Choices that are made together are written together. */
  private save(): Promise<void> {
    this.isSaved = false;
    this.saving = this.saving.then(async () => {
      if (this.isSaved || !this.writer) return;
      this.isSaved = true;
      await this.writer.writeFile(tuningFile, await formatTuning(this.origin, this.records));
    });
    return this.saving;
  }
}

/** How a run that was tuned is used: by the variants that it was trained with, or why not. */
export interface KeptChoices {
  readonly path: string;
  readonly choices: number;
  /** In a sentence: why kernels run in their default variants instead. Null if they do not. */
  readonly problem: string | null;
}

/**
 * Lets the engine compile with what a run chose while it trained, as long as it stands on the same adapter and driver;
 * nothing is measured, and what the run never met runs as by default. Null for a run that was not tuned.
 */
export async function keepToChoices(engine: Engine, run: Pick<Run, 'dir' | 'readFile'>): Promise<KeptChoices | null> {
  const text = await run.readFile(tuningFile);
  if (text === null) return null;
  const path = join(run.dir, tuningFile);
  const parsed = await parseTuning(text);
  if (!parsed)
    return {
      path,
      choices: 0,
      problem: `${path} is damaged: kernels run in their default variants, which may change last bits.`,
    };
  const { origin, records } = parsed;
  const { adapter } = engine.gpu;
  if (origin.adapter !== adapter.name || origin.driver !== adapter.driver) {
    const problem = `${path} was measured on ${origin.adapter} (${origin.driver}), and this is ${adapter.name} (${adapter.driver}): kernels run in their default variants.`;
    return { path, choices: 0, problem };
  }
  engine.variantChooser = new RecordedChooser(engine.gpu, records, origin.version);
  return { path, choices: records.size, problem: null };
}

/** Those of the run itself where it goes on, or of the run that it is to repeat. */
async function recordsToKeepTo(
  dir: string,
  resume: boolean,
  variants: string | undefined,
): Promise<Map<string, TuningRecord>> {
  const own = resume ? await (await openRun(dir)).readFile(tuningFile) : null;
  if (own !== null) return parse(own, join(dir, tuningFile));
  if (variants === undefined) return new Map();
  const text = await readTextOrNull(variants);
  if (text === null)
    throw new ProxmoError(
      'file',
      `${variants} does not exist; name the tuning.json of an earlier run as engine.variants.`,
    );
  return parse(text, variants);
}

async function parse(text: string, path: string): Promise<Map<string, TuningRecord>> {
  const parsed = await parseTuning(text);
  if (parsed) return parsed.records;
  throw new ProxmoError(
    'file',
    `${path} is damaged, so the run's bits cannot be repeated; restore it, or start a run anew.`,
  );
}
