/** Tuning: the fastest variant wins, broken ones are out, and what was chosen once stays chosen. */
import { describe, expect, it } from 'vitest';
import { add } from '../../kernels/elementwise.ts';
import { gatherRows } from '../../kernels/gatherRows.ts';
import { ableVariants, defaultVariant } from '../../kernels/spec.ts';
import { Tuner, type TunerOptions, type TuningReport } from '../../src/gpu/tuner.ts';
import { roundedShape, TunerKeys } from '../../src/gpu/tunerKey.ts';
import { predictedMs } from '../../src/gpu/tunerRace.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input, launch } from '../../src/tensor/tensor.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { broken, MemoryStore, quick, slow, slower, tunable, wrong } from '../support/tunable.ts';

const params = { count: 4096 };
const fast: TunerOptions = { version: '1', batchMs: 1, rounds: 3 };

describe.each(testAdapters)('on %s', (adapter) => {
  const tunerWith = async (stores: readonly MemoryStore[], options: Partial<TunerOptions> = {}) =>
    new Tuner(await testDevice(adapter), stores, { ...fast, ...options });

  it('takes the fastest variant, whichever is the default', async () => {
    const tuner = await tunerWith([]);
    expect((await tuner.choose(tunable(slow, slower, quick), params)).label).toBe('quick');
    expect((await tuner.choose(tunable(quick, slow), params)).label).toBe('quick');
    const record = await tuner.recordOf(tunable(slow, slower, quick), params);
    expect(record!.ms).toBeLessThan(record!.defaultMs);
  });

  it('leaves out a variant with another result, and one that does not compile, and says so', async () => {
    const told: string[] = [];
    const tuner = await tunerWith([], { onBroken: (text) => told.push(text) });
    const spec = tunable(slow, wrong, broken);
    expect((await tuner.choose(spec, params)).label).toBe('slow');
    expect(told).toHaveLength(2);
    expect(told[0]).toMatch(/^Kernel tunable\.slow\.wrong\.broken\.wrong gives another result than .*\.slow on /);
    expect(told[1]).toMatch(/^Kernel tunable\.slow\.wrong\.broken\.broken does not compile on .*nothing/);
    (await testDevice(adapter)).check();
  });

  it('measures a kernel once for shapes that round alike, also when asked for several at a time', async () => {
    const reports: TuningReport[] = [];
    const tuner = await tunerWith([], { onTuned: (report) => reports.push(report) });
    const spec = tunable(slow, quick);
    const labels = await Promise.all(
      [4096, 4000, 3100, 9000].map(async (count) => (await tuner.choose(spec, { count })).label),
    );
    expect(labels).toEqual(['quick', 'quick', 'quick', 'quick']);
    expect(reports.map(({ shape }) => shape)).toEqual(['count=4096', 'count=8192']);
  });

  it('believes the first store that knows, and tells the others what they do not know', async () => {
    const spec = tunable(slow, quick);
    const [own, shared] = [new MemoryStore(), new MemoryStore()];
    await (await tunerWith([shared])).choose(spec, params);
    const [key, record] = [...shared.records][0]!;
    own.records.set(key, { ...record, variant: 'slow' });
    expect((await (await tunerWith([own, shared])).choose(spec, params)).label).toBe('slow');
    expect(shared.get(key)?.variant).toBe('quick');

    const other = new MemoryStore();
    expect((await (await tunerWith([other, own])).choose(spec, params)).label).toBe('slow');
    expect(other.get(key)?.variant).toBe('slow');

    const afresh = await tunerWith([own], { afresh: true });
    expect((await afresh.choose(spec, params)).label).toBe('quick');
    expect(own.get(key)?.variant).toBe('quick');
  });

  it('measures again where a store names a variant that there is not', async () => {
    const spec = tunable(slow, quick);
    const store = new MemoryStore();
    await (await tunerWith([store])).choose(spec, params);
    const [key, record] = [...store.records][0]!;
    store.records.set(key, { ...record, variant: 'gone' });
    expect((await (await tunerWith([store])).choose(spec, params)).label).toBe('quick');
    expect(store.get(key)?.variant).toBe('quick');
  });

  it('keeps the default where there is nothing to measure', async () => {
    const reports: TuningReport[] = [];
    const tuner = await tunerWith([], { onTuned: (report) => reports.push(report) });
    expect((await tuner.choose(tunable(slow, quick), { count: 0 })).label).toBe('slow');
    expect((await tuner.choose(tunable(slow), params)).label).toBe('slow');
    const { tuningCase: _, ...blind } = gatherRows;
    const { profile } = await testDevice(adapter);
    const shape = { count: 64, tableRows: 64, width: 8 };
    expect(await tuner.choose(blind, shape)).toBe(defaultVariant(gatherRows, profile, shape));
    expect(reports).toEqual([]);
  });

  it('decides what an engine runs', async () => {
    const gpu = await testDevice(adapter);
    const engine = new Engine(gpu);
    const asked: string[] = [];
    engine.variantChooser = {
      choose: async (spec, shape) => {
        asked.push(spec.name);
        return ableVariants(spec, gpu.profile, shape).at(-1)!;
      },
    };
    const [a, b] = [input('a', [8]), input('b', [8])];
    const program = await engine.compile({
      name: 'sum',
      outputs: { y: launch(add, { count: 8 }, { a, b }, { y: [8] }).y },
    });
    const ones = new Float32Array(8).fill(1);
    expect([...(await program.run({ a: ones, b: ones })).y]).toEqual(new Array(8).fill(2));
    expect(asked).toEqual(['add']);
  });
});

