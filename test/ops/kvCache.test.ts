/** The KV cache: appending in place, and attention over what was appended. */
import { describe, expect, it } from 'vitest';
import { packSegments } from '../../kernels/attentionReference.ts';
import { noSlot } from '../../kernels/kvAppend.ts';
import { attention } from '../../src/ops/attention.ts';
import {
  appendKv,
  attendStep,
  decodeAttention,
  extendAttention,
  KvCache,
  type KvCacheShape,
} from '../../src/ops/kvCache.ts';
import { splitHeadsWithRope } from '../../src/ops/rope.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { Random } from '../../src/tensor/random.ts';
import { constant, input, type Tensor } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';

const indices = (values: readonly number[]) => constant(values, [values.length], 'u32');
/** The tensors of a new cache's first layer. */
const cacheOf = (shape: Omit<KvCacheShape, 'layers'>) => {
  const [layer] = new KvCache({ layers: 1, ...shape }).layers;
  return { cacheK: layer!.k.tensor, cacheV: layer!.v.tensor };
};
const normal = (size: number, purpose: string) => {
  const random = new Random(1, purpose);
  return Float32Array.from({ length: size }, () => random.normal());
};

describe.each(testAdapters)('on %s', (adapter) => {
  const makeEngine = async () => new Engine(await testDevice(adapter));

  it('decodes what attention gives for the whole sequence', async () => {
    const engine = await makeEngine();
    const [heads, kvHeads, headDim] = [4, 2, 16];
    // Two sequences of 9 and 6 tokens in slots 2 and 0. All but the last three tokens of each come from a prompt; those
    // three are decoded in one program.
    const lengths = [9, 6];
    const decoded = 3;
    const rows = 15;
    const widths = { q: heads * headDim, k: kvHeads * headDim, v: kvHeads * headDim };
    const values = {
      q: normal(rows * widths.q, 'q'),
      k: normal(rows * widths.k, 'k'),
      v: normal(rows * widths.v, 'v'),
    };
    const take = (name: keyof typeof values, wanted: readonly number[]) => {
      const width = widths[name];
      const taken = wanted.flatMap((row) => [...values[name].subarray(row * width, (row + 1) * width)]);
      return constant(taken, [wanted.length, width / headDim, headDim]);
    };

    const { segmentStart, segmentEnd } = packSegments(lengths);
    const everyRow = segmentStart.map((_, row) => row);
    const whole = attention(take('q', everyRow), take('k', everyRow), take('v', everyRow), {
      segmentStart: indices(segmentStart),
      segmentEnd: indices(segmentEnd),
    });

    let layer = cacheOf({ slots: 3, capacity: 11, kvHeads, headDim });
    const slotOf = [2, 0];
    const promptRows = everyRow.filter((row) => segmentEnd[row]! - row > decoded);
    layer = appendKv(
      layer.cacheK,
      layer.cacheV,
      take('k', promptRows),
      take('v', promptRows),
      indices(promptRows.map((row) => (row < 9 ? slotOf[0]! : slotOf[1]!))),
      indices(promptRows.map((row) => row - segmentStart[row]!)),
    );
    const steps: Record<string, Tensor> = {};
    for (let step = 0; step < decoded; step++) {
      const next = [9 - decoded + step, 15 - decoded + step];
      const positions = next.map((row) => row - segmentStart[row]!);
      layer = appendKv(
        layer.cacheK,
        layer.cacheV,
        take('k', next),
        take('v', next),
        indices(slotOf),
        indices(positions),
      );
      const attended = indices(positions.map((position) => position + 1));
      steps[`step${step}`] = decodeAttention(take('q', next), layer.cacheK, layer.cacheV, indices(slotOf), attended);
    }
    const program = await engine.compile({ name: 'decode', outputs: { whole, ...steps } });
    const result = await program.run();

    for (let step = 0; step < decoded; step++) {
      const got = result[`step${step}` as 'whole'];
      [9 - decoded + step, 15 - decoded + step].forEach((row, item) => {
        for (let i = 0; i < widths.q; i++)
          expect(got[item * widths.q + i]).toBeCloseTo(result.whole[row * widths.q + i]!, 5);
      });
    }
  });

  it('reads turn after turn what attention gives for the whole sequences', async () => {
    const engine = await makeEngine();
    const [heads, kvHeads, headDim] = [4, 2, 16];
    // Three sequences in slots 2, 0 and 3, each read in three turns of so many tokens.
    const turns = [
      [7, 40, 2],
      [1, 3, 50],
      [33, 1, 1],
    ];
    const slotOf = [2, 0, 3];
    const lengths = turns.map((each) => each.reduce((sum, length) => sum + length, 0));
    const { segmentStart, segmentEnd } = packSegments(lengths);
    const rows = segmentStart.length;
    const values = {
      q: normal(rows * heads * headDim, 'q'),
      k: normal(rows * kvHeads * headDim, 'k'),
      v: normal(rows * kvHeads * headDim, 'v'),
    };
    const take = (name: keyof typeof values, wanted: readonly number[]) => {
      const width = values[name].length / rows;
      const taken = wanted.flatMap((row) => [...values[name].subarray(row * width, (row + 1) * width)]);
      return constant(taken, [wanted.length, width / headDim, headDim]);
    };
    const everyRow = segmentStart.map((_, row) => row);
    const whole = attention(take('q', everyRow), take('k', everyRow), take('v', everyRow), {
      segmentStart: indices(segmentStart),
      segmentEnd: indices(segmentEnd),
    });

    let layer = cacheOf({ slots: 4, capacity: 54, kvHeads, headDim });
    const sequenceOf = (row: number) => lengths.findIndex((_, i) => row < segmentEndOf(i));
    const segmentEndOf = (sequence: number) => lengths.slice(0, sequence + 1).reduce((sum, length) => sum + length, 0);
    const turnRows = [0, 1, 2].map((turn) =>
      everyRow.filter((row) => {
        const position = row - segmentStart[row]!;
        const past = turns[sequenceOf(row)]!.slice(0, turn).reduce((sum, length) => sum + length, 0);
        return position >= past && position < past + turns[sequenceOf(row)]![turn]!;
      }),
    );
    const outputs: Record<string, Tensor> = {};
    for (const [turn, wanted] of turnRows.entries()) {
      const slots = indices(wanted.map((row) => slotOf[sequenceOf(row)]!));
      const positions = indices(wanted.map((row) => row - segmentStart[row]!));
      layer = appendKv(layer.cacheK, layer.cacheV, take('k', wanted), take('v', wanted), slots, positions);
      outputs[`turn${turn}`] = extendAttention(take('q', wanted), layer.cacheK, layer.cacheV, slots, positions);
    }
    const program = await engine.compile({ name: 'turns', outputs: { whole, ...outputs } });
    const result = await program.run();

    const width = heads * headDim;
    for (const [turn, wanted] of turnRows.entries()) {
      wanted.forEach((row, at) => {
        for (let i = 0; i < width; i++)
          expect(result[`turn${turn}` as 'whole'][at * width + i]).toBeCloseTo(result.whole[row * width + i]!, 5);
      });
    }
  });

  it('gives a row behind the cache the same bits whatever it is packed with', async () => {
    const engine = await makeEngine();
    const [heads, kvHeads, headDim] = [4, 2, 16];
    const { cacheK, cacheV } = cacheOf({ slots: 2, capacity: 70, kvHeads, headDim });
    const rowsOf = (slot: number, past: number, rows: number) =>
      Array.from({ length: rows }, (_, row) => ({ slot, position: past + row }));
    const filled = [...rowsOf(0, 0, 70), ...rowsOf(1, 0, 70)];
    const layer = appendKv(
      cacheK,
      cacheV,
      constant(normal(140 * kvHeads * headDim, 'k'), [140, kvHeads, headDim]),
      constant(normal(140 * kvHeads * headDim, 'v'), [140, kvHeads, headDim]),
      indices(filled.map(({ slot }) => slot)),
      indices(filled.map(({ position }) => position)),
    );
    const width = heads * headDim;
    const ownQueries = normal(20 * width, 'q');
    const extend = (before: ReturnType<typeof rowsOf>) => {
      const rows = [...before, ...rowsOf(1, 45, 20)];
      const queries = [...normal(before.length * width, 'other q'), ...ownQueries];
      return extendAttention(
        constant(queries, [rows.length, heads, headDim]),
        layer.cacheK,
        layer.cacheV,
        indices(rows.map(({ slot }) => slot)),
        indices(rows.map(({ position }) => position)),
      );
    };
    const outputs = { alone: extend([]), packed: extend(rowsOf(0, 30, 13)) };
    const { alone, packed } = await (await engine.compile({ name: 'neighbours', outputs })).run();
    expect(packed.subarray(13 * width)).toEqual(alone);
  });

  // 12 is no multiple of 8: there the step is the three ops.
  it.each([16, 12, 40])('takes a step as splitting, appending and attending do, with heads of %i', async (headDim) => {
    const engine = await makeEngine();
    const [heads, kvHeads, width] = [6, 2, 10 * headDim];
    const frequencies = constant(normal(headDim / 2, 'frequencies'), [headDim / 2]);
    const layout = { heads, kvHeads, headDim, frequencies, queryScale: 1.5 };
    const slots = indices([2, 0, noSlot]);
    const stepsOf = (apart: boolean) => {
      let layer = cacheOf({ slots: 3, capacity: 4, kvHeads, headDim });
      return Array.from({ length: 4 }, (_, step) => {
        const qkv = constant(normal(3 * width, `step ${step}`), [3, width]);
        const [positions, lengths] = [indices([step, step, step]), indices([step + 1, step + 1, step + 1])];
        if (!apart) {
          const { y, ...updated } = attendStep(qkv, positions, layout, layer, { slots, lengths });
          layer = updated;
          return y;
        }
        const { q, k, v } = splitHeadsWithRope(qkv, positions, layout);
        layer = appendKv(layer.cacheK, layer.cacheV, k, v, slots, positions);
        return decodeAttention(q, layer.cacheK, layer.cacheV, slots, lengths);
      });
    };
    const outputsOf = async (apart: boolean) => {
      const program = await engine.compile({
        name: 'steps',
        outputs: Object.fromEntries(stepsOf(apart).map((y, step) => [`y${step}`, y])),
      });
      return program.run();
    };
    const [together, expected] = [await outputsOf(false), await outputsOf(true)];
    for (const [name, values] of Object.entries(expected)) {
      for (const [at, value] of values.entries()) expect(together[name]![at]).toBeCloseTo(value, 4);
    }
  });

  it('keeps what was appended for later programs, and skips rows without a slot or a valid position', async () => {
    const engine = await makeEngine();
    const cache = new KvCache({ layers: 2, slots: 2, capacity: 2, kvHeads: 1, headDim: 4 });
    const layer = cache.layers[1]!;
    const k = constant(
      Array.from({ length: 16 }, (_, i) => 1 + Math.floor(i / 4)),
      [4, 1, 4],
    );
    const v = constant(
      Array.from({ length: 16 }, (_, i) => 10 + Math.floor(i / 4)),
      [4, 1, 4],
    );
    const updated = appendKv(layer.k.tensor, layer.v.tensor, k, v, indices([1, noSlot, 0, 2]), indices([1, 0, 2, 0]));
    const program = await engine.compile({ name: 'append', updates: [updated.cacheK, updated.cacheV] });
    await program.run();
    const oneInFour = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => i % 4 === 3);
    expect(oneInFour(await engine.read(layer.k))).toEqual([0, 0, 0, 1]);
    expect(oneInFour(await engine.read(layer.v))).toEqual([0, 0, 0, 10]);
    expect(oneInFour(await engine.read(cache.layers[0]!.k))).toEqual([0, 0, 0, 0]);
    expect(cache.variables.map(({ size }) => size)).toEqual([16, 16, 16, 16]);
  });

  it('gives zeros for an empty slot', async () => {
    const engine = await makeEngine();
    const { cacheK, cacheV } = cacheOf({ slots: 1, capacity: 4, kvHeads: 1, headDim: 4 });
    const y = decodeAttention(input('q', [2, 1, 4]), cacheK, cacheV, indices([0, noSlot]), indices([0, 3]));
    const program = await engine.compile({ name: 'empty', outputs: { y } });
    expect([...(await program.run({ q: normal(8, 'q') })).y]).toEqual(new Array(8).fill(0));
    const extended = extendAttention(input('q', [2, 1, 4]), cacheK, cacheV, indices([0, noSlot]), indices([4, 0]));
    const extension = await engine.compile({ name: 'empty turn', outputs: { extended } });
    expect([...(await extension.run({ q: normal(8, 'q') })).extended]).toEqual(new Array(8).fill(0));
  });
});

