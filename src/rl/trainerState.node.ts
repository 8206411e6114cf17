/**
 * A trainer's state as tensors and numbers, for checkpoints, and back. They go to and from the device in pieces, of
 * which the host holds few.
 */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { finitePieces } from '../base/finite.ts';
import { readParameter, writeParameter } from '../nn/halfWeights.ts';
import type { Transformer } from '../nn/transformer.ts';
import { Pace, piecesOf } from '../nn/weightTransfer.ts';
import type { Checkpoint, NamedTensor } from '../runs/checkpoint.ts';
import type { JsonObject } from '../runs/json.ts';
import type { Engine } from '../tensor/engine.ts';
import { sizeOf } from '../tensor/tensor.ts';
import type { Parameter, ParameterSlab, Variable } from '../tensor/variable.ts';
import { successesSchema } from './successes.ts';
import { evaluationSummarySchema } from './summary.ts';
import type { CurriculumProgress, SupervisedTraining } from './supervised.ts';
import { samplerStateSchema } from './taskSampler.ts';
import type { Trainer } from './trainer.ts';

/** Sums over a run, carried through checkpoints. */
const totalsSchema = z.object({
  wallSeconds: z.number(),
  /** Of these, that the warm start took; null before its end, and where the checkpoint does not say. */
  warmStartSeconds: z.number().nullable().default(null),
  iterationSeconds: z.number(),
  advantageSeconds: z.number(),
  tokens: z.number(),
  before: evaluationSummarySchema.nullable(),
});

const count = z.number().int().min(0);
const progressSchema = z.object({
  totals: totalsSchema,
  /** The evaluation after this iteration, where it was made before the checkpoint. */
  evaluation: evaluationSummarySchema.nullable(),
  /** SHA-256 of the ids and types of the tasks, by which others are noticed. */
  tasks: z.object({ training: z.string(), heldOut: z.string() }),
});
const stateSchema = progressSchema.extend({
  optimiser: z.object({ steps: count, microBatches: count }),
  /** Faults of the environment so far. */
  faults: count,
  sampler: samplerStateSchema.optional(),
  successes: successesSchema.optional(),
});

/** What a run knows of its course besides the trainer. */
export type RunProgress = z.infer<typeof progressSchema>;

const referencePrefix = 'reference.';
const behaviourPrefix = 'behaviour.';

/**
 * What is trained, with its moments, what the reference has of its own, and the policy that plays the next iteration
 * where that is an earlier one. The frozen base of adapters is not part of a checkpoint. The tensors are read when they
 * are asked for, so the trainer must not go on before.
 */
export function captureState(engine: Engine, trainer: Trainer, iteration: number, progress: RunProgress): Checkpoint {
  const { trainable } = trainer.policy.model;
  const { adamW, progress: optimiser } = trainer.optimiser;
  const { referenceWeights, faults, sampler, lessons, next } = trainer;
  return {
    iteration,
    weights: weightTensors(engine, trainable, ''),
    optimizer: [
      ...adamW.variables.flatMap((moment) => momentTensors(engine, moment, trainable)),
      ...(referenceWeights ? weightTensors(engine, referenceWeights, referencePrefix) : []),
      ...(next?.iteration === iteration ? weightTensors(engine, next.model.trainable, behaviourPrefix) : []),
    ],
    state: {
      optimiser: { ...optimiser },
      faults: faults.count,
      ...(sampler.state === null ? {} : { sampler: sampler.state }),
      ...(lessons.successes === null ? {} : { successes: lessons.successes.state }),
      ...progress,
    },
  };
}

/** A model's trained weights alone. They are read when they are asked for. */
export function captureWeights(engine: Engine, { trainable }: Transformer): NamedTensor[] {
  return weightTensors(engine, trainable, '');
}

/**
 * Puts a checkpoint's weights into a model.
 * @throws {ProxmoError} `file` if a tensor is missing or has another shape
 */
export async function restoreWeights(engine: Engine, { trainable }: Transformer, saved: Checkpoint): Promise<void> {
  await writeWeights(engine, trainable, saved.weights, '');
}

/** Puts a whole checkpoint into a trainer. @throws {ProxmoError} `file` if it does not fit */
export async function restoreState(engine: Engine, trainer: Trainer, saved: Checkpoint): Promise<RunProgress> {
  const { optimiser: progress, faults, sampler, successes, ...rest } = parseState(saved);
  const { policy, optimiser, referenceWeights, next } = trainer;
  const { trainable } = policy.model;
  await restoreWeights(engine, policy.model, saved);
  for (const moment of optimiser.adamW.variables) await writeMoment(engine, moment, trainable, saved.optimizer);
  if (referenceWeights) await writeWeights(engine, referenceWeights, saved.optimizer, referencePrefix);
  if (next && saved.optimizer.some(({ name }) => name.startsWith(behaviourPrefix))) {
    await writeWeights(engine, next.model.trainable, saved.optimizer, behaviourPrefix);
    next.iteration = saved.iteration;
  }
  optimiser.progress = progress;
  trainer.faults.resumeFrom(faults);
  if (sampler !== undefined) trainer.sampler.state = sampler;
  if (successes !== undefined && trainer.lessons.successes) trainer.lessons.successes.state = successes;
  return rest;
}

const supervisedSchema = z.looseObject({
  optimiser: z.object({ steps: count, microBatches: count }),
  epochLoss: z.number(),
});

/**
 * Supervised training between two steps, as a checkpoint whose iteration is the number of steps.
 * @param rest what else its run goes on with
 */
