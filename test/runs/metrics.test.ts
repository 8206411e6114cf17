import * as fs from 'node:fs';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ProxmoError } from '../../src/base/errors.ts';
import { type MetricRecord, MetricsWriter, readMetrics, readMetricsHistory } from '../../src/runs/metrics.ts';

vi.mock('node:fs', async (original) => {
  const actual = await original<typeof fs>();
  return { ...actual, writeSync: vi.fn(actual.writeSync) };
});
const actualFs = await vi.importActual<typeof fs>('node:fs');

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxmo-metrics-'));
  path = join(folder, 'metrics.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

const train = (iteration: number, loss = 0.5): MetricRecord => ({ kind: 'train', iteration, loss });

/** Writes a new file, or goes on with the one there is after the records of an iteration, or of a part of them. */
function write(records: readonly MetricRecord[], iteration?: number, count = Number.POSITIVE_INFINITY): void {
  const history = iteration === undefined ? null : readMetricsHistory(path, { iteration, records: count });
  const writer = new MetricsWriter(path, history);
  for (const record of records) writer.append(record);
  writer.close();
}

test('records come back in order, one a line', async () => {
  const records = [
    { kind: 'eval', iteration: 0, 'success/heat': 0.25, split: 'seen', done: false, best: null },
    train(1),
    train(1),
    train(3),
  ];
  write(records);
  expect(await readMetrics(path)).toEqual(records);
  expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(5);
});

test('numbers that JSON lacks survive', async () => {
  const record = {
    kind: 'train',
    iteration: 1,
    loss: Number.NaN,
    norm: Number.POSITIVE_INFINITY,
    low: Number.NEGATIVE_INFINITY,
  };
  write([record]);
  expect(await readMetrics(path)).toEqual([record]);
  expect(await readFile(path, 'utf8')).toContain('"loss":"NaN"');
});

test('a line is in the file as soon as it is appended', async () => {
  const writer = new MetricsWriter(path, null);
  writer.append(train(1));
  expect(await readMetrics(path)).toHaveLength(1);
  writer.close();
});

test('iterations do not go back', async () => {
  const writer = new MetricsWriter(path, null);
  writer.append(train(2));
  expect(() => writer.append(train(1))).toThrow('of iteration 1 cannot follow iteration 2');
  expect(() => writer.append(train(2.5))).toThrow(ProxmoError);
  writer.close();
});

describe('opening a file that exists', () => {
  test('keeps the records up to an iteration and goes on after them', async () => {
    write([train(1), train(2), { kind: 'eval', iteration: 2, success: 1 }, train(3)]);
    write([train(3, 0.1)], 2);
    expect(await readMetrics(path)).toEqual([
      train(1),
      train(2),
      { kind: 'eval', iteration: 2, success: 1 },
      train(3, 0.1),
    ]);
    new MetricsWriter(path, readMetricsHistory(path, null)).close();
    expect(await readFile(path, 'utf8')).toBe('');
  });

  test('keeps as many records of that iteration as there were at its checkpoint, and hands out the rest', async () => {
    const evaluated = { kind: 'eval', iteration: 2, success: 1 };
    write([train(1), train(2), evaluated, train(3)]);
    const history = readMetricsHistory(path, { iteration: 2, records: 1 })!;
    expect(history.mark).toEqual({ iteration: 2, records: 1 });
    expect(history.rest.toString()).toBe([evaluated, train(3)].map((record) => `${JSON.stringify(record)}\n`).join(''));
    const writer = new MetricsWriter(path, history);
    writer.append({ ...evaluated, success: 0 });
    expect(writer.mark).toEqual({ iteration: 2, records: 2 });
    writer.close();
    expect(await readMetrics(path)).toEqual([train(1), train(2), { ...evaluated, success: 0 }]);
    // No record of iteration 2 was there at its checkpoint.
    expect(readMetricsHistory(path, { iteration: 2, records: 0 })?.mark).toEqual({ iteration: 1, records: 1 });
    // Records that were lost do not shift those that were not.
    expect(readMetricsHistory(path, { iteration: 4, records: 1 })?.mark).toEqual({ iteration: 2, records: 2 });
  });

  test('never replaces one that it was not told of', () => {
    write([train(1)]);
    expect(() => write([])).toThrow('EEXIST');
  });

  test('cuts off a line without its end, which readers leave out', async () => {
    write([train(1)]);
    const whole = await readFile(path, 'utf8');
    await appendFile(path, '{"kind":"train","iteration":2,"lo');
    expect(await readMetrics(path)).toEqual([train(1)]);
    write([], 9);
    expect(await readFile(path, 'utf8')).toBe(whole);
  });

  test('cuts at the right byte when text is not ASCII', async () => {
    write([{ kind: 'é', iteration: 1, note: '漢字🙂' }, train(2)]);
    write([train(2, 7)], 1);
    expect(await readMetrics(path)).toEqual([{ kind: 'é', iteration: 1, note: '漢字🙂' }, train(2, 7)]);
  });

  test.each([
    [
      'is not JSON',
      'oops\n',
      'metrics.jsonl line 2 is not JSON; it is damaged, so restore the file from a copy, or remove that line.',
    ],
    ['is no record', '{"kind":"train"}\n', 'metrics.jsonl line 2'],
    [
      'holds nested values',
      '{"kind":"train","iteration":2,"a":{"b":1}}\n',
      '`a` must be a number or text or true or false or null, not {"b":1}',
    ],
    ['goes back', '{"kind":"train","iteration":0}\n', 'line 2 goes back from iteration 1 to 0'],
  ])('refuses a file in which a whole line %s', async (_, line, message) => {
    write([train(1)]);
    await appendFile(path, line);
    await expect(readMetrics(path)).rejects.toThrow(message);
    expect(() => readMetricsHistory(path, { iteration: 5, records: 1 })).toThrow(message);
  });
});

test('a line that does not fit on the disk is taken back', async () => {
  write([train(1)]);
  const writer = new MetricsWriter(path, readMetricsHistory(path, { iteration: 1, records: 1 }));
  vi.mocked(fs.writeSync)
    .mockImplementationOnce((file, bytes) => actualFs.writeSync(file, (bytes as unknown as Buffer).subarray(0, 9)))
    .mockImplementationOnce(() => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    });
  expect(() => writer.append(train(2))).toThrow('no space');
  writer.append(train(2, 7));
  writer.close();
  expect(await readMetrics(path)).toEqual([train(1), train(2, 7)]);
});

