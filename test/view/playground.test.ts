/** The playground in a browser: it trains there, shows what it played, and its runs open on the command line. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlayground } from '../../scripts/playground.mjs';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import { proxmo } from '../support/cli.ts';

const browser = await startBrowser({ webgpu: true });
const without = await startBrowser();
const folder = mkdtempSync(join(tmpdir(), 'proxmo-playground-'));
const site = join(folder, 'site');
/** In milliseconds: training on a software driver, with its kernels to compile. */
const longEnough = 300_000;
/** A run that takes a software driver seconds. */
const small = '?iterations=2&demonstrations=16&tasks=4&heldOut=8';

let server: Server;
let address: string;
let bytes: number;
beforeAll(async () => {
  bytes = await buildPlayground(site);
  // In a folder of the server, as many sites are.
  server = createServer((request, response) => {
    const name = new URL(request.url ?? '', 'http://x').pathname.replace(/^\/some\/folder\//, '') || 'index.html';
    const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
    try {
      response.setHeader('content-type', types[extname(name)] ?? 'text/plain').end(readFileSync(join(site, name)));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/some/folder/`;
});
afterAll(async () => {
  server.close();
  await browser?.close();
  await without?.close();
  rmSync(folder, { recursive: true, force: true });
});

it('is small', () => {
  expect(bytes).toBeGreaterThan(100_000);
  expect(bytes).toBeLessThanOrEqual(400_000);
});

describe('in a browser', needsBrowser(browser, without), () => {
  it(
    'trains, shows what it played and why, and exports a run for the command line',
    async () => {
      const { page, errors } = await browser!.open();
      page.setDefaultTimeout(0);
      await page.goto(address + small);
      await page.getByText('swiftshader').first().waitFor();
      expect(await page.locator('.about').innerText()).toMatch(/ in a house, by ProxMO, here, /);
      await page.getByText('Press Train. The model first imitates demonstrations').waitFor();
      await page.getByRole('combobox', { name: 'estimator' }).selectOption('proxmo');
      await page.getByRole('slider', { name: /τ/ }).fill('-0.3');
      await page.getByRole('button', { name: 'Train' }).click();
      await page.locator('.state.finished').waitFor();
      expect(await page.locator('.playground .speed').innerText()).toMatch(/swiftshader.*\d tokens\/s/s);
      // Held-out success after each evaluation, and the episode that is played again turn by turn.
      await page.getByText('Held-out success').first().waitFor();
      expect(await page.locator('.watch h2').innerText()).toMatch(/^An episode of iteration [12]: /);
      await page.getByRole('link', { name: 'Credit' }).click();
      await page.locator('[data-cell]').first().click();
      await page.locator('.waterfall').waitFor();
      expect(errors).toEqual([]);

      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Export' }).click(),
      ]);
      const archive = join(folder, download.suggestedFilename());
      expect(download.suggestedFilename()).toBe('household-proxmo-seed1.tar.gz');
      await download.saveAs(archive);
      execFileSync('tar', ['xzf', archive, '-C', folder]);
      const run = join(folder, 'household-proxmo-seed1');
      const why = await proxmo(['why', run, '--iteration', '2', '--episode', '1', '--step', '1']);
      expect([why.code, why.stdout]).toEqual([0, expect.stringMatching(/because/)]);
      const compared = await proxmo(['compare', run, '--json']);
      expect(compared.code).toBe(0);
      const written = await proxmo(['view', run, '--html', join(folder, 'run.html')]);
      expect(written.code).toBe(0);
      expect(readFileSync(join(run, 'config.yaml'), 'utf8')).toContain('"temperature": 0.5');
      await page.close();
    },
    longEnough,
  );

  it(
    'stops when it is told to, and fits a phone',
    async () => {
      const { page, errors } = await browser!.open({ width: 390, height: 844 });
      page.setDefaultTimeout(0);
      await page.goto(`${address}${small.replace('iterations=2', 'iterations=500')}`);
      await page.getByText('swiftshader').first().waitFor();
      await page.getByRole('combobox', { name: 'estimator' }).selectOption('grpo');
      expect(await page.getByRole('slider', { name: /τ/ }).isDisabled()).toBe(true);
      await page.getByRole('button', { name: 'Train' }).click();
      await page.locator('.watch h2').waitFor();
      const overflow = () => page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      expect(await overflow()).toBeLessThanOrEqual(0);
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.locator('.state.stopped').waitFor();
      await page.getByRole('button', { name: 'Train' }).waitFor();
      expect(errors).toEqual([]);
      await page.close();
    },
    longEnough,
  );

  it('draws itself in a browser whose locale is no name of a language', async () => {
    const { page, errors } = await without!.open();
    await page.addInitScript("Object.defineProperty(Navigator.prototype, 'language', { get: () => 'en-US@posix' })");
    await page.goto(address);
    await page.getByRole('button', { name: 'Train' }).waitFor();
    expect(errors).toEqual([]);
    await page.close();
  });

  it('says in a sentence that there is no WebGPU, and has drawn itself by then', async () => {
    const { page } = await without!.open();
    await page.goto(address);
    await page.getByText(/No WebGPU device could be opened: .*; use a page from https or localhost/).waitFor();
    expect(await page.getByRole('button', { name: 'Train' }).isDisabled()).toBe(true);
    const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0);
    expect(paint).toBeGreaterThan(0);
    expect(paint).toBeLessThan(2000);
    await page.close();
  });
});
