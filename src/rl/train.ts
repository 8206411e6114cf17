/**
 * Training as a part of another program: a task set in memory, settings, and events as they come. Nothing is written;
 * `trainRun` (`proxmo/node`) is the same with a folder, checkpoints and resuming.
 */
import type * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { ResultStream } from '../base/resultStream.ts';
import { checked } from '../base/schemaProblems.ts';
import type { TaskSet } from '../envs/environment.ts';
import type { Fault, FaultOutcome } from '../envs/faults.ts';
import type { Engine } from '../tensor/engine.ts';
import { trainConfigSchema } from './config.ts';
import type { Evaluation } from './evaluate.ts';
import { tokenizerFor } from './policy.ts';
import { type PolicySource, wordPolicySource } from './policySource.ts';
import { type IterationResult, type Progress, Trainer } from './trainer.ts';

/** What a training is made of; all but `taskSet` has a default. */
export interface TrainOptions {
  /** What is played: `defineTaskSet`, `createTaskSet`, or an object of the program's own. */
  readonly taskSet: TaskSet;
  /** Settings, as in a configuration file; what they leave out has its default. */
  readonly config?: z.input<typeof trainConfigSchema>;
  /** The policy to start from. Default: a small transformer with the words of the task set. */
  readonly source?: PolicySource;
  /** Ends the training with the error `interrupted`. */
  readonly signal?: AbortSignal;
}

/** What a training tells of itself. */
export type TrainingEvent =
  /** The mean loss of the last epoch, in nats a token; null without a warm start. */
  | { readonly kind: 'warm start'; readonly loss: number | null }
  /** Success on held-out tasks after so many iterations. */
  | { readonly kind: 'evaluation'; readonly iteration: number; readonly evaluation: Evaluation }
  /** One iteration, counted from 1, with its episodes and what each turn was credited with. */
  | ({ readonly kind: 'iteration'; readonly iteration: number } & IterationResult)
  | { readonly kind: 'progress'; readonly iteration: number; readonly progress: Progress }
  | { readonly kind: 'fault'; readonly fault: Fault; readonly outcome: FaultOutcome }
  | { readonly kind: 'warning'; readonly text: string };

/** What a training comes to. */
export interface Trained {
  /** Holds the policy; `destroy()` it, or use `await using`, when it is no longer needed. */
  readonly trainer: Trainer;
  /** Success on held-out tasks before and after. */
  readonly before: Evaluation;
  readonly after: Evaluation;
}

/**
 * Warm start, iterations and evaluations as the settings say.
 * @returns its events, and what it comes to. Leaving a loop over them ends the training, and its result is then the
 * error `interrupted`; what it held on the device is freed where it ends early
 * @throws {ProxmoError} when it is read: `config`, naming the setting; `environment`, `non-finite`, `interrupted`
 * @example
 * const training = train(engine, { taskSet, config: { training: { iterations: 10 } } });
 * for await (const event of training) if (event.kind === 'iteration') console.log(event.metrics.success);
 * const { trainer, after } = await training.result;
 */
export function train(engine: Engine, options: TrainOptions): ResultStream<TrainingEvent, Trained> {
  return ResultStream.abortable(options.signal, (tell, signal) => runTraining(engine, { ...options, signal }, tell));
}

async function runTraining(
  engine: Engine,
  { taskSet, config: given = {}, source, signal }: TrainOptions & { readonly signal: AbortSignal },
  tell: (event: TrainingEvent) => void,
): Promise<Trained> {
  const config = checked(
    trainConfigSchema,
    given,
    (problem) => new ProxmoError('config', `The settings of this training are not valid: ${problem}.`),
  );
  const { prompt, training, evaluation } = config;
  const policy = source ?? wordPolicySource(config, tokenizerFor(taskSet, prompt.format, prompt.vocabulary));
  let iteration = 0;
  const trainer = new Trainer(engine, config, taskSet, policy, {
    signal,
    onProgress: (progress) => tell({ kind: 'progress', iteration, progress }),
    onFault: (fault, outcome) => tell({ kind: 'fault', fault, outcome }),
    onWarning: (text) => tell({ kind: 'warning', text }),
  });
  const evaluate = async () => {
    const result = await trainer.evaluate();
    tell({ kind: 'evaluation', iteration, evaluation: result });
    return result;
  };
  try {
    for (const text of trainer.tasks.notes) tell({ kind: 'warning', text });
    tell({ kind: 'warm start', loss: await trainer.warmStart() });
    const before = await evaluate();
    while (iteration < training.iterations) {
      const result = await trainer.iterate(iteration);
      iteration++;
      tell({ kind: 'iteration', iteration, ...result });
      if (evaluation.every > 0 && iteration % evaluation.every === 0 && iteration < training.iterations)
        await evaluate();
    }
    return { trainer, before, after: await evaluate() };
  } catch (error) {
    await trainer.destroy();
    throw error;
  }
}
