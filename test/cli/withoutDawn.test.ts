/** A system on which WebGPU cannot be loaded: what needs no device works, and what needs one says why it cannot. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-without-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const env = { NODE_OPTIONS: `--require ${join(import.meta.dirname, '..', 'support', 'withoutDawn.cjs')}` };
const config = join(folder, 'wrong.yaml');
writeFileSync(config, 'training:\n  iteration: 1\n');

it.each(['--help', 'env list', 'env check household --tasks 1', 'train --help'])('proxmo %s works', async (line) => {
  expect(await proxmo(line.split(' '), { env })).toMatchObject({ code: 0, stderr: '' });
});

it('tells wrong settings first', async () => {
  const { code, stderr } = await proxmo(['train', config], { env });
  expect([code, stderr]).toEqual([1, expect.stringContaining('training.iteration')]);
});

it.each(['swiftshader', 'hardware', 'software'])('tells why no device can be opened by --adapter %s', async (name) => {
  const { code, stdout, stderr } = await proxmo(['doctor', '--adapter', name], { env });
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(
    /^proxmo: WebGPU cannot be loaded: it needs glibc 2\.34 or later, and this system has \S+; .*\n$/,
  );
});