export function captureSupervised(
  engine: Engine,
  { trainable }: Transformer,
  { optimiser }: SupervisedTraining,
  { step, epochLoss }: CurriculumProgress,
  rest: JsonObject,
): Checkpoint {
  return {
    iteration: step,
    weights: weightTensors(engine, trainable, ''),
    optimizer: optimiser.adamW.variables.flatMap((moment) => momentTensors(engine, moment, trainable)),
    state: { ...rest, optimiser: { ...optimiser.progress }, epochLoss },
  };
}

/**
 * Brings supervised training to where it was.
 * @param restSchema of what else was kept with it
 * @returns that
 * @throws {ProxmoError} `file` if it does not fit
 */
export async function restoreSupervised<S extends z.ZodType>(
  engine: Engine,
  model: Transformer,
  training: SupervisedTraining,
  saved: Checkpoint,
  restSchema: S,
): Promise<z.output<S>> {
  const parsed = supervisedSchema.safeParse(saved.state);
  const rest = restSchema.safeParse(saved.state);
  if (!parsed.success || !rest.success)
    throw new ProxmoError(
      'file',
      `The state that was saved after step ${saved.iteration} is not valid; remove its folder to go on from the one before, or to begin again.`,
    );
  await restoreWeights(engine, model, saved);
  const { optimiser } = training;
  for (const moment of optimiser.adamW.variables) await writeMoment(engine, moment, model.trainable, saved.optimizer);
  optimiser.progress = parsed.data.optimiser;
  training.progress = { step: saved.iteration, epochLoss: parsed.data.epochLoss };
  return rest.data;
}

function parseState({ iteration, state }: Checkpoint): z.infer<typeof stateSchema> {
  const parsed = stateSchema.safeParse(state);
  if (parsed.success) return parsed.data;
  throw new ProxmoError(
    'file',
    `The checkpoint of iteration ${iteration} has no valid trainer state; resume from another one.`,
  );
}

function weightTensors(engine: Engine, slab: ParameterSlab, prefix: string): NamedTensor[] {
  return slab.all.map(({ name, shape }) => ({
    name: prefix + name,
    shape,
    pieces: () =>
      piecesFrom(prefix + name, sizeOf(shape), (start, count) => readParameter(engine, slab, name, start, count)),
  }));
}

async function writeWeights(
  engine: Engine,
  slab: ParameterSlab,
  tensors: readonly NamedTensor[],
  prefix: string,
): Promise<void> {
  const pace = new Pace(engine);
  for (const parameter of slab.all) {
    const tensor = savedTensor(tensors, prefix, parameter);
    await writePieces(pace, tensor, (piece, start) => writeParameter(engine, slab, parameter.name, piece, start));
  }
}

function momentTensors(engine: Engine, moment: Variable, { parameters }: ParameterSlab): NamedTensor[] {
  return parameters.map(({ name, shape, offset }) => ({
    name: `${moment.name}.${name}`,
    shape,
    pieces: () =>
      piecesFrom(`${moment.name}.${name}`, sizeOf(shape), async (start, count) =>
        Float32Array.from(await engine.read(moment, offset + start, count)),
      ),
  }));
}

async function writeMoment(
  engine: Engine,
  moment: Variable,
  { parameters }: ParameterSlab,
  tensors: readonly NamedTensor[],
): Promise<void> {
  const pace = new Pace(engine);
  for (const parameter of parameters) {
    const tensor = savedTensor(tensors, `${moment.name}.`, parameter);
    await writePieces(pace, tensor, (piece, start) => engine.write(moment, piece, parameter.offset + start));
  }
}

/** What goes into a checkpoint. It throws `non-finite` where a run could not go on from it. */
function piecesFrom(
  name: string,
  size: number,
  read: (start: number, count: number) => Promise<Float32Array>,
): AsyncGenerator<Float32Array> {
  async function* pieces() {
    for (const [start, end] of piecesOf(size)) yield await read(start, end - start);
  }
  return finitePieces(
    pieces(),
    (value, index) =>
      new ProxmoError(
        'non-finite',
        `The tensor ${name} holds ${value} at index ${index}, so it is not saved; go on from the last checkpoint with a lower learning rate.`,
      ),
  );
}

async function writePieces(
  pace: Pace,
  { name, pieces }: NamedTensor,
  write: (piece: Float32Array, start: number) => void,
): Promise<void> {
  let start = 0;
  const damaged = (value: number, index: number) =>
    new ProxmoError(
      'file',
      `The checkpoint's tensor ${name} holds ${value} at index ${index}; take another checkpoint.`,
    );
  for await (const piece of finitePieces(pieces(), damaged)) {
    write(piece, start);
    start += piece.length;
    await pace.wrote(piece.length);
  }
}

/** @throws {ProxmoError} `file` if it is missing or has another shape */
function savedTensor(
  tensors: readonly NamedTensor[],
  prefix: string,
  { name, shape }: Pick<Parameter, 'name' | 'shape'>,
): NamedTensor {
  const tensor = tensors.find((candidate) => candidate.name === prefix + name);
  if (tensor && tensor.shape.join() === shape.join()) return tensor;
  const found = tensor ? `has the shape [${tensor.shape.join(', ')}]` : 'is missing';
  throw new ProxmoError(
    'file',
    `The checkpoint does not fit the policy: ${prefix}${name} ${found}, [${shape.join(', ')}] is needed; use the run's own configuration.`,
  );
}
