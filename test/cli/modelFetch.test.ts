/** `proxmo model fetch`, from a server on the loopback address, and models by their names on the hub. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { hfFixture } from '../support/hfFixtures.ts';
import { commit, serveHub } from '../support/hub.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-model-fetch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const id = 'tiny/llama';
const source = hfFixture('llama');
const files = Object.fromEntries(readdirSync(source).map((name) => [name, readFileSync(join(source, name))]));

it('gets a model, which other commands find by its name, and trains from the commit that it was', async () => {
  const { endpoint } = await serveHub({ id, files });
  const env = { HF_HOME: folder, HF_HUB_CACHE: '', HF_ENDPOINT: endpoint, HF_TOKEN: '', HF_HUB_OFFLINE: '' };
  const before = await proxmo(['model', 'inspect', id], { env });
  expect([before.code, before.stderr]).toEqual([
    1,
    expect.stringContaining(
      `no model of that name in ${join(folder, 'hub')}; check the path, or fetch it from the hub: proxmo model fetch ${id}`,
    ),
  ]);
  const fetched = await proxmo(['model', 'fetch', id], { env });
  const snapshot = join(folder, 'hub', 'models--tiny--llama', 'snapshots', commit);
  expect(fetched).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^tiny\/llama \(0123456789ab\) is in .*: \d+\.\d MB, config\.json, model-00001-of-/),
    stderr: expect.stringMatching(/^downloading [\d.]+ of [\d.]+ MB/),
  });
  expect(readdirSync(snapshot)).not.toContain('expected.json');
  expect(JSON.parse((await proxmo(['model', 'inspect', id, '--json'], { env })).stdout).path).toBe(snapshot);
  const plan = await proxmo(['train', '--model', id, '--preset', 'pretrained', '--env', 'household', '--plan'], {
    env,
  });
  expect([plan.code, plan.stdout]).toEqual([0, expect.stringContaining('KV cache')]);
});

it('ends with one sentence where there is no such model', async () => {
  const { endpoint } = await serveHub({ id, files });
  const env = { HF_HOME: folder, HF_HUB_CACHE: '', HF_ENDPOINT: endpoint, HF_TOKEN: '', HF_HUB_OFFLINE: '' };
  const { code, stdout, stderr } = await proxmo(['model', 'fetch', 'tiny/absent'], { env });
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toBe(
    `proxmo: ${endpoint} has no model tiny/absent at main, or does not show it; check the name, or set HF_TOKEN if it is private.\n`,
  );
  expect((await proxmo(['model', 'fetch', '../x'], { env })).stderr).toContain('../x is not the name of a model');
});
