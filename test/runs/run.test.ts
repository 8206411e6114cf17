import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRun, openRun, resumeRun } from '../../src/runs/run.ts';
import { checkpointValues, namedTensor, savedValues } from '../support/checkpoints.ts';

let parent: string;
let dir: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'proxmo-run-'));
  dir = join(parent, 'nested', 'first');
});
afterEach(() => rm(parent, { recursive: true }));

const session = { adapter: { name: 'software', f16: false }, version: '0.1.0' };
const options = {
  ...session,
  config: { seed: 7, optimizer: { learningRate: 1e-4, betas: [0.9, 0.999] }, file: null },
  seed: 7,
};
const checkpointOf = (iteration: number) => ({
  iteration,
  weights: [namedTensor('w', [2], Float32Array.of(iteration, -1))],
  optimizer: [],
  state: { step: iteration },
});
const train = (iteration: number, loss = 1) => ({ kind: 'train', iteration, loss });

/** A run of three iterations with a checkpoint after the second, stopped without a word. */
async function stoppedRun(): Promise<void> {
  const run = await createRun(dir, options);
  for (const iteration of [1, 2]) run.metrics.append(train(iteration));
  await run.saveCheckpoint(checkpointOf(2));
  run.metrics.append(train(3));
  run.close();
}

test('a run from start to end', async () => {
  const run = await createRun(dir, options);
  run.metrics.append(train(1));
  await run.saveCheckpoint(checkpointOf(1));
  await run.writeFile('tokenizer.json', '{}');
  await run.writeSummary({ success: 0.5 });
  run.close();
  expect((await readdir(dir)).sort()).toEqual([
    'checkpoints',
    'config.yaml',
    'metrics.jsonl',
    'run.json',
    'summary.json',
    'tokenizer.json',
  ]);

  const opened = await openRun(dir);
  expect(opened.manifest).toMatchObject({ seed: 7, version: '0.1.0', adapter: session.adapter, resumes: [] });
  expect(Date.now() - Date.parse(opened.manifest.started)).toBeLessThan(60_000);
  expect(opened.config).toEqual(options.config);
  expect(await opened.readMetrics()).toEqual([train(1)]);
  expect(await opened.checkpoints()).toEqual([1]);
  expect(await savedValues(opened.openCheckpoint())).toEqual(await checkpointValues(checkpointOf(1)));
  expect(await opened.readSummary()).toEqual({ success: 0.5 });
  expect(await opened.readFile('tokenizer.json')).toBe('{}');
  expect(await opened.readFile('other')).toBeNull();
});

describe('createRun', () => {
  test('refuses a folder that holds anything', async () => {
    await stoppedRun();
    await expect(createRun(dir, options)).rejects.toThrow('holds a run already; resume it, or give another folder');
    await writeFile(join(parent, 'notes.txt'), '');
    await expect(createRun(parent, options)).rejects.toThrow('is not empty; give another folder');
    await expect(createRun(join(parent, 'notes.txt'), options)).rejects.toMatchObject({ code: 'file' });
  });

  test('leaves an empty folder when it fails', async () => {
    await expect(createRun(dir, { ...options, adapter: { memory: Number.NaN } })).rejects.toThrow(
      '`adapter.memory` is no JSON value',
    );
    expect(await readdir(dir)).toEqual([]);
    (await createRun(dir, options)).close();
  });

  test('keeps others from writing, not from reading', async () => {
    const run = await createRun(dir, options);
    await expect(resumeRun(dir, session)).rejects.toThrow('in use by process');
    expect(await (await openRun(dir)).readMetrics()).toEqual([]);
    run.close();
    (await resumeRun(dir, session)).close();
  });
});

describe('resumeRun', () => {
  test('goes on from the latest checkpoint, with the metrics as they were then', async () => {
    await stoppedRun();
    await appendFile(join(dir, 'metrics.jsonl'), '{"kind":"tra');
    await writeFile(join(dir, '.summary.json.99-0.tmp'), 'half');
    const run = await resumeRun(dir, { ...session, version: '0.2.0' });
    expect(await savedValues(run.openCheckpoint())).toEqual(await checkpointValues(checkpointOf(2)));
    expect(run.manifest.resumes).toMatchObject([{ version: '0.2.0', iteration: 2 }]);
    run.metrics.append(train(3, 0.5));
    run.close();
    const opened = await openRun(dir);
    expect(await opened.readMetrics()).toEqual([train(1), train(2), train(3, 0.5)]);
    expect(opened.manifest.resumes).toHaveLength(1);
    expect(opened.config).toEqual(options.config);
    expect((await readdir(dir)).sort()).toEqual(['checkpoints', 'config.yaml', 'metrics.jsonl', 'run.json']);
  });

  test('starts over without a checkpoint', async () => {
    const first = await createRun(dir, options);
    first.metrics.append(train(1));
    first.close();
    const run = await resumeRun(dir, session);
    expect(await run.latestCheckpoint()).toBeNull();
    expect(run.manifest.resumes).toMatchObject([{ iteration: null }]);
    expect(await run.readMetrics()).toEqual([]);
    run.close();
  });

  test('takes the summary away until the run is finished again', async () => {
    const first = await createRun(dir, options);
    await first.writeSummary({ success: 1 });
    first.close();
    const run = await resumeRun(dir, session);
    expect(await run.readSummary()).toBeNull();
    run.close();
  });

  test('changes nothing in a run whose metrics are damaged, and lets go of it', async () => {
    await stoppedRun();
    await writeFile(join(dir, 'metrics.jsonl'), 'oops\n');
    const manifest = await readFile(join(dir, 'run.json'), 'utf8');
    await expect(resumeRun(dir, session)).rejects.toThrow('metrics.jsonl line 1 is not JSON');
    await expect(resumeRun(dir, session)).rejects.toThrow('metrics.jsonl line 1 is not JSON');
    expect(await readFile(join(dir, 'run.json'), 'utf8')).toBe(manifest);
  });
});

describe('openRun refuses', () => {
  test('a folder that is not a run', async () => {
    await expect(openRun(parent)).rejects.toMatchObject({
      code: 'file',
      message: /is not a run: it has no run.json; give the folder/,
    });
    await expect(openRun(join(parent, 'none'))).rejects.toThrow('is not a run');
  });

  test.each<[string, string, string | null, string]>([
    ['a manifest that is not JSON', 'run.json', '{', 'run.json is not JSON'],
    [
      'a manifest of another version',
      'run.json',
      '{"format":"proxmo-run","formatVersion":2}',
      '`formatVersion` must be 1, not 2',
    ],
    ['a configuration that is not YAML', 'config.yaml', 'a: [', 'config.yaml line 1 is not valid YAML'],
    ['no configuration', 'config.yaml', null, 'config.yaml is missing'],
    ['no metrics', 'metrics.jsonl', null, 'metrics.jsonl is missing'],
    ['a pointer to no checkpoint', 'checkpoints/latest', '000009', 'names "000009", which is no checkpoint'],
  ])('a run with %s', async (_, name, text, message) => {
    await stoppedRun();
    if (text === null) await rm(join(dir, name));
    else await writeFile(join(dir, name), text);
    await expect(openRun(dir)).rejects.toMatchObject({ code: 'file', message: expect.stringContaining(message) });
  });
});