it('refuses queries that do not fit the cache', () => {
  const { cacheK, cacheV } = cacheOf({ slots: 1, capacity: 4, kvHeads: 2, headDim: 8 });
  const attend = (heads: number) => () =>
    decodeAttention(input('q', [1, heads, 8]), cacheK, cacheV, indices([0]), indices([1]));
  expect(attend(3)).toThrow('decodeAttention: 3 heads cannot share 2 key heads');
  const extend = (heads: number, width: number) => () =>
    extendAttention(input('q', [1, heads, width]), cacheK, cacheV, indices([0]), indices([1]));
  expect(extend(3, 8)).toThrow('extendAttention: 3 heads cannot share 2 key heads');
  expect(extend(2, 16)).toThrow('cacheK is f32[1, 4, 2, 8], but 128 elements of f32 are needed');
  const wide = () => decodeAttention(input('q', [1, 2, 16]), cacheK, cacheV, indices([0]), indices([1]));
  expect(wide).toThrow('cacheK is f32[1, 4, 2, 8], but 128 elements of f32 are needed');
});

it('refuses to read the cache as it was before an append', async () => {
  const engine = new Engine(await testDevice(testAdapters[0]!));
  const { cacheK, cacheV } = cacheOf({ slots: 1, capacity: 4, kvHeads: 1, headDim: 4 });
  const updated = appendKv(cacheK, cacheV, input('k', [1, 1, 4]), input('v', [1, 1, 4]), indices([0]), indices([0]));
  const y = decodeAttention(input('q', [1, 1, 4]), cacheK, cacheV, indices([0]), indices([1]));
  await expect(engine.compile({ name: 'stale', outputs: { y }, updates: [updated.cacheK] })).rejects.toThrow(
    'reads keys of layer 0 as it was before an update that runs earlier',
  );
});
