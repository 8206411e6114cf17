/** `proxmo gpu-report`: what fails costs no more than itself, a report goes on where it was, and its page says all. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bundle } from '../../scripts/bundle.mjs';
import { Conductor } from '../../src/cli/gpuReport/conductor.ts';
import { factsOf } from '../../src/cli/gpuReport/facts.ts';
import { withoutHome } from '../../src/cli/gpuReport/home.ts';
import { failuresIn, reportPage } from '../../src/cli/gpuReport/page.ts';
import { kernelPart } from '../../src/cli/gpuReport/parts.ts';
import { productsOf } from '../../src/cli/gpuReport/products.ts';
import { isHopeless, Records } from '../../src/cli/gpuReport/records.ts';
import { workOn } from '../../src/cli/gpuReport/worker.ts';
import { testAdapters, testDevice } from '../support/adapters.ts';
import { proxmo } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-report-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const newFolder = () => mkdtempSync(join(folder, 'report-'));

describe('records', () => {
  it('are read back without the half line that a kill leaves', () => {
    const dir = newFolder();
    const records = new Records(dir);
    records.begin('kernels', 'a');
    records.done('kernels', 'a', 1, { right: true });
    records.begin('kernels', 'b');
    appendFileSync(join(dir, 'records.jsonl'), '{"kind":"done","part":"ker');
    const again = new Records(dir);
    expect(again.resultOf('kernels', 'a')).toEqual({ right: true });
    expect(again.underWay('kernels')).toEqual(['b']);
    again.failed('kernels', 'b', 'it is wrong');
    expect(new Records(dir).failures).toEqual([{ part: 'kernels', item: 'b', message: 'it is wrong' }]);
  });

  it('say which line is none', () => {
    const dir = newFolder();
    writeFileSync(join(dir, 'records.jsonl'), '{"kind":"flown"}\n');
    expect(() => new Records(dir)).toThrow(/records\.jsonl line 1.*name a new folder by --out/);
  });

  it('give up what ended its process twice, until it is to be tried again', async () => {
    const dir = newFolder();
    const records = new Records(dir);
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(isHopeless(records.stateOf('kernels', 'bad'))).toBe(false);
      records.begin('kernels', 'bad');
    }
    const part = { ...kernelPart([]), items: () => [{ name: 'bad', run: async () => 'it works' }] };
    const work = async () =>
      workOn(part, await testDevice('swiftshader'), { version: '', records, seconds: 60, onItem: () => {} });
    await work();
    expect(records.failures).toMatchObject([{ item: 'bad', message: expect.stringMatching(/twice/) }]);
    records.tryAgain();
    records.begin('kernels', 'bad');
    records.excuse('kernels');
    expect(records.stateOf('kernels', 'bad')).toEqual({ kind: 'open', attempts: 0 });
    await work();
    expect(records.resultOf('kernels', 'bad')).toBe('it works');
  });
});

it('does not say what its user is called', () => {
  const home = '/home/jo_doe';
  expect(withoutHome('at /home/jo_doe/.cache, /home/jo\\_doe, /home/jo_doe2', home)).toBe(
    'at ~/.cache, ~, /home/jo_doe2',
  );
  const windows = 'C:\\Users\\Jo';
  expect(withoutHome(JSON.stringify({ path: `${windows}\\x` }), windows)).toBe('{"path":"~\\\\x"}');
  expect(withoutHome('/a', '/')).toBe('/a');
});

it('goes on after a wrong kernel, an error, a lost device and a crash', async () => {
  const dir = newFolder();
  const records = new Records(dir);
  const conductor = new Conductor({
    dir,
    program: await bundle(join(import.meta.dirname, '..', 'support', 'failingReport.ts')),
    adapter: undefined,
    records,
    signal: new AbortController().signal,
    end: performance.now() + 100_000,
    onNews: () => {},
  });
  await conductor.run({ name: 'kernels' }, 90);
  expect([...records.itemsOf('kernels')].map(([name, { kind }]) => [name, kind])).toEqual([
    ['fill', 'done'],
    ['wrong', 'done'],
    ['thrown', 'failed'],
    ['lost', 'failed'],
    ['crash', 'failed'],
    ['last', 'done'],
  ]);
  const messages = failuresIn(records).map(([, what, message]) => `${what}: ${message}`);
  expect(messages.slice(0, 4)).toEqual([
    'thrown: an error of another kind',
    expect.stringMatching(/^lost: The GPU device was lost/),
    'crash: Its process was ended by SIGKILL.',
    expect.stringMatching(/^wrong: .*y\[0\] is .*, not /),
  ]);
  const page = reportPage({
    facts: factsOf(await testDevice('swiftshader'), '1.0'),
    records,
    parts: [{ name: 'kernels', total: 6 }],
    trainings: [],
    picture: null,
    command: 'proxmo gpu-report',
  });
  expect(page).toContain('2 of 3 checked kernels are right');
  expect(page).toContain(`found on this adapter on ${new Date().toISOString().slice(0, 10)}. proxmo 1.0, Node v`);
  expect(page).toMatch(/^\| load before \| \d+\.\d \|$/m);
  expect(page).toContain('**wrong: wrong**');
  expect(page).not.toContain('Not everything was reached');
  for (const message of ['an error of another kind', 'was lost', 'SIGKILL']) expect(page).toContain(message);
});

it.each(testAdapters)('compares products of float32 and f16 on %s', async (adapter) => {
  const gpu = await testDevice(adapter);
  const { products, broken } = await productsOf(gpu, { m: 32, n: 64, k: 32, batch: 1, splits: 1 });
  const kinds = gpu.profile.features.has('shader-f16') ? ['f32', 'f16'] : ['f32'];
  expect([products.map(({ kind }) => kind), broken]).toEqual([expect.arrayContaining(kinds), []]);
  for (const { gflops, isRight } of products) expect([gflops > 0, isRight]).toEqual([true, true]);
});

describe('the command', () => {
  it('goes on where it was killed, and does nothing twice', async () => {
    const dir = newFolder();
    const args = ['gpu-report', '--out', dir, '--only', 'ceilings'];
    const path = join(dir, 'records.jsonl');
    const kinds = () =>
      readFileSync(path, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).kind);
    await proxmo(args, {
      onStart: (child) => {
        const timer = setInterval(() => {
          if (!existsSync(path)) return;
          clearInterval(timer);
          child.kill('SIGKILL');
        }, 20);
      },
    });
    expect(kinds()).toEqual(['begun']);
    for (let run = 0; run < 2; run++) {
      expect(await proxmo(args)).toMatchObject({ code: 0, stdout: expect.not.stringContaining('not reached') });
      expect(kinds()).toEqual(['begun', 'begun', 'done']);
    }
    expect(readFileSync(join(dir, 'report.md'), 'utf8')).toMatch(
      /## Ceilings.*\| matrix products, f32 \| [\d.]+ \| [\d.]+ \| [\d.]+ %/s,
    );
    const data = JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8'));
    expect(data).toMatchObject({ failures: [], ceilings: { ceilings: { copy: { gbps: expect.any(Number) } } } });
  });

  it('ends when its time is over, and says what is missing', async () => {
    const dir = newFolder();
    const { code, stdout } = await proxmo(['gpu-report', '--out', dir, '--minutes', '0.05', '--only', 'kernels']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/same command goes on:\n {2}kernels: \d+ of \d+/)]);
    expect(readFileSync(join(dir, 'report.md'), 'utf8')).toMatch(/Not everything was reached.*\n\n- kernels: \d+ of/);
  });

  it('refuses the folder of another adapter, and parts that there are not', async () => {
    const dir = newFolder();
    const facts = { adapter: 'another card', driver: '1', versions: { proxmo: '0' } };
    writeFileSync(join(dir, 'facts.json'), JSON.stringify(facts));
    const refused = await proxmo(['gpu-report', '--out', dir]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/holds the report of another card/)]);
    const unknown = await proxmo(['gpu-report', '--out', dir, '--only', 'kernel']);
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringMatching(/no part kernel \(did you mean kernels\?\)/),
    ]);
  });

  it('tells in one sentence that there is no adapter', async () => {
    const { code, stderr } = await proxmo(['gpu-report', '--out', newFolder(), '--adapter', 'no such card']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/No WebGPU adapter "no such card" was found/)]);
  });
});
