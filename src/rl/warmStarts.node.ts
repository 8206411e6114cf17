/**
 * Warm starts that runs share. Runs of one seed that differ in what comes after the warm start, as the arms of a study,
 * come to the same weights by it, bit for bit. The first leaves them in a folder, the others begin with them.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { writeFolderAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { packageVersion } from '../base/packageVersion.ts';
import { type OpenCheckpoint, openWholeCheckpoint, saveCheckpoint } from '../runs/checkpoint.ts';
import type { Engine } from '../tensor/engine.ts';
import type { TrainConfig } from './config.ts';
import type { Trainer } from './trainer.ts';
import { captureWeights, restoreWeights } from './trainerState.node.ts';

const stateSchema = z.object({
  /** Of the last epoch, in nats a token. */
  loss: z.number(),
  /** That it took. */
  seconds: z.number(),
  /** Faults of the environment in it. */
  faults: z.int().min(0),
});

/** What a warm start came to. */
export interface WarmStartOutcome {
  readonly loss: number;
  readonly seconds: number;
}

/**
 * Warm starts that runs of the same settings share, in a folder.
 * @example
 * await trainRun(engine, { dir: 'runs/2', config, warmStarts: new WarmStarts('warm-starts') });
 */
export class WarmStarts {
  /**
   * @param dir folder of all of them
   * @param version of what computes, as another one may compute other bits; default: that of the package
   */
  constructor(
    private readonly dir: string,
    private readonly version: string = packageVersion,
  ) {}

  /**
   * Brings a trainer to the end of its warm start, where one of the same settings is kept.
   * @param files what the policy starts from, as its run keeps it
   * @returns null if there is none that is whole
   */
  async take(engine: Engine, trainer: Trainer, files: Files): Promise<WarmStartOutcome | null> {
    const folder = this.folderOf(engine, trainer, files);
    if (folder === null) return null;
    const { checkpoint } = await openWholeCheckpoint(folder);
    if (checkpoint) return takeFrom(checkpoint, engine, trainer);
    await rm(folder, { recursive: true, force: true });
    return null;
  }

  /** Keeps what a trainer's warm start has just come to. @throws {ProxmoError} `file` if it cannot be written */
  async keep(engine: Engine, trainer: Trainer, files: Files, { loss, seconds }: WarmStartOutcome): Promise<void> {
    const folder = this.folderOf(engine, trainer, files);
    if (folder === null) return;
    const weights = captureWeights(engine, trainer.policy.model);
    const state: z.input<typeof stateSchema> = { loss, seconds, faults: trainer.faults.count };
    await writeFolderAtomic(folder, 'warm start', (temporary) =>
      saveCheckpoint(temporary, { iteration: 0, weights, optimizer: [], state }, 1),
    ).catch(async (error: unknown) => {
      // Another run was faster.
      const { checkpoint } = await openWholeCheckpoint(folder);
      if (checkpoint === null) throw error;
      await checkpoint.close();
    });
  }

  /** Null where each run has a warm start of its own: without one, and where it chooses its own kernel variants. */
  private folderOf(engine: Engine, { config, tasks }: Trainer, files: Files): string | null {
    if (config.warmStart.tasks === 0 || config.engine.tune) return null;
    const { name, driver } = engine.gpu.adapter;
    const demonstrated = tasks.demonstrated.map(({ id, type }) => [id, type]);
    const key = JSON.stringify([this.version, name, driver, settingsBefore(config), files, demonstrated]);
    return join(this.dir, createHash('sha256').update(key).digest('hex').slice(0, 32));
  }
}

type Files = Readonly<Record<string, string>>;

/** Settings that nothing reads before the first iteration or evaluation. */
const later: readonly string[] = ['advantages', 'loss', 'training', 'evaluation', 'rollouts', 'checkpoints'];

/** Those that decide what the warm start comes to. */
function settingsBefore(config: TrainConfig): object {
  return Object.fromEntries(Object.entries(config).filter(([group]) => !later.includes(group)));
}

async function takeFrom(checkpoint: OpenCheckpoint, engine: Engine, trainer: Trainer): Promise<WarmStartOutcome> {
  try {
    const state = stateSchema.safeParse(checkpoint.state).data;
    if (!state) throw new ProxmoError('file', 'A shared warm start has no valid state; remove its folder.');
    await trainer.startFrom(() => restoreWeights(engine, trainer.policy.model, checkpoint));
    trainer.faults.resumeFrom(state.faults);
    return state;
  } finally {
    await checkpoint.close();
  }
}
