/** A tab of a browser works for a fleet. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildFleetPage } from '../../scripts/fleetPage.mjs';
import { packageVersion } from '../../src/base/packageVersion.ts';
import { freePort } from '../../src/cli/localFleet.ts';
import { startBrowser } from '../support/browser.ts';
import { fleetConfig, startWorker, trainWithFleet } from '../support/fleet.ts';
import { hasNatsServer, NatsServer } from '../support/natsServer.ts';

const browser = hasNatsServer ? await startBrowser({ webgpu: true }) : null;
const folder = mkdtempSync(join(tmpdir(), 'proxmo-tab-'));
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(!browser)('a tab', () => {
  it('plays for a run beside a process', { timeout: 300_000 }, async () => {
    const site = join(folder, 'site');
    await buildFleetPage(site);
    const files = createServer((request, response) => {
      const name = new URL(request.url ?? '', 'http://x').pathname.slice(1) || 'index.html';
      const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
      response.setHeader('content-type', types[extname(name)] ?? 'text/plain').end(readFileSync(join(site, name)));
    });
    await new Promise<void>((resolve) => {
      files.listen(0, '127.0.0.1', resolve);
    });
    const page = `http://127.0.0.1:${(files.address() as AddressInfo).port}/`;
    const port = await freePort();
    const settings = join(folder, 'server.conf');
    writeFileSync(settings, `websocket { host: "127.0.0.1", port: ${port}, no_tls: true }\n`);
    await using server = await NatsServer.start(['--config', settings]);

    const { page: tab, errors } = await browser!.open();
    await tab.goto(`${page}?address=ws://127.0.0.1:${port}&run=test`);
    await tab.getByRole('button', { name: 'Join' }).click();
    await tab.getByText('waiting for the run test').waitFor();
    let other: Awaited<ReturnType<typeof startWorker>> | undefined;
    const { workers } = await trainWithFleet(server, join(folder, 'run'), fleetConfig({ iterations: 1 }), {
      version: packageVersion,
      onEvent: async ({ kind }) => {
        if (kind === 'evaluation') other ??= await startWorker(server, 'process', { version: packageVersion });
      },
    });
    expect(workers.find((line) => line.startsWith('tab-'))).toMatch(/: [1-9]\d* pieces/);
    await tab.getByText(/pieces, \d+ episodes\. Thank you\./).waitFor();
    expect(errors).toEqual([]);
    await other?.done;
    files.close();
  });
});
