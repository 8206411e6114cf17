/** Runs and configurations of others: nothing of theirs starts unless this user agrees to it. */

import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { proxmo, shell } from '../support/cli.ts';
import { needs } from '../support/needs.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-trust-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const example = join(import.meta.dirname, '..', '..', 'examples', 'my-env.mjs');
const marker = join(folder, 'started');
const wasStarted = () => existsSync(marker);
const set = (...settings: string[]) => settings.flatMap((setting) => ['--set', setting]);
const mark = `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(marker)}, 'started');`;

/** The user who made the run, and another one, who made none. */
const maker = { PROXMO_STATE: join(folder, 'maker') };
const stranger = { PROXMO_STATE: join(folder, 'stranger') };
const module = join(folder, 'env.mjs');
const run = join(folder, 'run');
const small = [
  'training.iterations=1',
  'training.tasks=2',
  'training.groupSize=2',
  'training.pool=4',
  'warmStart.tasks=0',
  'evaluation.tasks=2',
  'evaluation.every=0',
];

/** A configuration file that starts something. */
function configFile(environment: object): string {
  const path = join(folder, 'config.yaml');
  writeFileSync(path, stringify({ environment }));
  return path;
}

/** A program that leaves the marker, and then says nothing. */
const program = [process.execPath, '--input-type=module', '--eval', mark];

beforeAll(async () => {
  writeFileSync(module, `${mark}\nexport { default } from ${JSON.stringify(example)};\n`);
  const { code, stderr } = await proxmo(['train', '--env', module, ...set(...small), '--out', run], { env: maker });
  expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
});
beforeEach(() => {
  rmSync(marker, { force: true });
  rmSync(join(folder, 'stranger'), { recursive: true, force: true });
});

describe('a run', () => {
  it('starts its environment for the user who made it', async () => {
    expect(await proxmo(['eval', run, '--tasks', '1'], { env: maker })).toMatchObject({ code: 0 });
    expect(wasStarted()).toBe(true);
  });

  it.each([
    ['eval', run],
    ['play', run],
    ['train', '--resume', run],
    ['train', '--resume', run, '--plan'],
    ['train', '--resume', run, '--iterations', '+1'],
  ])('does not for another one: %s %s %s %s', async (...args) => {
    const { code, stdout, stderr } = await proxmo(args, { env: stranger });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe(
      `proxmo: ${run} would load the module ${module}, to which you did not agree; look at it, and give --trust (in a program, agree) to allow it.\n`,
    );
    expect(wasStarted()).toBe(false);
  });

  it('starts nothing where only its policy is read', async () => {
    const generated = await proxmo(['generate', '--model', run, '--prompt', 'go', '--max-tokens', '2'], {
      env: stranger,
    });
    expect(generated.code).toBe(0);
    await proxmo(['model', 'export', run, join(folder, 'exported')], { env: stranger });
    expect(wasStarted()).toBe(false);
  });

  it('starts it where --trust says so, and from then on, as long as the module stays as it is', async () => {
    const play = ['play', run];
    expect((await proxmo([...play, '--trust'], { env: stranger })).code).toBe(0);
    expect(await proxmo(play, { env: stranger })).toMatchObject({ code: 0, stderr: '' });
    const before = readFileSync(module, 'utf8');
    writeFileSync(module, `${before}// changed\n`);
    expect((await proxmo(play, { env: stranger })).stderr).toContain('to which you did not agree');
    const agreed = await proxmo([...play, '--trust'], { env: stranger });
    expect(agreed).toMatchObject({
      code: 0,
      stderr: `${module} was changed since the run was trained with it, so this is another world than the run's\n`,
    });
    writeFileSync(module, before);
    expect((await proxmo(play, { env: stranger })).code).toBe(0);
  });

  it('starts no other program than the one it was made with', async () => {
    const edited = join(folder, 'edited');
    cpSync(run, edited, { recursive: true });
    const path = join(edited, 'config.yaml');
    const config = parse(readFileSync(path, 'utf8'));
    const environment = {
      ...config.environment,
      name: 'process',
      options: { command: program, env: { A: 'b\u001b[2J' } },
    };
    writeFileSync(path, stringify({ ...config, environment }));
    const { code, stderr } = await proxmo(['eval', edited], { env: maker });
    expect(code).toBe(1);
    expect(stderr).toContain(
      `${edited} would start the program \`${process.execPath} --input-type=module --eval "import`,
    );
    expect(stderr).toContain('A="b\\u001b[2J"');
    expect(wasStarted()).toBe(false);
  });

  it('is not written to through a link in it', async () => {
    const linked = join(folder, 'linked');
    cpSync(run, linked, { recursive: true });
    const target = join(folder, 'target');
    writeFileSync(target, 'mine\n');
    rmSync(join(linked, 'metrics.jsonl'));
    symlinkSync(target, join(linked, 'metrics.jsonl'));
    const { code, stderr } = await proxmo(['train', '--resume', linked, '--iterations', '+1'], { env: maker });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/metrics\.jsonl is a link, and a run writes within its own/),
    ]);
    expect(readFileSync(target, 'utf8')).toBe('mine\n');
  });
});

