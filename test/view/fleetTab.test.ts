/** Two workers in processes of their own, of which one is killed midway, and a tab of a browser train a policy. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { buildFleetPage } from '../../scripts/fleetPage.mjs';
import { packageVersion } from '../../src/base/packageVersion.ts';
import { freePort } from '../../src/cli/localFleet.ts';
import { namesOf } from '../../src/fleet/protocol.ts';
import { testAdapters } from '../support/adapters.ts';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import { type CliResult, proxmo } from '../support/cli.ts';
import { fleetConfig, trainAlone, trainWithFleet } from '../support/fleet.ts';
import { hasNatsServer, NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { essenceOf } from '../support/tinyRun.ts';

const browser = hasNatsServer ? await startBrowser({ webgpu: true }) : null;
const folder = mkdtempSync(join(tmpdir(), 'proxmo-tab-'));
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

const config = fleetConfig({ iterations: 5 });

describe('two workers, of which one is killed midway,', hasNatsServer ? needsBrowser(browser) : needsNatsServer, () => {
  it('and a tab train a policy; without the tab to the bits of one process', { timeout: 300_000 }, async () => {
    const alone = join(folder, 'alone');
    await trainAlone(alone, config);
    const expected = await essenceOf(alone);
    const port = await freePort();
    const settings = join(folder, 'server.conf');
    writeFileSync(settings, `websocket { host: "127.0.0.1", port: ${port}, no_tls: true }\n`);
    await using server = await NatsServer.start(['--config', settings]);

    const pair = await trainDisturbed(server, 'pair');
    expect(pair.workers).toHaveLength(2);
    expect(await essenceOf(pair.dir)).toEqual(expected);

    const files = await serveFleetPage();
    const { page: tab, errors } = await browser!.open();
    const three = await trainDisturbed(server, 'three', async (run) => {
      const { port: at } = files.address() as AddressInfo;
      await tab.goto(`http://127.0.0.1:${at}/?address=ws://127.0.0.1:${port}&run=${run}`);
      await tab.getByRole('button', { name: 'Join' }).click();
      await tab.getByText(`waiting for the run ${run}`).waitFor();
    });
    files.close();
    expect(three.workers).toHaveLength(3);
    expect(three.workers.find((line) => line.startsWith('tab-'))).toMatch(/: [1-9]\d* pieces, [1-9]\d* episodes/);
    await tab.getByText(/pieces, \d+ episodes\. Thank you\./).waitFor();
    expect(errors).toEqual([]);
    // A tab rounds otherwise, so that bits differ, which is said; what is learned does not.
    expect(pair.notices.join('\n')).not.toContain('computes on');
    expect(three.notices.join('\n')).toMatch(
      /tab-\S+ computes on .*, and this process on .*right to the rounding of both/,
    );
    const { metrics } = await essenceOf(three.dir);
    for (const [index, { kind, entropy }] of expected.metrics.entries())
      if (kind === 'train') expect(metrics[index]!.entropy).toBeCloseTo(entropy as number, 2);
  });
});

/**
 * Trains with two workers, of which one is killed as it begins with its third piece, or after the fourth iteration.
 * @param join has others join the run of that name first
 */
async function trainDisturbed(server: NatsServer, run: string, join?: (run: string) => Promise<void>) {
  const dir = `${folder}/${run}`;
  const watcher = await connect({ servers: server.address });
  let begun = 0;
  watcher.subscribe(namesOf(run).takenSubject, {
    callback: (_, message) => {
      // Its first answer counts by then, and the third is waited for.
      const isOfFirst = message.json<{ worker: string }>().worker.includes(`-${first.child.pid}-`);
      if (isOfFirst && ++begun === 3) first.child.kill('SIGKILL');
    },
  });
  const [first, second] = [await startProcess(server, run), await startProcess(server, run)];
  await join?.(run);
  const notices: string[] = [];
  const onNotice = (text: string) => notices.push(text);
  const { workers } = await trainWithFleet(server, dir, config, {
    ...{ run, version: packageVersion, onNotice },
    onEvent: (event) => {
      if (event.kind === 'iteration' && event.metrics.iteration === 3) first.child.kill('SIGKILL');
    },
  });
  expect(await first.done).toMatchObject({ code: 1 });
  expect(await second.done).toMatchObject({ code: 0 });
  await watcher.close();
  for (const { child } of [first, second])
    expect(workers.find((line) => line.includes(`-${child.pid}-`))).toMatch(/: [1-9]\d* pieces, [1-9]\d* episodes/);
  return { dir, workers, notices };
}

interface Running {
  readonly child: ChildProcess;
  readonly done: Promise<CliResult>;
}

/** A worker that waits for the run. */
function startProcess(server: NatsServer, run: string): Promise<Running> {
  return new Promise((resolve) => {
    const done: Promise<CliResult> = proxmo(['worker', server.address, '--run', run], {
      env: { PROXMO_ADAPTER: testAdapters.at(-1)! },
      onStart: (child) =>
        child.stderr!.on('data', (text: string) => {
          if (text.includes('waiting for the run')) resolve({ child, done });
        }),
    });
  });
}

/** The page that `npm run fleet-page` builds, on this machine. */
async function serveFleetPage(): Promise<Server> {
  const site = join(folder, 'site');
  await buildFleetPage(site);
  const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
  const files = createServer((request, response) => {
    const name = new URL(request.url ?? '', 'http://x').pathname.slice(1) || 'index.html';
    response.setHeader('content-type', types[extname(name)] ?? 'text/plain').end(readFileSync(join(site, name)));
  });
  await new Promise<void>((resolve) => {
    files.listen(0, '127.0.0.1', resolve);
  });
  return files;
}
