/** How long a run would take, measured on a small part of it. */
import { ProxmoError } from '../base/errors.ts';
import type { Engine } from '../tensor/engine.ts';
import type { TrainConfig } from './config.ts';
import { showEpisode } from './dryRun.node.ts';
import type { IterationMetrics } from './metrics.ts';
import type { PolicySource } from './policySource.ts';
import { RunTasks } from './runTasks.ts';
import { Trainer } from './trainer.ts';
import { evaluationsLeft } from './workLeft.ts';

/** An estimate, in seconds: of each part once, and of the whole run. */
export interface TimeEstimate {
  readonly warmStart: number;
  readonly iteration: number;
  readonly evaluation: number;
  readonly total: number;
}

/** What was measured, in seconds. */
export interface MeasuredPart {
  /** What is done once, as to compile kernels. */
  readonly setup: number;
  /** Of `demonstrated` tasks: to play them, and to learn from them once. */
  readonly demonstrations: number;
  readonly lesson: number;
  readonly demonstrated: number;
  /** Of an iteration with `tasks` tasks, by a policy that has learned next to nothing. */
  readonly iteration: Pick<IterationMetrics, 'seconds' | 'length'>;
  readonly tasks: number;
  /** Mean turns of the expert's episodes; null where there is none. */
  readonly expertLength: number | null;
}

/** Demonstrations, tasks of an iteration, and episodes of the expert that are measured, at most. */
const most = { demonstrations: 32, tasks: 4, expert: 8 };
/** Seconds that an iteration with all of its tasks may take to be measured itself. */
const affordable = 20;

/** A trainer of a run with little of everything, to show and to measure; it writes nothing. */
export function smallTrainer(
  engine: Engine,
  config: TrainConfig,
  source: PolicySource,
  taskSet: Trainer['taskSet'],
  signal?: AbortSignal,
): Trainer {
  const tasks = Math.min(config.training.tasks, most.tasks);
  return partTrainer(engine, config, source, taskSet, tasks, signal);
}

function partTrainer(
  engine: Engine,
  config: TrainConfig,
  source: PolicySource,
  taskSet: Trainer['taskSet'],
  tasks: number,
  signal: AbortSignal | undefined,
): Trainer {
  const { warmStart, training } = config;
  const part = {
    ...config,
    warmStart: { ...warmStart, tasks: Math.min(warmStart.tasks, most.demonstrations), epochs: 1 },
    training: { ...training, tasks, pool: tasks },
    engine: { ...config.engine, tune: false },
    // It plays by itself.
    fleet: { ...config.fleet, staleness: 0 },
  };
  return new Trainer(engine, part, taskSet, source, signal ? { signal } : {});
}

/**
 * Does a part of the run twice, since the first time compiles kernels, and counts the second. What a batch costs does
 * not grow in step with its size, so an iteration with all of its tasks is measured where it does not take long.
 * @param small of `smallTrainer`
 * @throws {ProxmoError} as `Trainer`; `interrupted` if the signal fired
 */
export async function estimateTime(
  small: Trainer,
  engine: Engine,
  config: TrainConfig,
  source: PolicySource,
  signal?: AbortSignal,
): Promise<TimeEstimate> {
  const { taskSet, tasks: part } = small;
  const before = await timedLesson(small);
  const { demonstrations, lesson } = await timedLesson(small);
  const expertLength = await lengthOfExpert(small, config);
  let iteration = await timedIteration(small);
  let tasks = small.config.training.tasks;
  let setup = before.demonstrations + before.lesson - demonstrations - lesson + iteration.setup;
  const { tasks: all } = config.training;
  if (all > tasks && (iteration.seconds.total * all) / tasks <= affordable) {
    const whole = await measuredWhole(engine, (part) => partTrainer(part, config, source, taskSet, all, signal));
    if (whole) [iteration, tasks, setup] = [whole, all, setup + whole.setup];
  }
  const demonstrated = part.demonstrated.length;
  const measured = { setup, demonstrations, lesson, demonstrated, iteration, tasks, expertLength };
  return timeOf(measured, config, new RunTasks(taskSet, config).demonstrated.length);
}

/**
 * The time of a whole run, by that of a part. A policy learns to play about as long as the expert does, so over a run
 * the mean of both lengths is taken; an evaluation costs what a rollout of as many episodes does.
 * @param demonstrated tasks that are demonstrated in the run
 */
export function timeOf(measured: MeasuredPart, config: TrainConfig, demonstrated: number): TimeEstimate {
  const { setup, demonstrations, lesson, iteration, expertLength } = measured;
  const { training, evaluation } = config;
  const share = measured.demonstrated === 0 ? 0 : demonstrated / measured.demonstrated;
  const length = Math.min(iteration.length, (iteration.length + (expertLength ?? iteration.length)) / 2);
  const scale = (training.tasks / measured.tasks) * (length / iteration.length);
  const { rollout, total: whole } = iteration.seconds;
  const parts = {
    warmStart: share * (demonstrations + config.warmStart.epochs * lesson),
    iteration: scale * whole,
    evaluation: (scale * rollout * evaluation.tasks) / (training.tasks * training.groupSize),
  };
  const total =
    Math.max(0, setup) +
    parts.warmStart +
    training.iterations * parts.iteration +
    evaluationsLeft(config, null) * parts.evaluation;
  return { ...parts, total };
}

/** A warm start in its parts, in seconds. */
async function timedLesson(trainer: Trainer): Promise<{ demonstrations: number; lesson: number }> {
  const started = performance.now();
  let begun = started;
  await trainer.warmStart({
    onBegin: async () => {
      begun = performance.now();
    },
  });
  return { demonstrations: (begun - started) / 1000, lesson: (performance.now() - begun) / 1000 };
}

/** The second of two iterations, and what the first took besides, in seconds. */
async function timedIteration(trainer: Trainer): Promise<MeasuredPart['iteration'] & { readonly setup: number }> {
  const { metrics: first } = await trainer.iterate(0);
  const { metrics } = await trainer.iterate(1);
  return { seconds: metrics.seconds, length: metrics.length, setup: first.seconds.total - metrics.seconds.total };
}

/** The same with all tasks; null where the device has no room for it beside the small part. Nothing of it is left. */
async function measuredWhole(
  engine: Engine,
  trainer: (engine: Engine) => Trainer,
): Promise<Awaited<ReturnType<typeof timedIteration>> | null> {
  await using part = engine.part();
  try {
    return await timedIteration(trainer(part));
  } catch (error) {
    if (error instanceof ProxmoError && error.code === 'out-of-memory') return null;
    throw error;
  }
}

async function lengthOfExpert({ policy, taskSet, tasks }: Trainer, config: TrainConfig): Promise<number | null> {
  if (taskSet.createExpert === undefined) return null;
  const played = tasks.training.slice(0, most.expert);
  let turns = 0;
  for (const task of played) turns += (await showEpisode(policy.player, taskSet, task, config)).turns.length;
  return turns / played.length;
}
