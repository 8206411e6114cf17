/** Checkpoints with all their values at hand, for tests that compare them. */
import type { Checkpoint, NamedTensor, OpenCheckpoint } from '../../src/runs/checkpoint.ts';

/** A tensor of a checkpoint as `toEqual` compares it. */
interface TensorValues {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A tensor that is at hand. */
export function namedTensor(name: string, shape: readonly number[], data: Float32Array): NamedTensor {
  return {
    name,
    shape,
    async *pieces() {
      yield data;
    },
  };
}

/** A checkpoint's tensors with their values. */
export async function checkpointValues({ iteration, weights, optimizer, state }: Checkpoint) {
  return { iteration, weights: await valuesOf(weights), optimizer: await valuesOf(optimizer), state };
}

/** As `checkpointValues`, for one that is on disk and is closed afterwards. */
export async function savedValues(opened: Promise<OpenCheckpoint>) {
  const checkpoint = await opened;
  return checkpointValues(checkpoint).finally(() => checkpoint.close());
}

/** All tensors of a run's last checkpoint, by name. */
export async function lastTensors(run: {
  openCheckpoint(): Promise<OpenCheckpoint>;
}): Promise<ReadonlyMap<string, TensorValues>> {
  const { weights, optimizer } = await savedValues(run.openCheckpoint());
  return new Map([...weights, ...optimizer].map((tensor) => [tensor.name, tensor]));
}

async function valuesOf(tensors: readonly NamedTensor[]): Promise<TensorValues[]> {
  const read: TensorValues[] = [];
  for (const { name, shape, pieces } of tensors) {
    const parts: Float32Array[] = [];
    for await (const piece of pieces()) parts.push(Float32Array.from(piece));
    const data = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    parts.reduce((at, part) => {
      data.set(part, at);
      return at + part.length;
    }, 0);
    read.push({ name, shape, data });
  }
  return read;
}
