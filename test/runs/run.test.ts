import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ResumeOptions, reopenRun } from '../../src/runs/resume.ts';
import { createRun, openRun, type RunWriter } from '../../src/runs/run.ts';
import { editYaml } from '../../src/runs/yaml.ts';
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
  for (const iteration of [1, 2, 3]) {
    run.metrics.append(train(iteration));
    await run.rollouts.write({ split: 'training', iteration }, [[{ play: iteration }]], () => ({ iteration }));
    if (iteration > 1) await run.rollouts.write({ split: 'held-out', iteration }, [[{ play: iteration }]], () => ({}));
    if (iteration === 2) await run.saveCheckpoint(checkpointOf(2));
  }
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
  test('names its schema for editors, and a change of settings keeps that', async () => {
    const run = await createRun(dir, { ...options, schema: '{"title":"x"}' });
    run.close();
    const text = await readFile(join(dir, 'config.yaml'), 'utf8');
    expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./config.schema.json');
    expect(await readFile(join(dir, 'config.schema.json'), 'utf8')).toBe('{"title":"x"}');
    expect(editYaml(text, [{ keys: ['seed'], value: 9 }]).split('\n')[0]).toBe(text.split('\n')[0]);
    await run.discard();
    expect(await readdir(parent)).toEqual([]);
  });

  test('refuses a folder that holds anything', async () => {
    await stoppedRun();
    await expect(createRun(dir, options)).rejects.toThrow('holds a run already; resume it, or give another folder');
    await writeFile(join(parent, 'notes.txt'), '');
    await expect(createRun(parent, options)).rejects.toThrow('is not empty; give another folder');
    await expect(createRun(join(parent, 'notes.txt'), options)).rejects.toMatchObject({ code: 'file' });
  });

  test('leaves no folder when it fails, or an empty one that was there', async () => {
    const wrong = { ...options, adapter: { memory: Number.NaN } };
    await expect(createRun(dir, wrong)).rejects.toThrow('`adapter.memory` is no JSON value');
    expect(await readdir(parent)).toEqual([]);
    await mkdir(dir, { recursive: true });
    await expect(createRun(dir, wrong)).rejects.toThrow('`adapter.memory` is no JSON value');
    expect(await readdir(dir)).toEqual([]);
    (await createRun(dir, options)).close();
  });

  test('refuses settings that no checkpoint could keep', async () => {
    await expect(createRun(dir, { ...options, config: { rate: Number.NaN } })).rejects.toThrow(
      '`rate` is no JSON value',
    );
    expect(await readdir(parent)).toEqual([]);
    (await createRun(dir, { ...options, config: { rate: undefined } })).close();
  });

  test('can be taken back, with the folders that were made for it, but not with what others left there', async () => {
    const run = await createRun(dir, options);
    await run.writeFile('tokenizer.json', '{}');
    run.log('it began');
    await run.discard();
    expect(await readdir(parent)).toEqual([]);
    const other = await createRun(dir, options);
    await writeFile(join(dir, 'notes.txt'), 'mine');
    await other.discard();
    expect(await readdir(dir)).toEqual(['notes.txt']);
  });

  test('keeps others from writing, not from reading', async () => {
    const run = await createRun(dir, options);
    await expect(reopenRun(dir)).rejects.toThrow('in use by process');
    expect(await (await openRun(dir)).readMetrics()).toEqual([]);
    run.close();
    await (await reopenRun(dir)).close();
    await (await reopenRun(dir)).close();
  });
});

/** Goes on with the run as training does. */
async function goOn(changes: Partial<ResumeOptions> = {}): Promise<RunWriter> {
  const stopped = await reopenRun(dir);
  await stopped.checkpoint?.close();
  return stopped.resume({ ...options, ...changes });
}
const names = (...path: string[]) => readdir(join(dir, ...path)).then((found) => found.sort());
const logOf = () => readFile(join(dir, 'run.log'), 'utf8');
const putAside = (...path: string[]) => readFile(join(dir, 'aside', ...path), 'utf8');
const rowsAside = async (name: string) =>
  gunzipSync(await readFile(join(dir, 'aside', name, 'rollouts', '000003.jsonl.gz'))).toString();