test('a file that is not there', async () => {
  await expect(readMetrics(path)).rejects.toMatchObject({ code: 'file' });
});

test('resuming after any stop gives the file of a run that never stopped', async () => {
  const values = fc.array(fc.double(), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(values, fc.nat(5), fc.nat(200), async (losses, checkpoint, torn) => {
      const records = losses.map((loss, index) => train(index + 1, loss));
      await rm(path, { force: true });
      write(records);
      const whole = await readFile(path);
      const kept = whole.subarray(0, whole.length - (torn % (whole.length + 1)));
      await writeFile(path, kept);
      const done = (await readMetrics(path)).length;
      const from = Math.min(checkpoint, done);
      write(records.slice(from), from);
      expect(await readFile(path)).toEqual(whole);
    }),
    { numRuns: 50 },
  );
});

test('any text is read as records or refused with a ProxmoError', async () => {
  const line = fc.oneof(fc.json(), fc.string(), fc.constant('{"kind":"a","iteration":1}'));
  await fc.assert(
    fc.asyncProperty(fc.array(line), async (lines) => {
      await writeFile(path, lines.join('\n'));
      const outcome = await readMetrics(path).catch((error: unknown) => error);
      if (!Array.isArray(outcome)) expect(outcome).toBeInstanceOf(ProxmoError);
    }),
    { numRuns: 100 },
  );
});