describe('a configuration file', () => {
  it.each([
    ['a program', { name: 'process', options: { command: program } }, /would start the program `/],
    ['a module', { name: './env.mjs' }, /would load the module \//],
  ])('starts %s only where the user agrees', async (_, environment, told) => {
    const args = ['train', configFile(environment), '--plan'];
    const { code, stdout, stderr } = await proxmo(args, { env: stranger, cwd: folder });
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(told)]);
    expect(wasStarted()).toBe(false);
    await proxmo([...args, '--trust'], { env: stranger, cwd: folder });
    expect(wasStarted()).toBe(true);
  });

  it('talks to a server only where the user agrees', async () => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests++;
      response.writeHead(500).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const args = ['train', configFile({ name: 'http', options: { url, tasks: 4 } }), '--plan'];
      expect((await proxmo(args, { env: stranger })).stderr).toContain(`would talk to ${url}, to which`);
      expect(requests).toBe(0);
      await proxmo([...args, '--trust'], { env: stranger });
      expect(requests).toBeGreaterThan(0);
    } finally {
      server.close();
    }
  });

  it('need not be agreed to where the command line names all that starts', async () => {
    const options = { command: program, tasks: 4 };
    const file = configFile({ name: 'process', options });
    const typed = ['--env', 'process', ...set(`environment.options.command=${JSON.stringify(program)}`)];
    await proxmo(['train', file, '--plan', ...typed], { env: stranger });
    expect(wasStarted()).toBe(true);
    rmSync(marker);
    const withVariables = configFile({ name: 'process', options: { ...options, env: { LD_PRELOAD: '/evil.so' } } });
    const { stderr } = await proxmo(['train', withVariables, '--plan', ...typed], { env: stranger });
    expect(stderr).toMatch(/with LD_PRELOAD=\/evil\.so, to which you did not agree/);
    expect(wasStarted()).toBe(false);
  });
});

describe('on a terminal', () => {
  /** Runs the command line on a terminal of its own, where the user types an answer. */
  const typed = (answer: string, command: string) =>
    shell(`export -f proxmo; printf '${answer}' | script --quiet --return --command "bash -c '${command}'" /dev/null`, {
      env: { ...stranger, SHELL: '/bin/bash' },
    });

  it('asks, and does what is answered', needs('Linux', process.platform === 'linux'), async () => {
    const refused = await typed('n\\n', `proxmo play ${run}`);
    expect(refused.stdout).toContain(`${run} would load the module ${module}.`);
    expect(refused.stdout).toContain('Allow it? [y/N]');
    expect([refused.code, wasStarted()]).toEqual([1, false]);
    const allowed = await typed('y\\n', `proxmo play ${run}`);
    expect([allowed.code, wasStarted()]).toEqual([0, true]);
    expect((await typed('', `proxmo play ${run}`)).stdout).not.toContain('Allow it?');
  });
});

it('is refused where others could have written what was agreed to', async () => {
  const state = join(folder, 'open state');
  mkdirSync(join(state, 'trusted'), { recursive: true });
  const allowed = await proxmo(['play', run, '--trust'], { env: { PROXMO_STATE: state } });
  expect(allowed.code).toBe(0);
  chmodSync(join(state, 'trusted'), 0o777);
  const { code, stderr } = await proxmo(['play', run], { env: { PROXMO_STATE: state } });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/trusted can be written by other users/)]);
});
