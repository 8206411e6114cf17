/** `proxmo bench` for anybody: own shapes and kernels, noise, forms of output, saved benches, and a history of them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { kernels } from '../../kernels/index.ts';
import { compareRows } from '../../src/cli/bench/compare.ts';
import { formatRows } from '../../src/cli/bench/formats.ts';
import { addToHistory, speeds } from '../../src/cli/bench/history.ts';
import { noiseOf, quietTiming, spreadOf } from '../../src/cli/bench/noise.ts';
import { kernelsOfModule } from '../../src/cli/bench/ownKernels.ts';
import { rankSumTest } from '../../src/cli/bench/rankSum.ts';
import type { BenchRow } from '../../src/cli/bench/rows.ts';
import { benchName, findBench, saveBench } from '../../src/cli/bench/savedBenches.ts';
import { namedWork } from '../../src/cli/bench/selection.ts';
import { casesOfShapes, parseShape } from '../../src/cli/bench/shapes.ts';
import { KernelBench, timingOf } from '../../src/gpu/benchmark.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { proxmo } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-bench-profiler-'));
process.env.XDG_DATA_HOME = folder;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const specOf = (name: string) => kernels.find((spec) => spec.name === name)!;
const row = (name: string, times: readonly number[], more: Partial<BenchRow> = {}): BenchRow => ({
  name,
  shape: 'n=1, "large"',
  variant: 'f32',
  adapter: 'card | one',
  ms: timingOf(times),
  check: 'reference',
  ...more,
});
const origin = { date: '2026-11-28T10:00:00.000Z', proxmo: '0.1.0', commit: 'abc', driver: 'a driver', node: 'v20' };

describe('shapes', () => {
  it('are names and numbers, over what the kernel is measured with', () => {
    expect(parseShape('m=512,n=64 k=0.5')).toEqual({ m: 512, n: 64, k: 0.5 });
    for (const wrong of ['', 'm', 'm=', 'm=-1', '=3']) expect(() => parseShape(wrong)).toThrow(/names and numbers/);
    const [found] = casesOfShapes(specOf('matmul.nt'), [{ m: 3, n: 5, k: 7 }]);
    expect(found?.params).toEqual({ m: 3, n: 5, k: 7, batch: 1, splits: 1 });
  });

  it('that a kernel cannot have are refused', () => {
    expect(() => casesOfShapes(specOf('fill'), [{ rows: 2 }])).toThrow(
      'The kernel fill has no rows; its parameters are count, value.',
    );
    const indexed = kernels.find(
      ({ bindings, tuningCase }) => !tuningCase && Object.values(bindings).some(({ dtype }) => dtype === 'u32'),
    )!;
    expect(() => casesOfShapes(indexed, [{}])).toThrow(/reads indices, which no shape tells/);
  });
});

describe('a selection', () => {
  it('takes what has one of several names, in the order of all', () => {
    const { specs, workloads } = namedWork(['softmax', 'fill'], kernels, []);
    expect(specs.map(({ name }) => name)).toEqual(
      kernels.map(({ name }) => name).filter((name) => /softmax|fill/.test(name)),
    );
    expect(workloads).toEqual([]);
    expect(() => namedWork(['fill', 'fil1'], kernels, [])).toThrow(/Nothing is called fil1 \(did you mean fill\?\)/);
  });
});

describe('noise', () => {
  it('is a figure above its ceiling, or quartiles far apart', () => {
    expect(spreadOf(timingOf([1, 1, 1]))).toBe(null);
    expect(spreadOf(timingOf([8, 10, 10, 10, 12]))).toBe(0);
    expect(noiseOf(timingOf([10, 10, 10, 10]), 1.06)).toBe('above the ceiling');
    expect(noiseOf(timingOf([10, 10, 10, 10]), 1.04)).toBe(null);
    expect(noiseOf(timingOf([5, 5, 10, 15, 15]), undefined)).toBe('wide spread');
  });

  it('is measured again, and the quietest counts where it stays', async () => {
    const results = [
      [1, 5, 9, 13],
      [4, 5, 6, 7],
      [1, 5, 20, 40],
    ];
    let taken = 0;
    const measure = async () => timingOf(results[taken++]!);
    const noisy = await quietTiming(measure, (ms) => noiseOf(ms, undefined));
    expect([noisy.ms.times, noisy.noise, noisy.measured]).toEqual([results[1], 'wide spread', 3]);
    const quiet = await quietTiming(
      async () => timingOf([10, 10, 10, 10]),
      (ms) => noiseOf(ms, undefined),
    );
    expect([quiet.noise, quiet.measured]).toEqual([null, 1]);
  });
});

describe('a comparison', () => {
  it('of samples gives the exact p values of the rank-sum test', () => {
    // By hand: 2 of the 20 ways to choose three of six ranks lie as far out; with ties, 4 of 6 pairs.
    expect(rankSumTest([1, 2, 3], [4, 5, 6])).toBeCloseTo(0.1, 12);
    expect(rankSumTest([4, 5, 6], [1, 2, 3])).toBeCloseTo(0.1, 12);
    expect(rankSumTest([1, 1], [1, 1])).toBe(1);
    // R: wilcox.test(c(1.1, 2.2, 3.3, 4.4), c(2.5, 3.5, 4.5, 5.5, 6.5)): p-value = 0.1111
    expect(rankSumTest([1.1, 2.2, 3.3, 4.4], [2.5, 3.5, 4.5, 5.5, 6.5])).toBeCloseTo(14 / 126, 12);
  });

  it('finds slower what is slower by more than the threshold and by more than chance', () => {
    const before = [10, 10.1, 10.2, 9.9, 9.8, 10, 10];
    const slow = before.map((ms) => 1.5 * ms);
    const wild = [8, 9, 25, 25, 26, 9, 30];
    const verdictOf = (times: readonly number[], old: readonly number[]) =>
      compareRows([row('a', times)], [row('a', old) as never], 0.2)[0]!;
    expect(verdictOf(slow, before)).toMatchObject({ verdict: 'slower', ratio: 1.5 });
    expect(verdictOf(before, slow)).toMatchObject({ verdict: 'faster' });
    expect(verdictOf(wild, before)).toMatchObject({ verdict: 'same' });
    expect(verdictOf(slow.slice(0, 2), before.slice(0, 2))).toMatchObject({ verdict: 'slower', p: null });
  });
});

describe('forms of output', () => {
  const rows = [row('a', [1, 2, 3, 4, 5], { gflops: 3, noise: 'wide spread' }), row('b', [1])];

  it('have date, commit, driver and Node', () => {
    const [head, first, second] = formatRows(rows, origin, 'csv').split('\n');
    expect(head).toBe(
      'name,shape,variant,adapter,median_ms,least_ms,most_ms,spread,clock,gflops,gbps,tokens_per_second,of_ceiling,of_copy,speedup,noise,check,date,proxmo,commit,driver,node',
    );
    expect(first).toMatch(
      /^a,"n=1, ""large""",f32,card \| one,3,1,5,0\.6+\d*,host,3,,,,,,wide spread,reference,2026-.*,0\.1\.0,abc,a driver,v20$/,
    );
    expect(second).toMatch(/^b,.*,1,1,1,,host,,/);
    const lines = formatRows(rows, origin, 'jsonl')
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([{ name: 'a', ...origin, ms: { times: [1, 2, 3, 4, 5] } }, { name: 'b' }]);
    const markdown = formatRows(rows, origin, 'markdown');
    expect(markdown).toMatch(/^card \| one \(a driver\), proxmo 0\.1\.0 \(abc\), Node v20, 2026-/);
    expect(markdown).toContain('NOISE: wide spread');
  });
});

describe('saved benches', () => {
  it('are found by name, then as files', async () => {
    const path = await saveBench('before', '[]');
    expect(await findBench('before')).toBe(path);
    expect(await findBench(join('some', 'old.json'))).toBe(join('some', 'old.json'));
    await expect(findBench('befor')).rejects.toThrow(
      'No bench befor was saved (there are before); --save befor saves one.',
    );
    for (const wrong of ['../up', 'a b', 'x.json', '']) expect(() => benchName(wrong)).toThrow(/It must be/);
  });
});

describe('the history', () => {
  const at = (date: string, proxmo: string) => ({ ...origin, date: `${date}T00:00:00.000Z`, proxmo });

  it('shows each workload beside the first release that has it, without noise', () => {
    const dated = (median: number, date: string, more: Partial<BenchRow> = {}) => ({
      ...row('train-step/x', [median], more),
      ...at(date, '1'),
    });
    const found = speeds([
      dated(2, '2026-02-01'),
      dated(4, '2026-01-01'),
      dated(1, '2026-03-01', { noise: 'wide spread' }),
    ]);
    expect(found.map(({ date, speed }) => [date.slice(0, 10), speed])).toEqual([
      ['2026-01-01', 1],
      ['2026-02-01', 2],
    ]);
    expect(speeds([{ ...row('fill', [1]), ...origin }])).toEqual([]);
  });

  it('is a dated file for each release, and a picture', async () => {
    const dir = join(folder, 'history');
    await addToHistory(dir, [row('train-step/x', [4])], at('2026-01-01', '0.1.0'));
    await addToHistory(dir, [row('train-step/x', [9])], at('2026-02-01', '0.2.0'));
    await addToHistory(dir, [row('train-step/x', [2])], at('2026-02-01', '0.2.0'));
    expect(readdirSync(dir).sort()).toEqual([
      '2026-01-01-0.1.0-card-one.json',
      '2026-02-01-0.2.0-card-one.json',
      'history.svg',
    ]);
    const picture = readFileSync(join(dir, 'history.svg'), 'utf8');
    expect(picture).toMatch(/^<svg.*train-step\/x/s);
    writeFileSync(join(dir, 'notes.json'), '{}');
    await expect(addToHistory(dir, [row('train-step/x', [2])], origin)).rejects.toThrow(
      /notes\.json.*take it out of the folder/,
    );
  });
});

describe.each(testAdapters)('on %s', (adapter) => {
  it('times by the clock of the device where it has one', async () => {
    const gpu = await testDevice(adapter);
    const spec = specOf('copy');
    const kernelCase = { params: { count: 1 << 20 } };
    const bench = await KernelBench.create(gpu, spec, spec.variants.at(-1)!, kernelCase);
    const { clock, median, max } = await bench.time({ clock: 'device', batchMs: 5, repeats: 3 });
    const host = await bench.time({ batchMs: 5, repeats: 3 });
    bench.destroy();
    expect(clock).toBe(gpu.profile.features.has('timestamp-query') ? 'device' : 'host');
    expect(host.clock).toBe('host');
    expect(median).toBeGreaterThan(0);
    // The two clocks are of one work: they count in the same unit.
    expect(max).toBeLessThan(20 * host.max);
    expect(max).toBeGreaterThan(host.min / 20);
  });
});

/** A kernel as somebody writes it outside of this repository. */
const ownKernel = `
export const twice = {
  name: 'twice',
  shader: { name: 'twice.wgsl', includes: {}, text: \`
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
      if (id.x < params.count) { y[id.x] = 2.0 * x[id.x]; }
    }\` },
  bindings: { x: { dtype: 'f32', access: 'read' }, y: { dtype: 'f32', access: 'write' } },
  params: { count: 'u32' },
  variants: [{ label: 'plain', constants: {} }],
  sizes: ({ count }) => ({ x: count, y: count }),
  dispatch: ({ count }) => [Math.ceil(count / 64), 1, 1],
  cost: ({ count }) => ({ flops: count, bytes: 8 * count }),
  reference: ({ x }) => ({ y: x.map((value) => 2 * value) }),
  cases: [{ params: { count: 100 } }],
  tolerance: { absolute: 0, relative: 1e-6 },
};
export const other = 3;
`;

