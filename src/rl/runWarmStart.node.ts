/**
 * The warm start of a run: that of a run with the same settings where they share it, or one of its own, which is saved
 * on the way and gone on with after a stop.
 */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { isSystemError } from '../base/systemErrors.node.ts';
import type { RunWriter } from '../runs/run.ts';
import type { Engine } from '../tensor/engine.ts';
import type { RunClock } from './runClock.ts';
import type { SupervisedTraining } from './supervised.ts';
import type { Trainer } from './trainer.ts';
import { captureSupervised, restoreSupervised } from './trainerState.node.ts';
import type { WarmStartOutcome, WarmStarts } from './warmStarts.node.ts';

/** What is kept of a run with its warm start: seconds so far, of all and of the warm start. */
const restSchema = z.object({ wallSeconds: z.number(), warmStartSeconds: z.number().default(0) });

export interface RunWarmStartOptions {
  /** What the policy starts from, as the run keeps it. */
  readonly files: Readonly<Record<string, string>>;
  /** Of the run, which goes on with what it was. */
  readonly clock: RunClock;
  /** Those that runs share. */
  readonly warmStarts?: WarmStarts | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told in a sentence of what its user should know. */
  readonly onWarning: (text: string) => void;
}

export class RunWarmStart {
  /** While it is under way. */
  private cloning: SupervisedTraining | null = null;
  private step: number | null = null;
  private started = 0;
  /** Seconds of it in the processes before this one. */
  private before = 0;

  constructor(
    private readonly engine: Engine,
    private readonly trainer: Trainer,
    private readonly options: RunWarmStartOptions,
  ) {}

  /** Step that was saved last; null if none was. */
  get savedStep(): number | null {
    return this.step;
  }

  private get seconds(): number {
    return this.before + (performance.now() - this.started) / 1000;
  }

  /**
   * @returns the loss of its last epoch, in nats a token, or null where it is off; the seconds that it took this run;
   * and whether it is that of another run
   * @throws {ProxmoError} as `Trainer.warmStart`
   */
  async run(writer: RunWriter): Promise<{ loss: number | null; seconds: number; isShared: boolean }> {
    this.started = performance.now();
    const { warmStarts, files } = this.options;
    const shared = await warmStarts?.take(this.engine, this.trainer, files);
    const loss = shared ? shared.loss : await this.imitate(writer);
    const { seconds } = this;
    this.cloning = null;
    if (shared) writer.log(`begun with a warm start of the same settings, which took ${shared.seconds.toFixed(1)} s`);
    else if (loss !== null) await this.share({ loss, seconds });
    return { loss, seconds, isShared: Boolean(shared) };
  }

  private imitate(writer: RunWriter): Promise<number | null> {
    let saved = performance.now();
    const { warmStartMinutes } = this.trainer.config.checkpoints;
    return this.trainer.warmStart({
      onBegin: (cloning) => this.begin(cloning, writer),
      onStep: async () => {
        const isDue = warmStartMinutes > 0 && performance.now() - saved >= 60_000 * warmStartMinutes;
        if (!isDue && !this.options.signal?.aborted) return;
        await this.save(writer);
        saved = performance.now();
      },
    });
  }

  /** Keeps it for other runs. This one goes on without. */
  private async share(outcome: WarmStartOutcome): Promise<void> {
    const { warmStarts, files, onWarning } = this.options;
    await warmStarts?.keep(this.engine, this.trainer, files, outcome).catch((error: unknown) => {
      if (!(error instanceof ProxmoError || isSystemError(error))) throw error;
      onWarning(`The warm start could not be kept for other runs: ${error.message}`);
    });
  }

  /** Goes on with what was saved, if anything was. */
  private async begin(cloning: SupervisedTraining, writer: RunWriter): Promise<void> {
    this.cloning = cloning;
    const { checkpoint: saved, problems } = await writer.openWarmStart();
    for (const text of problems) this.options.onWarning(text);
    if (!saved) return;
    try {
      const { model } = this.trainer.policy;
      const rest = await restoreSupervised(this.engine, model, cloning, saved, restSchema);
      this.options.clock.before = rest.wallSeconds;
      this.before = rest.warmStartSeconds;
      this.step = saved.iteration;
      writer.log(`the warm start goes on after its step ${saved.iteration}`);
    } finally {
      await saved.close();
    }
  }

  /** Saves it where it is between two steps. */
  private async save(writer: RunWriter): Promise<void> {
    const progress = this.cloning?.progress;
    if (!this.cloning || !progress || progress.step === (this.step ?? 0)) return;
    const rest: z.output<typeof restSchema> = {
      wallSeconds: this.options.clock.seconds,
      warmStartSeconds: this.seconds,
    };
    await writer.saveWarmStart(captureSupervised(this.engine, this.trainer.policy.model, this.cloning, progress, rest));
    this.step = progress.step;
  }
}
