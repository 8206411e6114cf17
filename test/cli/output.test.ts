/** What commands write: all of it or a failure, and nothing that a terminal would obey. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { finish, Output } from '../../src/cli/output.ts';
import { formatTable } from '../../src/cli/table.ts';
import { proxmo, shell } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-output-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The path of a new environment with one page. */
function environment(name: string, texts: { observation: string; action?: string; id?: string }): string {
  const path = join(folder, `${name}.mjs`);
  const { observation, action = 'look', id = 'task' } = texts;
  const literal = (text: string) => JSON.stringify(text);
  writeFileSync(
    path,
    `export default (options, { defineTaskSet }) => defineTaskSet({
      name: ${literal(name)}, maxSteps: 2,
      tasks: Array.from({ length: 60 }, (_, i) => ({ id: ${literal(id)} + i, type: 'open' })),
      instruction: () => 'read it',
      *play() {
        yield { observation: ${literal(observation)}, actions: [${literal(action)}] };
        return { observation: 'end', success: true };
      },
    });`,
  );
  return path;
}

describe('output into a pipe', () => {
  /** More than a pipe holds before its reader takes any: 65,536 bytes. */
  const longText = 'x'.repeat(300_000);
  const long = environment('long', { observation: longText });

  it('arrives whole, however late it is read', async () => {
    const { code, stdout } = await shell(`proxmo env play '${long}' </dev/null | { sleep 1; cat; }`);
    expect(code).toBe(0);
    expect(stdout).toContain(longText);
    expect(stdout).toMatch(/not done after 0 steps, reward 0\n$/);
  });

  it('ends quietly where its reader has ended, and waits for no input then', async () => {
    // Input that stays open, and says nothing.
    const silence = '< <(sleep 60 2>/dev/null)';
    const started = performance.now();
    const result = await shell(`proxmo env play '${long}' ${silence} | head -1`);
    expect(result).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^task task\d+ \(open\): read it\n$/),
      stderr: '',
    });
    expect(performance.now() - started).toBeLessThan(40_000);
  });

  it('is not missed on standard error, whose reader has ended', async () => {
    const script = '{ sleep 0.5; proxmo doctor --kernels vocabFinish --json; } 2> >(true)';
    const { code, stdout } = await shell(script);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([{ kernel: 'vocabFinish', problems: [] }]);
  });
});

/** An output into a file, whose bytes from an offset on `write` takes in part or whole. */
function fileOutput(write: (bytes: Buffer, offset: number) => number): Output {
  const [stream, writeToFile] = [
    Object.assign(new PassThrough(), { fd: 1 }),
    (_fd: number, bytes: Buffer, offset: number) => write(bytes, offset),
  ] as unknown as ConstructorParameters<typeof Output>;
  return new Output(stream, writeToFile);
}

describe('output that cannot be written', () => {
  it.each(['env list', 'env list --json', 'train --help'])('%s fails on a full disk', async (command) => {
    expect(await shell(`proxmo ${command} >/dev/full`)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'proxmo: The output could not be written whole: no space is left there (ENOSPC); make room, or send it elsewhere.\n',
    });
  });

  it('is a failure also where the disk took a part of it', async () => {
    let room = 10;
    const output = fileOutput((bytes, offset) => {
      const taken = Math.min(room, bytes.length - offset, 4);
      if (taken === 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      room -= taken;
      return taken;
    });
    const said: string[] = [];
    const error = fileOutput((bytes) => {
      said.push(String(bytes));
      return bytes.length;
    });
    output.write('0123456');
    expect([output.failure, output.closed.aborted]).toEqual([null, false]);
    output.print('89ab');
    expect([output.failure?.code, output.closed.aborted]).toEqual(['ENOSPC', true]);
    expect(await finish(0, [output, error])).toBe(1);
    expect(said).toEqual([expect.stringContaining('could not be written whole: no space is left there (ENOSPC)')]);
    expect(await finish(130, [output, error])).toBe(130);
  });
});

describe('text from outside', () => {
  const esc = '\u001b';
  const texts = {
    observation: `${esc}]0;TITLE\u0007 ${esc}[2J\u009b8m\u0000\u202ereversed\tend\r\nnext\rover`,
    action: `buy ${esc}[8mhidden`,
    id: `t${esc}[5m\nok    forged`,
  };
  const hostile = environment('hostile', texts);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

  it('is played without the characters that a terminal obeys', async () => {
    const { code, stdout } = await proxmo(['env', 'play', hostile], { input: '1\n' });
    expect(code).toBe(0);
    expect(stdout).not.toMatch(obeyed);
    expect(stdout).toContain('\\u001b]0;TITLE\\u0007 \\u001b[2J\\u009b8m\\u0000\\u202ereversed\tend\nnext\\u000dover');
    expect(stdout).toContain('   1  buy \\u001b[8mhidden\n');
  });

  it('is checked, a line for a finding', async () => {
    const { stdout } = await proxmo(['env', 'check', hostile, '--tasks', '2']);
    expect(stdout).not.toMatch(obeyed);
    for (const line of stdout.trim().split('\n')) expect(line).toMatch(/^(ok {4}|BREAKS) {2}\S/);
    expect(stdout).not.toMatch(/^ok {4}forged/m);
  });

  it('means the same as JSON', async () => {
    const path = join(folder, 'hostile.jsonl');
    writeFileSync(path, `${JSON.stringify({ [`a\u009b\u007f${esc}`]: 1 })}\n`);
    const { stderr } = await proxmo(['env', 'replay', path, '--data', folder]);
    expect(stderr).toContain('the first record has the keys a\\u009b\\u007f\\u001b;');
    const { stdout } = await proxmo(['env', 'check', hostile, '--tasks', '2', '--json']);
    expect(stdout).not.toMatch(obeyed);
    expect(JSON.parse(stdout)).toMatchObject({ name: 'hostile' });
  });

  it.each([
    [['fly\u001b[2J'], /unknown command 'fly\\u001b\[2J'/],
    [['train', '--env', 'moon\u009b8m'], /no environment moon\\u009b8m/],
    [['train', '--set', 'seed=\u001b[2J'], /\\u001b\[2J/],
  ])('is quoted in messages: %j', async (args, message) => {
    const { stderr } = await proxmo(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(obeyed);
  });

  it('keeps the columns of a table', () => {
    expect(
      formatTable([
        ['a\u001b', '1'],
        ['bb\nbb', '23'],
      ]),
    ).toBe('a\\u001b   1\nbb\\nbb   23');
  });
});