describe('kernels of one’s own', () => {
  const path = join(folder, 'mine.mjs');
  writeFileSync(path, ownKernel);

  it('are measured in shapes of one’s own, saved, and compared', async () => {
    const args = ['bench', '--kernel', path, '--shape', 'count=5000', '--shape', 'count=128', '--repeat', '5'];
    const saved = await proxmo([...args, '--format', 'jsonl', '--save', 'mine']);
    expect(saved.code).toBe(0);
    const rows = saved.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.filter(({ name }) => !name.startsWith('ceiling/'))).toMatchObject([
      { name: 'twice', shape: 'count=5000', variant: 'plain', check: 'reference', node: process.version },
      { name: 'twice', shape: 'count=128', check: 'reference' },
    ]);
    expect(rows[3].ms.times).toHaveLength(5);
    const compared = await proxmo([...args, '--compare', 'mine', '--threshold', '1000']);
    expect(compared.code).toBe(0);
    expect(compared.stderr).toMatch(/^twice +count=5000 +\S+ +\S+ +\S+ +(<? ?0\.\d+|1\.000)/m);
  });

  it('that are none are refused by name', async () => {
    await expect(kernelsOfModule(join(folder, 'gone.mjs'))).rejects.toThrow(/There is no module .*gone\.mjs/);
    const empty = join(folder, 'empty.mjs');
    writeFileSync(empty, 'export const x = 1;');
    await expect(kernelsOfModule(empty)).rejects.toThrow(/empty\.mjs exports no kernel/);
    const broken = join(folder, 'broken.mjs');
    writeFileSync(broken, 'throw new Error("not today");');
    await expect(kernelsOfModule(broken)).rejects.toThrow(/broken\.mjs cannot be loaded: Error: not today/);
  });
});

it('lists what there is without a device, and refuses shapes of nothing in particular', async () => {
  const { code, stdout } = await proxmo(['bench', '--list', '--json'], { env: { PROXMO_ADAPTER: 'none such' } });
  expect(code).toBe(0);
  const names = JSON.parse(stdout).map(({ name }: { name: string }) => name);
  expect(names).toEqual(expect.arrayContaining(['fill', 'train-step/tiny-gpt', 'env/household-steps']));
  const refused = await proxmo(['bench', '--shape', 'count=1']);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/name them by --filter or --kernel/)]);
});
