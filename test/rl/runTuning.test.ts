/**
 * A run that tunes keeps to what it chose, whatever the cache of the device says later, and so does who uses its
 * policy.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Variant } from '../../kernels/spec.ts';
import { TuningCache } from '../../src/gpu/tuningCache.node.ts';
import { formatTuning, parseTuning } from '../../src/gpu/tuningRecords.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { keepToChoices, RunChoices, type TuningEvent } from '../../src/rl/runTuning.node.ts';
import { reopenRun } from '../../src/runs/resume.ts';
import { createRun, openRun } from '../../src/runs/run.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { quick, slow, tunable } from '../support/tunable.ts';

const top = mkdtempSync(join(tmpdir(), 'proxmo-run-tuning-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));

let count = 0;
let folder = '';
const before = process.env.PROXMO_CACHE;
beforeEach(() => {
  folder = join(top, `${count++}`);
  process.env.PROXMO_CACHE = join(folder, 'cache');
});
afterEach(() => {
  if (before === undefined) delete process.env.PROXMO_CACHE;
  else process.env.PROXMO_CACHE = before;
});

const version = '1';
const configOf = (engine: object) => trainConfigSchema.parse({ engine: { tune: true, ...engine } });
const session = { version, adapter: { name: 'test' } };
const spec = tunable(slow, quick);
const params = { count: 4096 };
const labelOf = async (variant: Promise<Pick<Variant, 'label'>>) => (await variant).label;

describe.each(testAdapters)('on %s', (adapter) => {
  /** Fills the device's cache with one label for every choice that it holds. */
  async function poison(label: string): Promise<void> {
    const gpu = await testDevice(adapter);
    const cache = await TuningCache.open(gpu.adapter, version);
    const { records } = (await parseTuning(readFileSync(cache.path, 'utf8')))!;
    for (const [key, record] of records) await cache.set(key, { ...record, variant: label });
  }

  async function startRun(dir: string, engineSettings: object = {}) {
    const engine = new Engine(await testDevice(adapter));
    const events: TuningEvent[] = [];
    const config = configOf(engineSettings);
    const choices = (await RunChoices.start(engine, { dir, config, version, onEvent: (event) => events.push(event) }))!;
    const writer = await createRun(dir, { ...session, config: { ...config }, seed: 1 });
    await choices.keepIn(writer);
    return { engine, events, choices, writer };
  }

  async function goOn(dir: string) {
    const engine = new Engine(await testDevice(adapter));
    const choices = (await RunChoices.start(engine, { dir, config: configOf({}), version, resume: true }))!;
    const stopped = await reopenRun(dir);
    const writer = await stopped.resume({ ...session, seed: 1, config: { ...configOf({}) } });
    await choices.keepIn(writer);
    return { engine, choices, writer };
  }

  it('writes what it chose into the folder, and goes on with that', async () => {
    const dir = join(folder, 'run');
    const { engine, events, choices, writer } = await startRun(dir);
    const chosenBefore = engine.variantChooser;
    expect(await labelOf(chosenBefore.choose(spec, params))).toBe('quick');
    expect((await parseTuning(readFileSync(join(dir, 'tuning.json'), 'utf8')))?.records.size).toBe(1);
    expect(events.map(({ kind }) => kind)).toEqual(['tuning', 'tuned']);
    choices.release();
    expect(engine.variantChooser).not.toBe(chosenBefore);
    writer.close();

    await poison('slow');
    const resumed = await goOn(dir);
    expect(await labelOf(resumed.engine.variantChooser.choose(spec, params))).toBe('quick');
    resumed.writer.close();

    const other = await startRun(join(folder, 'other'));
    expect(await labelOf(other.engine.variantChooser.choose(spec, params))).toBe('slow');
    expect(other.events).toEqual([]);
    other.writer.close();
  });

  it('repeats the choices of another run where it is told to', async () => {
    const first = await startRun(join(folder, 'first'));
    await first.engine.variantChooser.choose(spec, params);
    first.writer.close();
    await poison('slow');
    const second = await startRun(join(folder, 'second'), { variants: join(folder, 'first', 'tuning.json') });
    expect(await labelOf(second.engine.variantChooser.choose(spec, params))).toBe('quick');
    second.writer.close();
    expect(readFileSync(join(folder, 'second', 'tuning.json'), 'utf8')).toBe(
      readFileSync(join(folder, 'first', 'tuning.json'), 'utf8'),
    );
  });

  it('refuses to go on where its choices are damaged, and to repeat what is not there', async () => {
    const dir = join(folder, 'run');
    const { writer } = await startRun(dir);
    writer.close();
    writeFileSync(join(dir, 'tuning.json'), '{}');
    await expect(goOn(dir)).rejects.toMatchObject({
      code: 'file',
      message: expect.stringMatching(/tuning\.json is damaged, so the run's bits/),
    });
    await expect(startRun(join(folder, 'next'), { variants: join(folder, 'none.json') })).rejects.toThrow(
      /none\.json does not exist; name/,
    );
  });

  describe('who uses the policy of a run', () => {
    const trainedRun = async () => {
      const dir = join(folder, 'run');
      const { engine, writer } = await startRun(dir);
      await engine.variantChooser.choose(spec, params);
      writer.close();
      return openRun(dir);
    };
    const freshEngine = async () => new Engine(await testDevice(adapter));

    it('has the variants that it was trained with, and the default of what it never met', async () => {
      const run = await trainedRun();
      const engine = await freshEngine();
      expect(await keepToChoices(engine, run)).toEqual({
        path: join(run.dir, 'tuning.json'),
        choices: 1,
        problem: null,
      });
      expect(await labelOf(engine.variantChooser.choose(spec, params))).toBe('quick');
      expect(await labelOf(engine.variantChooser.choose(spec, { count: 64 }))).toBe('slow');
      expect((await parseTuning(readFileSync(join(run.dir, 'tuning.json'), 'utf8')))?.records.size).toBe(1);
    });

    it('has the defaults, and is told so, on another adapter or driver and where the choices are damaged', async () => {
      const run = await trainedRun();
      const path = join(run.dir, 'tuning.json');
      const { origin, records } = (await parseTuning(readFileSync(path, 'utf8')))!;
      const stored = async (change: object) => formatTuning({ ...origin, ...change }, records);
      for (const [text, problem] of [
        [
          await stored({ adapter: 'another' }),
          /was measured on another \(.*, and this is .*: kernels run in their default variants\.$/,
        ],
        [await stored({ driver: 'older' }), /was measured on .* \(older\), and this is /],
        ['{}', /tuning\.json is damaged/],
      ] as const) {
        writeFileSync(path, text);
        const engine = await freshEngine();
        expect((await keepToChoices(engine, run))?.problem).toMatch(problem);
        expect(await labelOf(engine.variantChooser.choose(spec, params))).toBe('slow');
      }
    });

    it('has the defaults where the run was not tuned', async () => {
      const run = await trainedRun();
      rmSync(join(run.dir, 'tuning.json'));
      const engine = await freshEngine();
      expect(await keepToChoices(engine, run)).toBeNull();
      expect(await labelOf(engine.variantChooser.choose(spec, params))).toBe('slow');
    });
  });

  it('leaves an engine alone that is not to tune', async () => {
    const engine = new Engine(await testDevice(adapter));
    const { variantChooser } = engine;
    expect(await RunChoices.start(engine, { dir: folder, config: configOf({ tune: false }), version })).toBeNull();
    expect(engine.variantChooser).toBe(variantChooser);
  });
});

it('needs a run that tunes for the choices of an earlier one', () => {
  expect(() => trainConfigSchema.parse({ engine: { variants: 'tuning.json' } })).toThrow(/only a run that tunes/);
});
