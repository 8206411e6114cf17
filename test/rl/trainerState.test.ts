/**
 * A trainer's state on its way to and from the device: it comes back bit for bit, and the host does not run ahead of
 * the device.
 */
import { expect, it, vi } from 'vitest';
import { FaultLog } from '../../src/envs/faults.ts';
import { AdamW } from '../../src/nn/optimizer.ts';
import type { Trainer } from '../../src/rl/trainer.ts';
import { captureState, type RunProgress, restoreState } from '../../src/rl/trainerState.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { ParameterSlab, type Variable } from '../../src/tensor/variable.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { checkpointValues, namedTensor } from '../support/checkpoints.ts';

const progress: RunProgress = {
  totals: { wallSeconds: 1, warmStartSeconds: 5, iterationSeconds: 2, advantageSeconds: 3, tokens: 4, before: null },
  evaluation: null,
  tasks: { training: 'a', heldOut: 'b' },
};

/** As much of a trainer as a checkpoint holds: parameters of these shapes, with their moments. */
function trainerOf(shapes: readonly (readonly number[])[], faultCount: number) {
  const slab = new ParameterSlab(
    'policy',
    shapes.map((shape, index) => ({ name: `w${index}`, shape, decay: true, initial: null })),
  );
  const adamW = new AdamW(slab);
  const faults = new FaultLog();
  faults.resumeFrom(faultCount);
  const trainer = {
    policy: { model: { trainable: slab } },
    optimiser: { adamW, progress: { steps: 7, microBatches: 9 } },
    referenceWeights: null,
    faults,
    sampler: { state: { heat: { difference: 0.5, credit: 0.25, played: faultCount } } },
    lessons: { successes: null },
  } as unknown as Trainer;
  return { trainer, variables: [slab.variable, ...adamW.variables] };
}

function valuesFor({ size }: Variable, start: number): Float32Array {
  const values = new Float32Array(size);
  for (let index = 0; index < size; index++) values[index] = start + (index % 1000);
  return values;
}

it('comes back from tensors of many sizes, some of them larger than a piece', { timeout: 60_000 }, async () => {
  // Pieces are of 2²² elements on the device's side; a padded end lies between the first two.
  const shapes = [[3, 5], [2050, 2048], [64], ...Array.from({ length: 10 }, () => [512, 1024])];
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const [from, to] = [trainerOf(shapes, 5), trainerOf(shapes, 0)];
  for (const [index, variable] of from.variables.entries()) engine.write(variable, valuesFor(variable, index / 8));
  const state = captureState(engine, from.trainer, 3, progress);
  const idle = vi.spyOn(engine.gpu, 'idle');
  expect(await restoreState(engine, to.trainer, state)).toEqual(progress);
  // Each of the three slabs is more than two pieces: the host waits between them, also where no tensor is as large as
  // one.
  expect(idle.mock.calls.length).toBeGreaterThanOrEqual(6);
  idle.mockRestore();
  expect(to.trainer.optimiser.progress).toEqual({ steps: 7, microBatches: 9 });
  expect(to.trainer.faults.count).toBe(5);
  expect(to.trainer.sampler.state).toEqual({ heat: { difference: 0.5, credit: 0.25, played: 5 } });
  const [want, got] = [
    await checkpointValues(state),
    await checkpointValues(captureState(engine, to.trainer, 3, progress)),
  ];
  for (const file of ['weights', 'optimizer'] as const)
    for (const [index, { name, data }] of want[file].entries()) {
      expect(got[file][index]!.name).toBe(name);
      expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from(got[file][index]!.data.buffer)), name).toBe(0);
    }
  for (const variable of [...from.variables, ...to.variables]) engine.release(variable);
});

it.each(['weights', 'optimizer'] as const)('neither saves nor takes %s that are no numbers', async (file) => {
  const engine = new Engine(await testDevice(testAdapters.at(-1)!));
  const [from, to] = [trainerOf([[3, 5], [8]], 0), trainerOf([[3, 5], [8]], 0)];
  const index = file === 'weights' ? 0 : 2;
  const [name, variable] = [['policy', '', 'policy second moment'][index], from.variables[index]!];
  const tensor = file === 'weights' ? 'w1' : `${name}.w1`;
  const state = captureState(engine, from.trainer, 3, progress);
  const values = await checkpointValues(state);
  const offset = from.trainer.policy.model.trainable.offsetOf('w1');
  engine.write(variable, [Number.NaN], offset + 5);
  await expect(checkpointValues(state)).rejects.toMatchObject({
    code: 'non-finite',
    message: expect.stringContaining(`The tensor ${tensor} holds NaN at index 5, so it is not saved`),
  });
  const saved = [...values.weights, ...values.optimizer].map(({ name: own, shape, data }) => {
    if (own === tensor) data[5] = Number.POSITIVE_INFINITY;
    return namedTensor(own, shape, data);
  });
  const damaged = {
    ...state,
    weights: saved.slice(0, values.weights.length),
    optimizer: saved.slice(values.weights.length),
  };
  await expect(restoreState(engine, to.trainer, damaged)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringContaining(`The checkpoint's tensor ${tensor} holds Infinity at index 5`),
  });
});
