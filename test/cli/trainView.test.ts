/** `proxmo train --view`: the page beside a training, which ends with it and never holds it up. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { RunInfo } from '../../src/view/protocol.ts';
import { proxmo } from '../support/cli.ts';
import { tinyFlags, writeTinyWorld } from '../support/tinyRun.ts';
import { writeTinyStudy } from '../support/tinyStudy.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-train-view-'));
const world = writeTinyWorld(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Trains with a page, and does something once both are under way. */
async function train(name: string, iterations: number, act: (child: ChildProcess, address: string) => void) {
  const dir = join(folder, name);
  let text = '';
  const result = await proxmo(
    ['train', ...tinyFlags(world), '--iterations', String(iterations), '--out', dir, '--view'],
    {
      onStart: (child) =>
        child.stderr!.on('data', (part) => {
          const isBefore = !text.includes('iteration 2/');
          text += part;
          if (isBefore && text.includes('iteration 2/')) act(child, addressIn(text));
        }),
    },
  );
  return { ...result, dir };
}

const addressIn = (text: string) => /^page: (http:\S+)$/m.exec(text)![1]!;

/** States of the run that a page is told until its server ends. */
async function statesOf(address: string): Promise<string[]> {
  const text = await (await fetch(`${address}events`)).text();
  return [...text.matchAll(/^event: runs\ndata: (.*)$/gm)].map(
    ([, data]) => (JSON.parse(data!) as RunInfo[])[0]!.state,
  );
}

const isGone = (address: string) => expect.poll(() => fetch(address).catch(() => null), { timeout: 10_000 }).toBeNull();

describe('the page beside a training', () => {
  it('has its address printed first, is told how the run ended, and ends with it', async () => {
    let states: Promise<string[]> | undefined;
    const { code, stderr, dir } = await train('finished', 30, (_, address) => (states = statesOf(address)));
    expect(code).toBe(0);
    expect(stderr).toMatch(/^page: http:\/\/127\.0\.0\.1:\d+\/\S+\/\n/);
    expect(stderr).toContain(`the page has ended; it comes back with: proxmo view ${dir}`);
    expect((await states!).at(-1)).toBe('finished');
    await isGone(addressIn(stderr));
  });

  it.each(['SIGKILL', 'SIGINT'] as const)('ends with a trainer that gets %s', async (signal) => {
    const { stderr } = await train(signal, 100_000, (child) => child.kill(signal));
    await isGone(addressIn(stderr));
  });

  it('goes before anything is trained where it cannot be had', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));
    const { port } = blocker.address() as { port: number };
    const dir = join(folder, 'blocked');
    const { code, stderr } = await proxmo([
      'train',
      ...tinyFlags(world),
      '--out',
      dir,
      '--view',
      '--port',
      String(port),
    ]);
    blocker.close();
    expect(code).toBe(2);
    expect(stderr).toBe(`proxmo: Port ${port} cannot be had: another program uses it; give another --port, or none.\n`);
    expect(existsSync(dir)).toBe(false);
  });

  it('of a study has its runs', async () => {
    const home = mkdtempSync(join(folder, 'study-'));
    const args = ['study', writeTinyStudy(home, { seeds: '[1]' }), '--trust', '--out', join(home, 'out'), '--view'];
    let infos: Promise<string> | undefined;
    const { code, stderr } = await proxmo(args, {
      onStart: (child) =>
        child.stderr!.on('data', (part) => {
          const address = /^page: (http:\S+)$/m.exec(String(part))?.[1];
          if (address) infos = fetch(`${address}events`).then((response) => response.text());
        }),
    });
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^page: http/)]);
    const last = (await infos!).split('\n').findLast((line) => line.startsWith('data: [{'))!;
    const runs = JSON.parse(last.slice('data: '.length)) as RunInfo[];
    expect(runs.map(({ name, state }) => [name, state])).toEqual([
      ['proxmo / seed 1', 'finished'],
      ['grpo / seed 1', 'finished'],
    ]);
    expect((await proxmo([...args, '--dry-run'])).stderr).toMatch(/--view is of a study that trains/);
  });

  it.each([
    [['--port', '8000'], '--port is of the page; give --view with it.'],
    [['--open'], '--open is of the page; give --view with it.'],
    [['--view', '--plan'], '--plan trains nothing, so --view cannot be given with it.'],
  ])('is refused with %j', async (options, sentence) => {
    const { code, stderr } = await proxmo(['train', ...tinyFlags(world), '--out', join(folder, 'no'), ...options]);
    expect([code, stderr]).toEqual([2, `proxmo: ${sentence}\n`]);
  });
});