describe('a run that goes on', () => {
  test('goes on from the latest checkpoint, with the metrics as they were then, and keeps the rest aside', async () => {
    await stoppedRun();
    await appendFile(join(dir, 'metrics.jsonl'), '{"kind":"tra');
    await writeFile(join(dir, '.summary.json.99-0.tmp'), 'half');
    const stopped = await reopenRun(dir);
    expect(await savedValues(Promise.resolve(stopped.checkpoint!))).toEqual(await checkpointValues(checkpointOf(2)));
    expect(stopped.problems).toEqual([]);
    const run = await stopped.resume({ ...options, version: '0.2.0' });
    expect(run.manifest.resumes).toMatchObject([{ version: '0.2.0', iteration: 2, changes: {} }]);
    run.metrics.append(train(3, 0.5));
    run.close();
    const opened = await openRun(dir);
    expect(await opened.readMetrics()).toEqual([train(1), train(2), train(3, 0.5)]);
    expect(opened.manifest.resumes).toHaveLength(1);
    expect(opened.config).toEqual(options.config);
    expect(await names()).toEqual([
      'aside',
      'checkpoints',
      'config.yaml',
      'metrics.jsonl',
      'rollouts',
      'run.json',
      'run.log',
    ]);
    expect(await run.rollouts.iterations()).toEqual([1, 2]);
    expect(await run.rollouts.iterations('held-out')).toEqual([2]);
    expect(await names('rollouts')).toHaveLength(6);
    expect(await putAside('001', 'metrics.jsonl')).toBe(`${JSON.stringify(train(3))}\n{"kind":"tra`);
    expect(await rowsAside('001')).toBe('{"play":3}\n');
    expect(await putAside('001', 'rollouts', '000003.index.json')).toBe('{"iteration":3}\n');
    expect(await logOf()).toMatch(/^\S+ what came after the checkpoint lies in .*001\n$/);
  });

  test('is not touched while it is only looked at', async () => {
    await stoppedRun();
    await rm(join(dir, 'checkpoints', 'latest'));
    const before = await names();
    const metrics = await readFile(join(dir, 'metrics.jsonl'), 'utf8');
    const stopped = await reopenRun(dir);
    await expect(reopenRun(dir)).rejects.toThrow('in use by process');
    await stopped.close();
    expect([await names(), await readFile(join(dir, 'metrics.jsonl'), 'utf8')]).toEqual([before, metrics]);
    expect(await names('checkpoints')).toEqual(['000002']);
  });

  test('goes on from an older checkpoint where newer ones are damaged, which it keeps aside', async () => {
    await stoppedRun();
    const more = await goOn();
    more.metrics.append(train(3));
    await more.rollouts.write({ split: 'training', iteration: 3 }, [[{ play: 'again' }]], () => ({ iteration: 3 }));
    await more.saveCheckpoint(checkpointOf(3));
    await more.writeSummary({ success: 1 });
    more.close();
    await writeFile(join(dir, 'checkpoints', '000003', 'state.json'), '{"format":');
    const run = await goOn();
    expect(await run.latestCheckpoint()).toBe(2);
    expect(await run.readMetrics()).toEqual([train(1), train(2)]);
    expect(await run.readSummary()).toBeNull();
    await run.saveCheckpoint({ ...checkpointOf(3), state: { again: true } });
    run.close();
    expect(await names('aside')).toEqual(['001', '002']);
    expect(await names('aside', '002')).toEqual(['checkpoints', 'metrics.jsonl', 'rollouts', 'summary.json']);
    expect(await putAside('002', 'checkpoints', '000003', 'state.json')).toBe('{"format":');
    expect(await rowsAside('002')).toBe('{"play":"again"}\n');
    expect(await rowsAside('001')).toBe('{"play":3}\n');
    expect(await putAside('001', 'rollouts', '000003.index.json')).toBe('{"iteration":3}\n');
    expect(await logOf()).toMatch(/000003.state\.json is not JSON/);
  });

  test('starts over where it never had a checkpoint', async () => {
    const first = await createRun(dir, options);
    first.metrics.append({ kind: 'eval', iteration: 0, success: 0 });
    first.close();
    const run = await goOn();
    expect(await run.latestCheckpoint()).toBeNull();
    expect(run.manifest.resumes).toMatchObject([{ iteration: null }]);
    expect(await run.readMetrics()).toEqual([]);
    expect(await putAside('001', 'metrics.jsonl')).toContain('"eval"');
    run.close();
  });

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['no checkpoints', () => rm(join(dir, 'checkpoints'), { recursive: true }), /no whole checkpoint to go on from;/],
    [
      'a checkpoint less its weights',
      () => rm(join(dir, 'checkpoints', '000002', 'weights.safetensors')),
      /from \(.*weights\.safetensors cannot be read.*\); restore its checkpoints from a copy, or start a new run\.$/,
    ],
    [
      'no checkpoints and no metrics',
      async () => {
        for (const name of ['checkpoints', 'metrics.jsonl']) await rm(join(dir, name), { recursive: true });
      },
      /was trained, but has no whole checkpoint/,
    ],
    ['damaged metrics', () => writeFile(join(dir, 'metrics.jsonl'), 'oops\n'), /metrics\.jsonl line 1 is not JSON/],
    [
      'a damaged configuration',
      () => writeFile(join(dir, 'config.yaml'), 'a: ['),
      /\(the settings stand in state\.json/,
    ],
  ])('is refused, and left as it is, with %s', async (_, damage, message) => {
    await stoppedRun();
    await damage();
    const before = await names();
    const manifest = await readFile(join(dir, 'run.json'), 'utf8');
    for (let time = 0; time < 2; time++)
      await expect(reopenRun(dir)).rejects.toMatchObject({ code: 'file', message: expect.stringMatching(message) });
    expect(await names()).toEqual(before);
    expect(await readFile(join(dir, 'run.json'), 'utf8')).toBe(manifest);
  });

  test('says which records are missing, and goes on without them', async () => {
    await stoppedRun();
    const path = join(dir, 'metrics.jsonl');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.slice(0, text.indexOf('\n') + 9));
    const half = await reopenRun(dir);
    expect(half.problems).toEqual([expect.stringMatching(/lacks records up to the checkpoint of iteration 2/)]);
    await half.close();
    await rm(path);
    const none = await reopenRun(dir);
    expect(none.problems).toEqual([expect.stringMatching(/metrics\.jsonl is missing/)]);
    const run = await none.resume(options);
    run.metrics.append(train(3));
    expect(await run.readMetrics()).toEqual([train(3)]);
    run.close();
    await none.close();
  });

  test('keeps what was changed in its settings, and the comments beside', async () => {
    await stoppedRun();
    const path = join(dir, 'config.yaml');
    await appendFile(path, '# chosen with care\n');
    const config = { ...options.config, optimizer: { learningRate: 1e-5, betas: [0.9, 0.999] } };
    const edits = [{ keys: ['optimizer', 'learningRate'], value: 1e-5 }];
    const run = await goOn({ config, edits, changes: { 'optimizer.learningRate': 1e-4 } });
    expect(run.manifest.resumes).toMatchObject([{ changes: { 'optimizer.learningRate': 1e-4 } }]);
    await run.saveCheckpoint(checkpointOf(3));
    run.close();
    expect((await openRun(dir)).config).toEqual(config);
    expect(await readFile(path, 'utf8')).toMatch(/# chosen with care\n$/);
    const saved = await (await openRun(dir)).openCheckpoint();
    expect(saved.context?.settings).toEqual(config);
    await saved.close();
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
    ['a configuration that is not YAML', 'config.yaml', 'a: [', 'config.yaml is not valid YAML'],
    ['no configuration', 'config.yaml', null, 'config.yaml is missing'],
  ])('a run with %s', async (_, name, text, message) => {
    await stoppedRun();
    if (text === null) await rm(join(dir, name));
    else await writeFile(join(dir, name), text);
    await expect(openRun(dir)).rejects.toMatchObject({ code: 'file', message: expect.stringContaining(message) });
  });
});
