/**
 * Tuning in a training run. What is chosen stands in the run's `tuning.json` before any program runs with it, so that a run that is stopped at any moment goes on with the same
 * variants, whatever the cache of the device says by then.
 */
import { ProxmoError } from '../errors.ts';
import { Tuner, type TuningRecord, type TuningReport, type TuningStore } from '../gpu/tuner.ts';
import { TuningCache } from '../gpu/tuningCache.node.ts';
import { formatTuning, parseTuning, type TuningOrigin } from '../gpu/tuningRecords.ts';
import { readTextOrNull } from '../runs/json.ts';
import { openRun, type RunWriter } from '../runs/run.ts';
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
  static async start(engine: Engine, { dir, config, version, resume, onEvent }: RunTuningOptions): Promise<RunChoices | null> {
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

/** Those of the run itself where it goes on, or of the run that it is to repeat. */
async function recordsToKeepTo(dir: string, resume: boolean, variants: string | undefined): Promise<Map<string, TuningRecord>> {
  const own = resume ? await (await openRun(dir)).readFile(tuningFile) : null;
  if (own !== null) return parse(own, `${dir}/${tuningFile}`);
  if (variants === undefined) return new Map();
  const text = await readTextOrNull(variants);
  if (text === null)
    throw new ProxmoError('file', `${variants} does not exist; name the tuning.json of an earlier run as engine.variants.`);
  return parse(text, variants);
}

async function parse(text: string, path: string): Promise<Map<string, TuningRecord>> {
  const parsed = await parseTuning(text);
  if (parsed) return parsed.records;
  throw new ProxmoError('file', `${path} is damaged, so the run's bits cannot be repeated; restore it, or start a run anew.`);
}
