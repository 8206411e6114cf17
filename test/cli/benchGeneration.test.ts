/** Decoding as a workload: what counts as correct, in each precision. */
import { expect, it } from 'vitest';
import { decodeWorkload, isAsNear } from '../../src/cli/bench/generationWorkloads.ts';
import { model1M } from '../../src/cli/bench/sizes.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const small = { name: 'small', config: { ...model1M.config, layers: 2, vocabSize: 64 } };

it.for(['f32', 'f16', 'packed'] as const)('decoding in %s is correct', async (precision, { skip }) => {
  const adapter = testAdapters.at(-1)!;
  const gpu = await testDevice(adapter);
  skip(precision === 'f16' && !gpu.profile.features.has('shader-f16'), `${adapter} stores no f16`);
  const engine = new Engine(gpu);
  const workload = await decodeWorkload(small, 1, precision).open(engine);
  expect(await workload.isCorrect()).toBe(true);
  await workload.destroy();
  expect(engine.memory.variables).toBe(0);
});

it('values are near where they are about as far from the exact ones as others are', () => {
  expect(isAsNear([1.1, 2.1], [0.9, 2.1], [1, 2])).toBe(true);
  expect(isAsNear([1.1, 2.3], [0.9, 2.1], [1, 2])).toBe(false);
});
