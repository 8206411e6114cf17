/** `proxmo bench`: its rates, the comparison with an earlier bench, and its workloads' checks. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fill } from '../../kernels/fill.ts';
import { kernels } from '../../kernels/index.ts';
import type { AdapterProfile, KernelSpec } from '../../kernels/spec.ts';
import { compareRows, readOldRows } from '../../src/cli/bench/compare.ts';
import { kernelRows } from '../../src/cli/bench/kernelRows.ts';
import { proximityWorkloads } from '../../src/cli/bench/proximityWorkload.ts';
import { rolloutWorkloads } from '../../src/cli/bench/rolloutWorkload.ts';
import { type BenchRow, benchCells, benchHeadings } from '../../src/cli/bench/rows.ts';
import { scaleWorkloads } from '../../src/cli/bench/scaleWorkloads.ts';
import { namedWork, withoutLarge } from '../../src/cli/bench/selection.ts';
import { workloadRow } from '../../src/cli/bench/workload.ts';
import { rates } from '../../src/gpu/rates.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { proxmo } from '../support/cli.ts';

const ceilings = { gflops: 10, gbps: 2 };
const row = (name: string, median: number): BenchRow => ({
  name,
  shape: 'n=1',
  variant: 'f32',
  adapter: 'one',
  ms: { median, min: median, max: median },
  check: 'reference',
});

const folder = mkdtempSync(join(tmpdir(), 'proxmo-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('rates', () => {
  it('are of arithmetic where arithmetic bounds, of memory where memory does', () => {
    const ms = { median: 2, min: 1, max: 3 };
    expect(rates({ flops: 1e7, bytes: 1e6, tokens: 30 }, ms, ceilings)).toEqual({
      gflops: 5,
      gbps: 0.5,
      tokensPerSecond: 15_000,
      ofCeiling: 0.5,
      ofCopy: 0.25,
    });
    expect(rates({ flops: 0, bytes: 1e6 }, ms, ceilings)).toEqual({ gbps: 0.5, ofCeiling: 0.25, ofCopy: 0.25 });
    expect(rates({ flops: 0, bytes: 0, tokens: 30 }, ms, ceilings)).toEqual({ tokensPerSecond: 15_000 });
  });

  it('hold f16 against the ceiling of products in f16, where there is one', () => {
    const work = { flops: 1e7, bytes: 0, precision: 'f16' } as const;
    const ms = { median: 2, min: 1, max: 3 };
    expect(rates(work, ms, { ...ceilings, halfGflops: 40 })).toEqual({ gflops: 5, ofCeiling: 0.125 });
    expect(rates(work, ms, ceilings)).toEqual({ gflops: 5, ofCeiling: 0.5 });
  });
});

describe('environments', () => {
  it('are timed by steps and starts, and checked by their hand-written players', async () => {
    const args = ['bench', '--filter', 'env/household', '--repeat', '2', '--json'];
    const { code, stdout } = await proxmo(args);
    expect(code).toBe(0);
    const rows = (JSON.parse(stdout) as BenchRow[]).filter(({ name }) => name.startsWith('env/'));
    expect(rows.map(({ name, shape, check }) => [name, shape, check])).toEqual([
      ['env/household-steps', 'steps=2000', 'reference'],
      ['env/household-starts', 'starts=200', 'reference'],
      ['env/household-steps', 'receptacles=25 steps=2000', 'reference'],
      ['env/household-starts', 'receptacles=25 starts=200', 'reference'],
    ]);
    for (const { perSecond, ms } of rows)
      expect(perSecond!.rate).toBeCloseTo((perSecond!.name === 'steps' ? 2e6 : 2e5) / ms.median, 3);
  });

  it('whose data is not there are left out, and told', async () => {
    const args = ['bench', '--filter', 'env/alfworld-steps', '--repeat', '1', '--json'];
    const { code, stdout, stderr } = await proxmo(args, { env: { ALFWORLD_DATA: join(folder, 'no-games') } });
    expect([code, stdout.includes('alfworld')]).toEqual([0, false]);
    expect(stderr).toMatch(/left out: env\/alfworld-steps steps=2000, because .*no-games/);
  });
});

describe('a selection', () => {
  const profileOf = (kind: 'cpu' | 'gpu') => ({ kind }) as AdapterProfile;
  const namesFor = (kind: 'cpu' | 'gpu', filter: string, full = false) => {
    const { workloads } = namedWork([filter], kernels, scaleWorkloads);
    const { measured, leftOut } = withoutLarge(profileOf(kind), workloads, full);
    return [measured.map(({ name, shape }) => `${name} ${shape}`), leftOut.length];
  };

  it('takes large workloads on demand alone', () => {
    expect(namesFor('cpu', 'length=128')).toEqual([['scale/1M length=128'], 2]);
    expect(namesFor('gpu', 'length=128')).toEqual([
      ['scale/1M length=128', 'scale/10M length=128', 'scale/100M length=128'],
      0,
    ]);
    expect(namesFor('cpu', 'length=128', true)).toEqual(namesFor('gpu', 'length=128'));
    expect(namesFor('cpu', 'scale/10M length=512')).toEqual([['scale/10M length=512'], 0]);
  });

  it('takes kernels by name', () => {
    const { specs, workloads } = namedWork(['layerNorm'], kernels, scaleWorkloads);
    expect(specs.length).toBeGreaterThan(1);
    expect(specs.every(({ name }) => name.includes('layerNorm'))).toBe(true);
    expect(workloads).toEqual([]);
  });

  it('says what there is where nothing has the name', () => {
    expect(() => namesFor('cpu', 'scale/2M')).toThrow(
      'Nothing is called scale/2M (did you mean scale/1M?); there are the kernels, and scale/1M, scale/10M, scale/100M. --list shows all.',
    );
  });
});

describe('a comparison', () => {
  it('finds what got slower by more than the threshold', () => {
    const changes = compareRows(
      [row('a', 1.3), row('b', 1.1), row('new', 9)],
      [row('a', 1), row('b', 1), row('gone', 1)],
      0.2,
    );
    expect(changes.map(({ row: { name }, verdict, p }) => [name, verdict, p])).toEqual([
      ['a', 'slower', null],
      ['b', 'same', null],
    ]);
  });

  it('gives no verdict on figures whose times are far apart', () => {
    const noisy = (ms: number) => ({ ...row('a', ms), noise: 'wide spread' as const });
    const fast = (ms: number) => ({ ...row('a', ms), noise: 'above the ceiling' as const });
    const verdicts = [
      [row('a', 2), noisy(1)],
      [noisy(2), row('a', 1)],
      [noisy(1), row('a', 2)],
      [noisy(1.1), row('a', 1)],
      [fast(2), fast(1)],
    ].map(([now, before]) => compareRows([now!], [before!], 0.2)[0]!.verdict);
    expect(verdicts).toEqual(['noise', 'noise', 'noise', 'same', 'slower']);
  });

  it('refuses benches of different adapters', () => {
    expect(() => compareRows([row('a', 1)], [{ ...row('a', 1), adapter: 'another' }], 0.2)).toThrow(
      /no row of the same/,
    );
  });

  it('reads rows back, and says what is wrong with a file', async () => {
    const path = join(folder, 'old.json');
    writeFileSync(path, JSON.stringify([row('a', 1)]));
    expect((await readOldRows(path))[0]?.ms.median).toBe(1);
    writeFileSync(path, '[{"name": "a"}]');
    await expect(readOldRows(path)).rejects.toThrow(/no list of bench rows: `0\./);
    writeFileSync(path, 'oops');
    await expect(readOldRows(path)).rejects.toThrow(/is not JSON/);
    await expect(readOldRows(join(folder, 'missing.json'))).rejects.toThrow(
      /cannot be read: there is no such file or folder \(ENOENT\)/,
    );
  });
});

describe.each(testAdapters)('on %s', (adapter) => {
  it.each([...proximityWorkloads, ...rolloutWorkloads])('$name has right results', async (workload) => {
    const result = await workloadRow(new Engine(await testDevice(adapter)), workload, ceilings, 1);
    expect(result.check).toBe('reference');
    expect(benchCells(result)).toHaveLength(benchHeadings.length);
  });

  it('finds a kernel whose results are wrong', async () => {
    const gpu = await testDevice(adapter);
    const wrong = {
      ...fill,
      reference: (inputs, params) => ({ y: (fill.reference(inputs, params).y as Float64Array).map((y) => y + 1) }),
    } as typeof fill;
    const checksOf = async (spec: typeof fill) => {
      const checks = new Set<string>();
      for await (const { check } of kernelRows(gpu, spec as unknown as KernelSpec, ceilings, {
        repeats: 1,
        batchMs: 0.1,
      }))
        checks.add(check);
      return [...checks];
    };
    expect(await checksOf(fill)).toEqual(['reference']);
    expect(await checksOf(wrong)).toEqual(['wrong']);
  });
});
