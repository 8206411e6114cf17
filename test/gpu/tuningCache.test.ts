/** The tuning cache on disk: what it keeps, and what happens to a file that is not as it was written. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { userFolder } from '../../src/base/userFolders.node.ts';
import { cacheFolder } from '../../src/gpu/cacheFolder.node.ts';
import { TuningCache } from '../../src/gpu/tuningCache.node.ts';
import { formatTuning, parseTuning } from '../../src/gpu/tuningRecords.ts';

const top = mkdtempSync(join(tmpdir(), 'proxmo-tuning-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));
let count = 0;
const newFolder = () => join(top, `cache ${count++}`);

const adapter = { name: 'one', driver: 'd' };
const record = { variant: 'quick', ms: 1, defaultMs: 2.5 };

/** A cache and the warnings that it gave. */
async function open(folder: string, version = '1', of = adapter) {
  const warnings: string[] = [];
  return { cache: await TuningCache.open(of, version, (text) => warnings.push(text), folder), warnings };
}

describe('the tuning cache', () => {
  it('keeps records for the next process, for each adapter, driver and version apart', async () => {
    const folder = newFolder();
    const { cache, warnings } = await open(folder);
    await Promise.all(['a', 'b', 'c'].map((key) => cache.set(key, record)));
    expect((await open(folder)).cache.get('b')).toEqual(record);
    expect((await open(folder)).cache.size).toBe(3);
    expect((await open(folder, '2')).cache.size).toBe(0);
    expect((await open(folder, '1', { ...adapter, driver: 'e' })).cache.size).toBe(0);
    expect(warnings).toEqual([]);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('keeps what two processes measured at the same time', async () => {
    const folder = newFolder();
    const [one, two] = [await open(folder), await open(folder)];
    await one.cache.set('a', record);
    await two.cache.set('b', record);
    const { cache } = await open(folder);
    expect([cache.size, cache.get('a'), cache.get('b')]).toEqual([2, record, record]);
  });

  it.each([
    ['cut off', (text: string) => text.slice(0, text.length / 2)],
    ['empty', () => ''],
    ['edited', (text: string) => text.replace('"quick"', '"quack"')],
    ['of another kind', () => '{"name": "proxmo"}'],
    ["another adapter's", (text: string) => text],
  ])('ignores a file that is %s, with one warning, and writes it anew', async (what, damage) => {
    const folder = newFolder();
    const { cache } = await open(folder);
    await cache.set('a', record);
    const foreign = await formatTuning({ adapter: 'other', driver: 'd', version: '1' }, new Map([['a', record]]));
    writeFileSync(cache.path, what.startsWith('another') ? foreign : damage(readFileSync(cache.path, 'utf8')));
    const again = await open(folder);
    expect(again.cache.size).toBe(0);
    await again.cache.set('b', record);
    expect(again.warnings).toEqual([
      expect.stringContaining("is damaged or another adapter's; kernels are measured again."),
    ]);
    expect((await open(folder)).cache.get('b')).toEqual(record);
    expect((await open(folder)).warnings).toEqual([]);
  });

  it('goes on with one warning where the folder cannot be made', async () => {
    const file = newFolder();
    writeFileSync(file, '');
    const { cache, warnings } = await open(join(file, 'inside'));
    await cache.set('a', record);
    await cache.set('b', record);
    expect(cache.get('a')).toEqual(record);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/cannot be read|cannot be written/);
  });
});

describe('the text of records', () => {
  const origin = { adapter: 'one', driver: 'd', version: '1' };
  const records = fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '7')),
    fc.record({ variant: fc.string(), ms: fc.double({ min: 0, max: 1e9, noNaN: true }), defaultMs: fc.nat() }),
  );

  it('gives back what was written', async () => {
    await fc.assert(
      fc.asyncProperty(records, async (written) => {
        const map = new Map(Object.entries(written).map(([key, value]) => [key, { ...value, ms: value.ms + 0 }]));
        expect(await parseTuning(await formatTuning(origin, map))).toEqual({ origin, records: map });
      }),
      { numRuns: 50 },
    );
  });

  it('never takes a text with a changed character', async () => {
    const text = await formatTuning(origin, new Map([['matmul m=4', record]]));
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.constantFrom('0', 'x', '"', '}', ','), async (at, character) => {
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        const parsed = await parseTuning(changed);
        // White space does not count.
        if (parsed) expect(parsed).toEqual(await parseTuning(text));
      }),
      { numRuns: 200 },
    );
  });

  it('refuses any other text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        expect(await parseTuning(text)).toBeNull();
      }),
    );
  });
});

describe('the cache folder', () => {
  afterEach(() => vi.unstubAllEnvs());

  it("is PROXMO_CACHE, else the system's place", () => {
    vi.stubEnv('PROXMO_CACHE', '/somewhere');
    expect(cacheFolder()).toBe(resolve('/somewhere'));
    vi.stubEnv('PROXMO_CACHE', '');
    expect(cacheFolder()).toBe(userFolder('cache'));
  });

  it('keeps nothing, with one warning, where others can write to it', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    vi.stubEnv('PROXMO_CACHE', folder);
    const warnings: string[] = [];
    const cache = await TuningCache.open(adapter, '1', (text) => warnings.push(text));
    await cache.set('a', record);
    expect(cache.get('a')).toEqual(record);
    expect(readdirSync(folder)).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/can be written by other users.* What is measured is not kept\.$/),
    ]);
  });
});
