/** Metrics in other forms: event files byte by byte, tables, and both as a run goes on. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MetricRecord } from '../../src/runs/metrics.ts';
import { followAsEvents, followAsTable } from '../../src/runs/metricsForms.ts';
import { readEvents } from '../support/eventFile.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'proxmo-forms-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const started = Date.parse('2026-03-01T10:00:00.000Z');
const records: readonly MetricRecord[] = [
  { kind: 'eval', iteration: 0, time: '2026-03-01T10:00:05.000Z', success: 0.25, 'success/heat "x", y': 0.5 },
  { kind: 'train', iteration: 1, time: '2026-03-01T10:00:09.500Z', success: 0.5, loss: Number.NaN, words: 'a,b' },
  { kind: 'train', iteration: 300, success: 0.75, tokens: 123456 },
];

describe('an event file', () => {
  it('has the figures of each record as scalars, with iteration and time', async () => {
    (await followAsEvents(records, folder, started)).close();
    const [name, ...others] = readdirSync(folder);
    expect(others).toEqual([]);
    expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\..+\.proxmo$/);
    const [version, ...events] = readEvents(readFileSync(join(folder, name!)));
    expect(version).toMatchObject({ seconds: started / 1000, version: 'brain.Event:2' });
    expect(events).toEqual([
      { seconds: started / 1000 + 5, step: 0, scalars: { 'eval/success': 0.25, 'eval/success/heat "x", y': 0.5 } },
      { seconds: started / 1000 + 9.5, step: 1, scalars: { 'train/success': 0.5, 'train/loss': Number.NaN } },
      { seconds: started / 1000, step: 300, scalars: { 'train/success': 0.75, 'train/tokens': 123456 } },
    ]);
  });

  it('has the checksums of TFRecord', async () => {
    (await followAsEvents([], folder, 0)).close();
    const bytes = readFileSync(join(folder, readdirSync(folder)[0]!));
    // As TensorFlow writes the first record of a file of 1970.
    expect(bytes.toString('hex')).toBe(
      '1800000000000000a37f4b22' +
        '0900000000000000001a0d627261696e2e4576656e743a32' +
        bytes.subarray(-4).toString('hex'),
    );
  });

  it('grows with the run, and is in place of the one before, but of nobody else’s', async () => {
    writeFileSync(join(folder, 'events.out.tfevents.1.other'), '');
    (await followAsEvents(records, folder, started)).close();
    const follower = await followAsEvents(records.slice(0, 1), folder, started);
    const name = () => readdirSync(folder).filter((each) => each.endsWith('.proxmo'));
    expect(name().length).toBe(1);
    const read = () => readEvents(readFileSync(join(folder, name()[0]!))).length;
    expect(read()).toBe(2);
    await follower.append(records[1]!);
    expect(read()).toBe(3);
    follower.close();
    expect(readdirSync(folder)).toContain('events.out.tfevents.1.other');
  });
});

it('event files of another run in the same folder are not lost', async () => {
  const here = join(folder, 'two runs');
  (await followAsEvents(records, here, started)).close();
  const there = readdirSync(here);
  await expect(followAsEvents(records, here, started + 5000)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringMatching(
      /two runs has the events of another run; name a folder for each run, as .*two runs\/NAME\.$/,
    ),
  });
  expect(readdirSync(here)).toEqual(there);
});

describe('a table', () => {
  const header = 'kind,iteration,time,success,"success/heat ""x"", y"';
  it('has a line a record, and empty cells for what one lacks', async () => {
    const path = join(folder, 'new', 'metrics.csv');
    await followAsTable(records, path);
    expect(readFileSync(path, 'utf8')).toBe(
      `${header},loss,words,tokens\n` +
        'eval,0,2026-03-01T10:00:05.000Z,0.25,0.5,,,\n' +
        'train,1,2026-03-01T10:00:09.500Z,0.5,,NaN,"a,b",\n' +
        'train,300,,0.75,,,,123456\n',
    );
  });

  it('is the same where the records come one by one', async () => {
    const [whole, grown] = [join(folder, 'whole.csv'), join(folder, 'grown.csv')];
    await followAsTable(records, whole);
    const follower = await followAsTable([], grown);
    for (const record of records) await follower.append(record);
    expect(readFileSync(grown, 'utf8')).toBe(readFileSync(whole, 'utf8'));
  });
});

it('says so where it cannot write', async () => {
  writeFileSync(join(folder, 'file'), '');
  const message = /cannot be written: .*; check the path and the space there\.$/;
  const inFile = join(folder, 'file', 'x');
  await expect(followAsEvents(records, inFile, 0)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringMatching(message),
  });
  await expect(followAsTable(records, inFile)).rejects.toMatchObject({
    code: 'file',
    message: expect.stringMatching(message),
  });
});
