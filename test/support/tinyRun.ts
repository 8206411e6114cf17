/**
 * The smallest run there is, for tests of what happens around training: a policy of a few hundred parameters, and a
 * world of one step in this process, which a test can watch and spoil.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as z from 'zod';
import { type TrainConfig, trainConfigSchema } from '../../src/rl/config.ts';
import { type TrainRunOptions, trainRun } from '../../src/rl/run.node.ts';
import type { Summary } from '../../src/rl/summary.ts';
import { openRun } from '../../src/runs/run.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from './adapters.ts';
import { lastTensors } from './checkpoints.ts';

type Settings = ReturnType<typeof settingsIn>;
/** Some of the settings, group by group. */
export type TinySettings = { readonly [Key in keyof Settings]?: Partial<TrainConfig[Key]> } & {
  readonly seed?: number;
  readonly advantages?: z.input<typeof trainConfigSchema>['advantages'];
  readonly loss?: z.input<typeof trainConfigSchema>['loss'];
};

const hooks = globalThis as { tinyWorld?: ((task: string) => void) | undefined };

/** Calls `watch` with the task of every episode that opens; what it throws is a fault of the world. */
export function onEpisode(watch: ((task: string) => void) | undefined): void {
  hooks.tinyWorld = watch;
}

/** Writes the world's module into a folder. Of its tasks, named by letters, a fifth are held out. */
export function writeTinyWorld(folder: string): string {
  const path = join(folder, 'tiny.mjs');
  writeFileSync(
    path,
    `export default (options, { defineTaskSet }) => defineTaskSet({
      name: 'tiny',
      maxSteps: 1,
      tasks: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'].map((id) => ({ id, type: 'door' })),
      words: ['go', 'two', 'doors', 'over', 'left', 'right'],
      instruction: () => 'go',
      *play({ id }) {
        globalThis.tinyWorld?.(id);
        const action = yield { observation: 'two doors', actions: ['left', 'right'] };
        return { observation: 'over', success: action === 'left' };
      },
      createExpert: () => ({ reset() {}, act: () => 'left' }),
    });`,
  );
  return path;
}

function settingsIn(world: string) {
  return {
    environment: { name: world, options: {}, retryDelaySeconds: 0, maxAttempts: 2, maxFaults: 100, onFailure: 'drop' },
    prompt: { maxTokens: 64 },
    policy: { dModel: 8, layers: 1, heads: 1, kvHeads: 1, headDim: 8, dFf: 8 },
    sampling: { maxNewTokens: 2, blockSize: 2, constrained: true, temperature: 1 },
    warmStart: { tasks: 0, epochs: 3, batchTurns: 48, learningRate: 3e-3 },
    training: { iterations: 2, pool: 4, tasks: 2, groupSize: 2, miniBatches: 2, learningRate: 1e-2 },
    optimiser: { microBatchTokens: 256, weightDecay: 0.01 },
    evaluation: { tasks: 4, every: 0, seed: 1 },
    checkpoints: { every: 0, keep: 3 },
    rollouts: { keep: 'all', sampleGroups: 2, every: 1 },
  };
}

export function tinyConfig(world: string, settings: TinySettings = {}): TrainConfig {
  const { seed = 1, advantages = {}, loss = {}, ...groups } = settings;
  const merged = Object.entries(settingsIn(world)).map(([name, group]) => [
    name,
    { ...group, ...groups[name as keyof Settings] },
  ]);
  return trainConfigSchema.parse({ seed, advantages, loss, ...Object.fromEntries(merged) });
}

/** A new engine on the fastest test adapter. */
export async function tinyEngine(): Promise<Engine> {
  return new Engine(await testDevice(testAdapters.at(-1)!));
}

export interface TinyTraining extends Pick<TrainRunOptions, 'resume' | 'signal' | 'onEvent' | 'agree' | 'warmStarts'> {
  /** Default: a new one. */
  readonly engine?: Engine;
}

export async function trainTiny(dir: string, config: TrainConfig, options: TinyTraining = {}): Promise<Summary> {
  const { engine = await tinyEngine(), ...rest } = options;
  return trainRun(engine, { dir, config, version: '1', ...rest });
}

/** What must be the same in a run that never stopped: the last checkpoint's tensors, and the metrics but for times. */
export async function essenceOf(dir: string) {
  const run = await openRun(dir);
  const metrics = (await run.readMetrics()).map(({ kind, iteration, success, kl, entropy, gradientNorm }) => ({
    kind,
    iteration,
    success,
    kl,
    entropy,
    gradientNorm,
  }));
  return { iteration: await run.latestCheckpoint(), tensors: await lastTensors(run), metrics };
}

/** Every file below a folder with its text, but for logs and locks. */
export function filesIn(dir: string): Record<string, string> {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => !/\.(log|lock)$/.test(name) && statSync(join(dir, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(dir, name), 'latin1')]));
}

/** The same settings for the command line. */
export function tinyFlags(world: string): string[] {
  const { environment, ...groups } = settingsIn(world);
  const { name, options: _, ...faults } = environment;
  const settings = Object.entries({ ...groups, environment: { name, ...faults } }).flatMap(([group, values]) =>
    Object.entries(values).map(([key, value]) => `${group}.${key}=${value}`),
  );
  return settings.flatMap((setting) => ['--set', setting]);
}
