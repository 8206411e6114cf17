/** The page's profile: what its figures are, and how a person goes through them by pointer and by keys. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { RunFolder } from '../../src/view/server/runFolder.node.ts';
import { serveRuns, type ViewServer } from '../../src/view/server/server.node.ts';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import { writeProfile } from '../support/profileRun.ts';
import { writeRun } from '../support/viewRun.ts';

const browser = await startBrowser();
const folder = mkdtempSync(join(tmpdir(), 'proxmo-profile-page-'));
const servers: ViewServer[] = [];
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

let count = 0;
async function newRun(profile: object | null = {}): Promise<string> {
  const dir = await writeRun(join(folder, `run-${count++}`), { iterations: 1 });
  if (profile) writeProfile(dir, profile);
  return dir;
}

async function serve(dir: string): Promise<string> {
  const server = await serveRuns([new RunFolder('0', dir)]);
  servers.push(server);
  return server.address;
}

async function open(dir: string, hash = '#profile', options = {}): Promise<Page> {
  const { page, errors } = await browser!.open(options);
  await page.goto((await serve(dir)) + hash);
  await page.waitForSelector('main:not(.empty)');
  expect(errors).toEqual([]);
  return page;
}

const rowsOf = (page: Page, table: string) => page.locator(`section[aria-label="${table}"] tbody th`).allInnerTexts();
const chosenIn = (page: Page) => page.locator('.chosen-kernel h2').innerText();

describe('what the server gives of a profile', () => {
  it('gives figures and trace, and says of a damaged one that it is', async () => {
    const dir = await newRun();
    const address = await serve(dir);
    expect(await (await fetch(`${address}runs/0/profile`)).json()).toMatchObject({ format: 'proxmo-profile' });
    const trace = await fetch(`${address}runs/0/trace`);
    expect(trace.headers.get('content-disposition')).toBe('attachment; filename="trace.json"');
    expect(await trace.text()).toBe(readFileSync(join(dir, 'profile', 'trace.json'), 'utf8'));
    writeFileSync(join(dir, 'profile', 'profile.json'), '{"format": "proxmo-profile", "kernels": 3}');
    const damaged = await fetch(`${address}runs/0/profile`);
    expect(damaged.status).toBe(500);
    expect(await damaged.text()).toMatch(/profile\/profile\.json: .*so profile the run again\.\n$/);
  });

  it('tells whether there is one, and another one', async () => {
    const dir = await newRun(null);
    const run = new RunFolder('0', dir);
    expect((await run.describe()).profile).toBeNull();
    writeProfile(dir);
    const first = (await run.describe()).profile;
    expect(first).toMatchObject({ hasTrace: true });
    rmSync(join(dir, 'profile', 'trace.json'));
    rmSync(join(dir, 'profile', 'profile.json'));
    writeProfile(dir, { kernelPrefix: 'another' });
    rmSync(join(dir, 'profile', 'trace.json'));
    const second = (await run.describe()).profile;
    expect(second!.hasTrace).toBe(false);
    expect(second!.version).not.toBe(first!.version);
  });
});

describe('the profile in the page', needsBrowser(browser), () => {
  it('says where the time went, in a sentence, by kernel, layer and phase', async () => {
    const page = await open(await newRun());
    // 21 + 11 ms of 100 in kernels; matrix products take 12 of them.
    expect(await page.locator('.headline').innerText()).toMatch(
      /^Kernels ran for 32\u202f% of 0\.1 s, so .* 38\u202f% of their time is matrix products; .* matmul\.nt\.tile\.f32 with 38/,
    );
    expect((await rowsOf(page, 'Kernels'))[0]).toBe('matmul.nt.tile.f32');
    expect(await rowsOf(page, 'Kernels')).toHaveLength(6);
    expect(await rowsOf(page, 'Layers')).toEqual(['layers.0.mlp', 'layers.1.mlp']);
    expect(await page.locator('.side table tbody th').allInnerTexts()).toEqual(['preparation', 'rollout', 'update']);
    expect(await page.locator('.mark').count()).toBe(5);
    expect(await page.locator('.trace a').getAttribute('href')).toBe('runs/0/trace');
  });

  it('counts a phase or a layer alone, which stands in the address, and Back counts all again', async () => {
    const page = await open(await newRun());
    await page.locator('.side tbody tr', { hasText: 'update' }).click();
    expect(await rowsOf(page, 'Kernels')).toEqual(['matmul.nt.tile.f32', 'attention.tile.f32']);
    expect(page.url()).toContain('phase=update');
    await page.locator('.layers tbody tr', { hasText: 'layers.1' }).click();
    expect(await rowsOf(page, 'Kernels')).toEqual(['attention.tile.f32']);
    const again = await open(await newRun(), new URL(page.url()).hash);
    expect(await rowsOf(again, 'Kernels')).toEqual(['attention.tile.f32']);
    await page.goBack();
    await expect.poll(() => rowsOf(page, 'Kernels')).toHaveLength(2);
    await page.keyboard.press('x');
    await expect.poll(() => rowsOf(page, 'Kernels')).toHaveLength(6);
  });

  it('sorts a table by its headings, either way', async () => {
    const page = await open(await newRun());
    const heading = page.locator('section[aria-label="Kernels"] thead button', { hasText: 'GFLOP/s' });
    await heading.click();
    expect((await rowsOf(page, 'Kernels'))[0]).toBe('adamW.tile.f32');
    await heading.click();
    expect((await rowsOf(page, 'Kernels'))[0]).toBe('matmul.nt.tile.f32');
    // What has no figure comes last, either way.
    expect((await rowsOf(page, 'Kernels')).at(-1)).toBe('kvCopy.tile.f32');
    expect(page.url()).toContain('kernels=gflops.up');
  });

  it('says a kernel’s figures where it is pointed at, and where the keyboard is', async () => {
    const page = await open(await newRun());
    const words = /computes 4 operations for each byte .* so memory limits it: 1 of the 1\.5 GB\/s/;
    await page.locator('[data-kernel="attention.tile.f32"]').hover();
    await expect.poll(() => page.locator('.tip').innerText()).toMatch(words);
    await page.mouse.move(0, 0);
    await page.locator('.mark[tabindex="0"]').focus();
    await page.keyboard.press('ArrowRight');
    expect(await chosenIn(page)).toBe('matmul.nt.tile.f32');
    await page.keyboard.press('ArrowRight');
    expect(await chosenIn(page)).toBe('attention.tile.f32');
    await expect.poll(() => page.evaluate('document.activeElement.dataset.kernel')).toBe('attention.tile.f32');
    await expect.poll(() => page.locator('.tip').innerText()).toMatch(words);
  });

  it('goes through kernels by keys, and finds one by its words', async () => {
    const page = await open(await newRun());
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    expect(await chosenIn(page)).toBe('attention.tile.f32');
    await page.keyboard.press('k');
    expect(await chosenIn(page)).toBe('matmul.nt.tile.f32');
    expect(page.url()).toContain('kernel=matmul.nt.tile.f32');
    await page.keyboard.press('/');
    await page.keyboard.type('swi');
    await expect.poll(() => rowsOf(page, 'Kernels')).toEqual(['swiglu.tile.f32']);
  });

  it('says how to make a profile where there is none', async () => {
    const { page } = await browser!.open();
    await page.goto(`${await serve(await newRun(null))}#profile`);
    await page.getByText('This run was not profiled.').waitFor();
  });

  it('shows names as text, whatever they are', async () => {
    const page = await open(await newRun({ kernelPrefix: '<img src=x onerror="window.hit=1">' }));
    await page.locator('.mark').first().hover();
    expect((await rowsOf(page, 'Kernels'))[0]).toContain('<img src=x');
    expect(await page.evaluate('[typeof window.hit, document.images.length]')).toEqual(['undefined', 0]);
  });

  it.each([1440, 400])('is no wider than a window of %i pixels', async (width) => {
    const page = await open(await newRun(), '#profile?kernel=attention.tile.f32', { width });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  });
});
