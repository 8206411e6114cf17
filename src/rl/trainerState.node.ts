/** A trainer's state as tensors and numbers, for checkpoints, and back. */
import { z } from 'zod';
import { ProxmoError } from '../errors.ts';
import type { Transformer } from '../nn/transformer.ts';
import type { Checkpoint, NamedTensor } from '../runs/checkpoint.ts';
import type { Engine } from '../tensor/engine.ts';
import { sizeOf } from '../tensor/tensor.ts';
import type { ParameterSlab, Variable } from '../tensor/variable.ts';
import type { Trainer } from './trainer.ts';

const evaluationSchema = z.object({
  success: z.number(),
  interval: z.tuple([z.number(), z.number()]).readonly(),
  episodes: z.number(),
  byTask: z.record(z.string(), z.number()).readonly(),
  meanLength: z.number(),
  validShare: z.number(),
});

const totalsSchema = z.object({
  wallSeconds: z.number(),
  iterationSeconds: z.number(),
  advantageSeconds: z.number(),
  tokens: z.number(),
  before: evaluationSchema.nullable(),
});

/** Sums over a run, carried through checkpoints. */
export type Totals = z.infer<typeof totalsSchema>;

const stateSchema = z.object({ optimiserSteps: z.number().int().min(0), totals: totalsSchema });

const referencePrefix = 'reference.';

/** Reads weights, reference weights and moments from the device. */
export async function captureState(engine: Engine, trainer: Trainer, iteration: number, totals: Totals): Promise<Checkpoint> {
  const { model } = trainer.policy;
  const { adamW, steps } = trainer.optimiser;
  const moments = await Promise.all(adamW.variables.map((variable) => readSlab(engine, variable, model.slab, `${variable.name}.`)));
  const reference = trainer.reference ? await readSlab(engine, trainer.reference.slab.variable, model.slab, referencePrefix) : [];
  return {
    iteration,
    weights: await readSlab(engine, model.slab.variable, model.slab, ''),
    optimizer: [...moments.flat(), ...reference],
    state: { optimiserSteps: steps, totals },
  };
}

/** Puts a checkpoint's weights into a model. @throws {ProxmoError} `file` if a tensor is missing or has another shape */
export function restoreWeights(engine: Engine, model: Transformer, saved: Checkpoint): void {
  writeModel(engine, model, saved.weights, '');
}

/** Puts a whole checkpoint into a trainer. @throws {ProxmoError} `file` if it does not fit */
export function restoreState(engine: Engine, trainer: Trainer, saved: Checkpoint): Totals {
  const parsed = stateSchema.safeParse(saved.state);
  if (!parsed.success)
    throw new ProxmoError('file', `The checkpoint of iteration ${saved.iteration} has no valid trainer state; resume from another one.`);
  restoreWeights(engine, trainer.policy.model, saved);
  const { slab } = trainer.policy.model;
  for (const variable of trainer.optimiser.adamW.variables) writeSlab(engine, variable, slab, saved.optimizer, `${variable.name}.`);
  if (trainer.reference) writeModel(engine, trainer.reference, saved.optimizer, referencePrefix);
  trainer.optimiser.steps = parsed.data.optimiserSteps;
  return parsed.data.totals;
}

function writeModel(engine: Engine, model: Transformer, tensors: readonly NamedTensor[], prefix: string): void {
  writeSlab(engine, model.slab.variable, model.slab, tensors, prefix);
}

async function readSlab(engine: Engine, variable: Variable, { parameters }: ParameterSlab, prefix: string): Promise<NamedTensor[]> {
  const values = await engine.read(variable);
  return parameters.map(({ name, shape, offset }) => ({
    name: prefix + name,
    shape,
    data: Float32Array.from(values.subarray(offset, offset + sizeOf(shape))),
  }));
}

function writeSlab(
  engine: Engine,
  variable: Variable,
  { parameters }: ParameterSlab,
  tensors: readonly NamedTensor[],
  prefix: string,
): void {
  const values = new Float32Array(variable.size);
  for (const { name, shape, offset } of parameters) {
    const tensor = tensors.find((candidate) => candidate.name === prefix + name);
    if (!tensor || tensor.shape.join() !== shape.join()) {
      const found = tensor ? `has the shape [${tensor.shape.join(', ')}]` : 'is missing';
      throw new ProxmoError(
        'file',
        `The checkpoint does not fit the policy: ${prefix}${name} ${found}, [${shape.join(', ')}] is needed; use the run's own configuration.`,
      );
    }
    values.set(tensor.data, offset);
  }
  engine.write(variable, values);
}
