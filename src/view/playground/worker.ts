/**
 * Trains one run in a worker of the browser, on its GPU, and tells the page what a run's folder would have of it. A
 * bundle of its own.
 */
import { errorMessage } from '../../base/errors.ts';
import { packGroups } from '../../base/playedBatch.ts';
import { createTaskSet } from '../../envs/index.ts';
import { openBrowserDevice } from '../../gpu/browserDevice.ts';
import { type TrainConfig, trainConfigSchema } from '../../rl/config.ts';
import { recordRollout } from '../../rl/credit/recordRows.ts';
import { tokenizerFor } from '../../rl/policy.ts';
import { wordPolicySource } from '../../rl/policySource.ts';
import { presets } from '../../rl/presets.ts';
import { evaluationFigures, flatFigures } from '../../rl/summary.ts';
import { type IterationResult, type Progress, Trainer } from '../../rl/trainer.ts';
import { Engine } from '../../tensor/engine.ts';
import { flattened } from '../flatSettings.ts';
import type { Choice, FromWorker, ToWorker } from './messages.ts';

/** The part of a worker's global scope that is used; the DOM's types are a page's. */
const scope = globalThis as unknown as {
  postMessage(message: FromWorker, transfer?: readonly ArrayBuffer[]): void;
  addEventListener(type: 'message', listener: (event: { readonly data: ToWorker }) => void): void;
};

/** Iterations between evaluations. */
const evaluateEvery = 5;

const engine = openBrowserDevice().then(
  (gpu) => {
    scope.postMessage({ kind: 'adapter', name: gpu.adapter.name });
    return new Engine(gpu);
  },
  (error: unknown) => {
    scope.postMessage({ kind: 'problem', run: null, text: errorMessage(error) });
    return null;
  },
);

const stopping = new AbortController();

scope.addEventListener('message', ({ data }) => {
  if (data.kind === 'stop') stopping.abort();
  else void train(data.run, data.choice);
});

async function train(run: string, choice: Choice): Promise<void> {
  const opened = await engine;
  if (!opened) return;
  const { signal } = stopping;
  try {
    await new BrowserRun(run, opened, configOf(choice), signal).train();
    scope.postMessage({ kind: 'ended', run, state: 'finished' });
  } catch (error) {
    if (signal.aborted) scope.postMessage({ kind: 'ended', run, state: 'stopped' });
    else scope.postMessage({ kind: 'problem', run, text: errorMessage(error) });
  }
}

function configOf({ estimator, temperature, seed, iterations, demonstrations, tasks, heldOut }: Choice): TrainConfig {
  const { small } = presets;
  return trainConfigSchema.parse({
    ...small,
    seed,
    advantages: estimator === 'proxmo' ? { estimator, temperature } : { estimator },
    warmStart: { ...small.warmStart, tasks: demonstrations },
    training: { ...small.training, iterations, tasks, pool: Math.max(tasks, small.training.pool / 4) },
    evaluation: { ...small.evaluation, tasks: heldOut, every: evaluateEvery },
  });
}

class BrowserRun {
  private iteration = 0;

  constructor(
    private readonly run: string,
    private readonly engine: Engine,
    private readonly config: TrainConfig,
    private readonly signal: AbortSignal,
  ) {}

  async train(): Promise<void> {
    const { config, engine, signal } = this;
    const { name, options } = config.environment;
    this.begin();
    const taskSet = await createTaskSet(name, options);
    const source = wordPolicySource(config, tokenizerFor(taskSet));
    const trainer = new Trainer(engine, config, taskSet, source, {
      signal,
      onProgress: (progress) => this.tell(progress),
    });
    await trainer.warmStart();
    await this.evaluate(trainer);
    while (this.iteration < config.training.iterations) {
      const result = await trainer.iterate(this.iteration);
      this.iteration++;
      await this.record(trainer, result);
      const isLast = this.iteration === config.training.iterations;
      if (isLast || this.iteration % config.evaluation.every === 0) await this.evaluate(trainer);
    }
  }

  private begin(): void {
    const { run, config, engine } = this;
    const { estimator } = config.advantages;
    scope.postMessage({
      kind: 'begun',
      run,
      config,
      info: {
        id: run,
        kind: 'train',
        name: `${estimator}${'temperature' in config.advantages ? `, τ ${config.advantages.temperature}` : ''}, seed ${config.seed}`,
        dir: 'household',
        state: 'running',
        note: null,
        problem: null,
        started: new Date().toISOString(),
        adapter: engine.gpu.adapter.name,
        version: null,
        seed: config.seed,
        settings: flattened(config),
        summary: null,
        rollouts: [],
        heldOut: [],
        profile: null,
      },
    });
  }

  private tell({ phase, done, detail }: Progress): void {
    const { run, iteration, config } = this;
    const share = iteration / Math.max(1, config.training.iterations);
    const progress = {
      time: new Date().toISOString(),
      iteration,
      phase,
      done,
      stage: { share: done, seconds: null },
      run: { share, seconds: null },
      ...(detail === undefined ? {} : { detail }),
    };
    scope.postMessage({ kind: 'progress', run, progress });
  }

  private async evaluate(trainer: Trainer): Promise<void> {
    const figures = evaluationFigures(await trainer.evaluate());
    const { run, iteration } = this;
    scope.postMessage({ kind: 'record', run, record: { kind: 'eval', time: now(), ...figures, iteration } });
  }

  private async record(trainer: Trainer, result: IterationResult): Promise<void> {
    const { run, iteration } = this;
    const record = recordRollout(iteration, result, trainer.policy);
    if (record) {
      const { members, places } = await packGroups(record.groups, gzip);
      const index = JSON.stringify(record.indexOf(places));
      scope.postMessage(
        { kind: 'rollout', run, iteration, index, members },
        members.map(({ buffer }) => buffer),
      );
    }
    const figures = flatFigures(result.metrics);
    scope.postMessage({ kind: 'record', run, record: { kind: 'train', time: now(), ...figures, iteration } });
  }
}

async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function now(): string {
  return new Date().toISOString();
}
