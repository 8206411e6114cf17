/** What if other settings had given the credit, by the GPU of a browser: WebGPU on the software driver that it has. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { RunFolder } from '../../src/view/server/runFolder.node.ts';
import { serveRuns, type ViewServer } from '../../src/view/server/server.node.ts';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import { writeRun } from '../support/viewRun.ts';

const browser = await startBrowser({ webgpu: true });
const without = await startBrowser();
const folder = mkdtempSync(join(tmpdir(), 'proxmo-what-if-'));
const servers: ViewServer[] = [];
afterAll(async () => {
  await browser?.close();
  await without?.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const dir = await writeRun(join(folder, 'run'), { iterations: 1 });
const hash = '#credit?task=0&ep=1&step=5&if=estimator:proxmo,temperature:0.3,leaveSelfOut:true';

async function open(on: typeof browser, more = ''): Promise<{ page: Page; asked: string[] }> {
  const server = await serveRuns([new RunFolder('0', dir)]);
  servers.push(server);
  const { page, errors } = await on!.open();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname.split('/').at(-1)!));
  await page.goto(server.address + hash + more);
  await page.locator('form.whatif').getByText('80 rows').waitFor();
  expect(errors).toEqual([]);
  return { page, asked };
}

const note = (page: Page) => page.locator('form.whatif .note').innerText();
const by = (page: Page, computer: string) => page.locator(`.note[data-by="${computer}"]`).waitFor({ timeout: 60_000 });

/** Both levels of every cell, as the page says and colours them. */
async function cells(page: Page): Promise<string[]> {
  await page.locator('[data-cell="4.5"]').waitFor();
  return page
    .locator('[data-cell]')
    .evaluateAll((all) =>
      all.map(
        (cell) =>
          cell.getAttribute('aria-label') +
          [...cell.querySelectorAll('[fill]')].map((half) => half.getAttribute('fill')).join(),
      ),
    );
}

describe('what if on WebGPU', needsBrowser(browser, without), () => {
  it('gives by the kernels of the GPU what the CPU gives', async () => {
    const { page } = await open(browser, '&by=gpu');
    await by(page, 'gpu');
    expect(await note(page)).toMatch(/80 rows in \d+ ms by the GPU \(google swiftshader\); the CPU takes [\d.]+ ms/);
    const onDevice = await cells(page);
    expect(new Set(onDevice).size).toBeGreaterThan(5);
    await page.getByRole('combobox', { name: 'Computed by' }).selectOption('the CPU');
    await by(page, 'cpu');
    expect(await cells(page)).toEqual(onDevice);
    expect(page.url()).toContain('by=cpu');
  });

  it('follows a slider on the GPU to the last of its places', async () => {
    const { page } = await open(browser, '&by=gpu');
    await by(page, 'gpu');
    const slider = page.getByRole('slider', { name: 'temperature' });
    for (const place of ['-1.7', '-1.1', '0.5', '0']) await slider.fill(place);
    await expect.poll(() => page.url()).toMatch(/temperature%3A1%2C/);
    await by(page, 'gpu');
    const onDevice = await cells(page);
    await page.getByRole('combobox', { name: 'Computed by' }).selectOption('the CPU');
    await by(page, 'cpu');
    await expect.poll(() => cells(page)).toEqual(onDevice);
  });

  it('chooses the faster by measurement, and says what the other takes', async () => {
    const { page } = await open(browser);
    await page.getByRole('combobox', { name: 'Computed by' }).waitFor({ timeout: 60_000 });
    await expect
      .poll(() => note(page))
      .toMatch(/by the CPU; the GPU \(.*\) takes [\d.]+ ms|by the GPU \(.*\); the CPU takes [\d.]+ ms/);
  });

  it('does without where there is no adapter, and says so', async () => {
    const { page } = await open(without);
    await expect
      .poll(() => note(page))
      .toMatch(/by the CPU: (No WebGPU device could be opened: WebGPU finds no adapter|this page has no WebGPU)/);
    expect(await page.locator('.note[data-by="cpu"]').count()).toBe(1);
  });

  it('loads what the GPU needs only when settings are tried out', async () => {
    const { page, asked } = await open(browser);
    await expect.poll(() => asked).toContain('device.js');
    await page.close();
    const { page: quiet } = await browser!.open();
    const files: string[] = [];
    quiet.on('request', (request) => files.push(request.url()));
    const server = await serveRuns([new RunFolder('0', dir)]);
    servers.push(server);
    await quiet.goto(`${server.address}#credit`);
    await quiet.locator('.lanes').waitFor();
    expect(files.filter((file) => file.endsWith('device.js'))).toEqual([]);
  });
});
