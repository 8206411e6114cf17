/** Rows by index, and gradients where an index repeats or lies beyond the table. */
import { describe, expect, it } from 'vitest';
import { embedding, gatherRows } from '../../src/ops/embedding.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { gradientMismatch } from '../../src/tensor/gradientCheck.ts';
import { constant, input, paddingIndex } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { indicesOnDevice } from '../support/indices.ts';

const rowsOf = (table: Float64Array, width: number, indices: readonly number[]) =>
  indices.flatMap((row) => Array.from({ length: width }, (_, column) => table[row * width + column] ?? 0));

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it.each([
    ['embedding', 4, embedding],
    ['embedding', 5, embedding],
    ['gatherRows', 8, gatherRows],
  ] as const)('%s of width %i adds up the gradients of a row that is taken several times', async (_, width, op) => {
    const indices = [2, 0, 2, 2, 5];
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { table: [6, width] },
      build: ({ table }) => op(table, constant(indices, [5], 'u32')),
      reference: ({ table }) => rowsOf(table, width, indices),
    });
    expect(mismatch).toBeNull();
  });

  it('gives zeros for an index beyond the table, and no gradient', async () => {
    const mismatch = await gradientMismatch(await makeEngine(), {
      inputs: { table: [3, 4] },
      build: ({ table }) => gatherRows(table, indicesOnDevice([1, 3, paddingIndex])),
      reference: ({ table }) => rowsOf(table, 4, [1, 3, paddingIndex]),
    });
    expect(mismatch).toBeNull();
  });

  it('refuses indices beyond the table that the host writes, but for padding', async () => {
    const engine = await makeEngine();
    const table = constant(new Float32Array(12), [3, 4]);
    const y = embedding(table, input('ids', [3], 'u32'));
    const program = await engine.compile({ name: 'rows', outputs: { y } });
    expect((await program.run({ ids: Uint32Array.of(0, 2, paddingIndex) })).y).toHaveLength(12);
    await expect(program.run({ ids: Uint32Array.of(0, 2, 3) })).rejects.toMatchObject({
      code: 'data',
      message: 'element 2 of ids is 3, but gatherRows takes indices below 3, or 4294967295 for padding.',
    });
    const fixed = embedding(table, constant([7], [1], 'u32'));
    await expect(engine.compile({ name: 'fixed', outputs: { fixed } })).rejects.toMatchObject({ code: 'data' });
  });
});

it('refuses indices that are not u32', () => {
  expect(() => embedding(input('table', [3, 4]), input('ids', [2]))).toThrow(
    'embedding needs an f32 or f16 matrix [rows, width] and u32 indices',
  );
});