describe('what a part of a grid says of the whole', () => {
  it.each([
    ['in proportion', [4, 8], 256],
    ['what does not grow, once', [5, 6], 68],
    ['no more than in proportion, where the machine was busy', [0.1, 2.5], 80],
  ] as const)('%s', (_, times, ms) => {
    expect(predictedMs(times, 1 / 32)).toBe(ms);
  });
});

describe('keys', () => {
  const adapter = {
    ...{ name: 'one', vendor: 'v', architecture: 'a', driver: 'd' },
    profile: { features: new Set() },
  } as unknown as ConstructorParameters<typeof TunerKeys>[0];
  const spec = tunable(slow, quick);
  const keyOf = (keys: TunerKeys, count = 4096, of = spec) => keys.keyOf(of, { count }, of.variants);

  it('tell adapters, drivers, versions, kernels, sets of variants and code apart', async () => {
    const { shader } = spec;
    const keys = await Promise.all([
      keyOf(new TunerKeys(adapter, '1')),
      keyOf(new TunerKeys({ ...adapter, name: 'two' }, '1')),
      keyOf(new TunerKeys({ ...adapter, driver: 'e' }, '1')),
      keyOf(new TunerKeys(adapter, '2')),
      keyOf(new TunerKeys(adapter, '1'), 16_384),
      keyOf(new TunerKeys(adapter, '1'), 4096, { ...spec, name: 'other' }),
      keyOf(new TunerKeys(adapter, '1'), 4096, { ...spec, variants: [slow, quick, slower] }),
      keyOf(new TunerKeys(adapter, '1'), 4096, {
        ...spec,
        shader: { ...shader, text: shader.text.replace('sin', 'cos') },
      }),
      keyOf(new TunerKeys(adapter, '1'), 4096, {
        ...spec,
        variants: [{ ...slow, constants: { ...slow.constants, TURNS: 7 } }, quick],
      }),
    ]);
    expect(new Set(keys).size).toBe(keys.length);
    expect(await keyOf(new TunerKeys(adapter, '1'), 4000)).toBe(keys[0]);
  });

  it('round whole numbers to powers of two and leave others out', () => {
    const shape = { m: 0, n: 1, k: 1000, batch: 3, splits: 91, temperature: 0.7 };
    const fields = { m: 'u32', n: 'u32', k: 'u32', batch: 'u32', splits: 'u32', temperature: 'f32' } as const;
    expect(roundedShape({ ...spec, params: fields } as never, shape as never)).toBe(
      'm=0 n=1 k=1024 batch=4 splits=128',
    );
  });
});
