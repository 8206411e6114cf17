/** The page of `proxmo view` in a real browser, as a person uses it. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { referenceAdvantages } from '../../src/rl/advantages/index.ts';
import { writeDiskPage } from '../../src/view/server/diskPage.node.ts';
import { RunFolder } from '../../src/view/server/runFolder.node.ts';
import { serveRuns, type ViewServer } from '../../src/view/server/server.node.ts';
import { needsBrowser, startBrowser } from '../support/browser.ts';
import {
  evalRecord,
  holdRun,
  recordedRows,
  trainRecord,
  writeHeldOut,
  writeProgress,
  writeRollout,
  writeRun,
  writeTunedRun,
} from '../support/viewRun.ts';

const browser = await startBrowser();
const folder = mkdtempSync(join(tmpdir(), 'proxmo-page-'));
const servers: ViewServer[] = [];
const problems: string[] = [];
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  expect(problems.splice(0)).toEqual([]);
});

let count = 0;
const newRun = (options = {}) => writeRun(join(folder, `run-${count++}`), options);

function open(dirs: readonly string[], hash = '', options = {}): Promise<Page> {
  return openRuns(
    dirs.map((dir, index) => new RunFolder(String(index), dir)),
    hash,
    options,
  );
}

type Options = NonNullable<Parameters<NonNullable<typeof browser>['open']>[0]> & { readonly init?: string };

/** @param options `init` runs in the page before all else */
async function openRuns(runs: readonly RunFolder[], hash: string, options: Options = {}): Promise<Page> {
  const server = await serveRuns(runs);
  servers.push(server);
  const { page, errors } = await browser!.open(options);
  if (options.init) await page.addInitScript(options.init);
  await page.goto(server.address + hash);
  await page.waitForSelector('main:not(.empty)');
  problems.push(...errors);
  page.on('pageerror', (error) => problems.push(String(error)));
  return page;
}

/** In the browser: what reaches out of a window that has to be scrolled sideways. */
const beyond = `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('*')]
  .filter((each) => each.getBoundingClientRect().right > innerWidth).map((each) => each.outerHTML.slice(0, 80))`;

const textOf = (page: Page, selector: string) => page.locator(selector).first().innerText();

describe('the page', needsBrowser(browser), () => {
  it('shows a running run as it goes on', async () => {
    const dir = await newRun({ isFinished: false });
    holdRun(dir, hostname());
    const page = await open([dir]);
    expect(await textOf(page, '.state')).toBe('running');
    expect(await textOf(page, '.progress')).toMatch(/3 of 3 iterations/);
    appendFileSync(join(dir, 'metrics.jsonl'), trainRecord(4, { deadGroupShare: 1 }));
    appendFileSync(join(dir, 'metrics.jsonl'), trainRecord(5, { deadGroupShare: 1 }));
    await page.getByText('No group had mixed outcomes for 2 iterations: nothing to learn from.').waitFor();
    writeFileSync(join(dir, 'summary.json'), '{}');
    rmSync(join(dir, 'run.lock'));
    appendFileSync(join(dir, 'metrics.jsonl'), trainRecord(6) + evalRecord(6, 0.9));
    await page.getByText('more than chance').waitFor();
    expect(await textOf(page, '.state')).toBe('finished');
  });

  it('shows what a run does at the moment, with the time that it still takes', async () => {
    const dir = await newRun({ isFinished: false });
    holdRun(dir, hostname());
    writeProgress(dir, {
      phase: 'update',
      done: 0.25,
      stage: { share: 0.25, seconds: 60 },
      run: { share: 0.5, seconds: 3600 },
    });
    const page = await open([dir]);
    const progress = page.locator('.progress');
    await progress.getByText('left of this iteration').waitFor();
    expect(await progress.innerText()).toMatch(/update 25\u202f%\s*\d+ s left of this iteration\s*60 min in all/);
    writeProgress(dir, { phase: 'rollout', time: new Date(Date.now() - 600_000).toISOString() });
    await progress.getByText('no news for 10 min').waitFor();
    rmSync(join(dir, 'run.lock'));
    await page
      .getByText('it crashed or was killed in the rollout of iteration 4, 50\u202f% of which was done')
      .waitFor();
    expect(await progress.innerText()).not.toMatch(/rollout/);
  });

  it('shows a fine-tuning by its losses, and what it does at the moment', async () => {
    const dir = writeTunedRun(join(folder, 'tuned'), [4, 2.5]);
    holdRun(dir, hostname());
    writeProgress(dir, { iteration: 4, phase: 'fine-tuning', done: 0.5, run: { share: 0.25, seconds: 3600 } });
    const page = await open([dir]);
    await page.getByText('The held-out loss went from 4.000 to 2.500 nats a token in 4 steps.').waitFor();
    const progress = page.locator('.progress');
    await progress.getByText('left of this epoch').waitFor();
    expect(await progress.innerText()).toMatch(
      /^4 steps\s*fine-tuning 50\u202f%\s*(2 min|\d+ s) left of this epoch\s*60 min in all/,
    );
    expect(await progress.locator('[role=progressbar]').getAttribute('aria-valuenow')).toBe('25');
    expect(await page.locator('.small-charts').innerText()).toMatch(/Training loss[\s\S]*Tokens a second/);
    rmSync(join(dir, 'run.lock'));
    await page.getByText(`it crashed or was killed in step 5`).waitFor();
    await page.getByText(`proxmo sft --resume ${dir} goes on with it.`).waitFor();
    const worse = writeTunedRun(join(folder, 'tuned too long'), [4, 2, 3]);
    writeFileSync(join(worse, 'summary.json'), '{}');
    expect(await textOf(await open([worse]), '.headline')).toMatch(/has been 2.000: the chats are learned by heart/);
  });

  it('explains a cell that is clicked, and its address leads there', async () => {
    const page = await open([await newRun()], '#credit');
    await page.locator('[data-cell="1.5"]').click();
    const row = recordedRows(3)[4]!;
    await page.getByText(row.observation).first().waitFor();
    expect(await textOf(page, '.total')).toBe(`+${row.advantage.toFixed(2)}`);
    expect(page.url()).toMatch(/#credit\?.*ep=1&step=5/);
    const again = await open([await newRun()], new URL(page.url()).hash);
    await again.locator('.total').waitFor();
    expect(await textOf(again, '.total')).toBe(await textOf(page, '.total'));
  });

  it('explains the credit in words and in a waterfall whose end is the advantage, but for rounding', async () => {
    const page = await open([await newRun()], '#credit?task=0&ep=1&step=5');
    await page.locator('.part').first().waitFor();
    expect(await page.locator('.part b').allInnerTexts()).toHaveLength(2);
    expect(await textOf(page, '.part')).toMatch(/because this episode succeeded in a group where \w+( of \d+)? failed/);
    const bars = (await page.locator('.waterfall em').allInnerTexts()).map((text) =>
      Number(text.replace('\u2212', '-')),
    );
    const sum = bars.slice(0, -1).reduce((total, bar) => total + bar, 0);
    expect(Math.abs(sum - bars.at(-1)!)).toBeLessThan(0.005 * (bars.length + 1));
    expect(await textOf(page, '.waterfall .sum em')).toBe(await textOf(page, '.total'));
  });

  it('recolours the cells while a setting is dragged, as the estimator would have given the credit', async () => {
    const page = await open([await newRun({ iterations: 1 })], '#credit?task=0&ep=1&step=5');
    const lower = page.locator('[data-cell="1.1"] .lower');
    const before = await lower.getAttribute('fill');
    await page.keyboard.press('w');
    await page.locator('form.whatif').getByText('80 rows').waitFor();
    const omega = page.getByRole('slider', { name: 'omega' });
    const box = (await omega.boundingBox())!;
    await page.mouse.move(box.x + box.width / 4, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + 1, box.y + box.height / 2, { steps: 4 });
    await expect.poll(() => lower.getAttribute('fill')).not.toBe(before);
    await page.mouse.up();
    await page.getByRole('button', { name: 'as trained' }).click();
    await page.getByRole('slider', { name: 'temperature' }).fill('0');
    await expect.poll(() => page.url()).toMatch(/temperature%3A1%2C/);
    const rows = recordedRows(1);
    const { advantage } = referenceAdvantages(rows, { estimator: 'proxmo', temperature: 1 });
    await expect.poll(() => textOf(page, '.assumed b')).toBe(`+${advantage[4]!.toFixed(2)}`);
    await page.getByRole('button', { name: 'GRPO' }).click();
    const grpo = referenceAdvantages(rows, { estimator: 'grpo' });
    await expect.poll(() => textOf(page, '.assumed b')).toBe(`+${grpo.advantage[4]!.toFixed(2)}`);
    const again = await open([await newRun({ iterations: 1 })], new URL(page.url()).hash);
    await again.locator('form.whatif').waitFor();
  });

  it('says of a run with an estimator of its own that the page cannot compute it, and compares with others', async () => {
    const settings = { advantages: { estimator: 'own', name: '/home/me/<b>quantile.mjs', options: { at: 0.5 } } };
    const page = await open([await newRun({ iterations: 1, settings })], '#credit?task=0&ep=1&step=5');
    await page.getByText('is what /home/me/<b>quantile.mjs, an estimator of this run').first().waitFor();
    await page.keyboard.press('w');
    await page.getByText('the page has what it gave, but cannot compute it').waitFor();
    expect(await page.getByRole('button', { name: 'as trained' }).count()).toBe(0);
    await page.getByRole('button', { name: 'REINFORCE++' }).click();
    const { advantage } = referenceAdvantages(recordedRows(1), { estimator: 'reinforce++' });
    await expect.poll(() => textOf(page, '.assumed b')).toBe(`+${advantage[4]!.toFixed(2)}`);
  });

  it('follows a neighbour to its cell, and Back comes back', async () => {
    const page = await open([await newRun()], '#credit?task=0&ep=1&step=5');
    await page.locator('.neighbours .link').nth(1).click();
    await page.locator('[data-cell="1.2"][aria-pressed="true"]').waitFor();
    await page.goBack();
    await page.locator('[data-cell="1.5"][aria-pressed="true"]').waitFor();
  });

  it('compares runs by their settings, with a band over seeds, and opens one of them', async () => {
    const grpo = { advantages: { estimator: 'grpo' } };
    const page = await open(
      [
        await newRun({ seed: 1, success: 0.6 }),
        await newRun({ seed: 2, success: 0.8 }),
        await newRun({ seed: 1, success: 0.5, settings: grpo }),
      ],
      '#compare',
    );
    await page.locator('.results b').nth(1).waitFor();
    await expect.poll(() => page.locator('.results b').allInnerTexts()).toEqual(['70.0\u202f%', '50.0\u202f%']);
    expect(await textOf(page, '.results')).toMatch(/60\.0\u202f% to 80\.0\u202f%, 2 runs/);
    const row = page.locator('.settings tr', { hasText: 'advantages.estimator' });
    expect(await row.locator('td').allInnerTexts()).toEqual(['proxmo', 'grpo']);
    expect(await page.locator('.settings tr', { hasText: /^seed/ }).count()).toBe(0);
    await page.locator('.results a').nth(1).click();
    await page.locator('.lanes').waitFor();
    expect(page.url()).toMatch(/#credit\?run=1$/);
  });

  it('tells many groups apart by their arms, and draws the curves of those that are chosen', async () => {
    const study = join(folder, `study-${count++}`);
    const arms = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];
    const runs: RunFolder[] = [];
    for (const [place, arm] of arms.entries())
      for (const seed of [1, 2]) {
        const settings = { advantages: { estimator: 'proxmo', omega: 1 + place } };
        const dir = await writeRun(join(study, arm, `seed-${seed}`), { seed, settings, iterations: 1 });
        runs.push(new RunFolder(String(runs.length), dir, `${arm} / seed ${seed}`));
      }
    const page = await openRuns(runs, '#compare');
    const buttons = page.locator('.results .draw');
    await expect.poll(() => buttons.allInnerTexts()).toEqual(arms.map((arm, place) => `${place + 1} ${arm}`));
    expect(await page.locator('.results a').first().innerText()).toBe('seed 1');
    const pressed = () => page.locator('.results .draw[aria-pressed="true"]').count();
    expect(await pressed()).toBe(6);
    await buttons.nth(6).click();
    await expect.poll(() => page.url()).toMatch(/curves=1%2C2%2C3%2C4%2C5%2C7/);
    await buttons.nth(0).click();
    await expect.poll(pressed).toBe(5);
    expect(await page.locator('.hero .readout').count()).toBe(5);
    await page.setViewportSize({ width: 400, height: 800 });
    await expect.poll(() => page.evaluate(beyond)).toEqual([]);
  });

  it('shows curves in a browser whose locale is no name of a language', async () => {
    const page = await open([await newRun()], '', {
      init: "Object.defineProperty(Navigator.prototype, 'language', { get: () => 'en-US@posix' })",
    });
    await page.locator('.chart canvas').first().waitFor();
    expect(await page.evaluate('navigator.language')).toBe('en');
  });

  it('has the notices of the packages that it is made of', async () => {
    const page = await open([await newRun()]);
    const script = await (await page.request.get(new URL('page.js', page.url()).href)).text();
    for (const name of ['preact', 'uplot', '@floating-ui/dom', 'culori', 'diff'])
      expect(script).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\([\\w-]+\\)$`, 'm'));
    expect(script).toContain('Permission is hereby granted');
  });

  it('shows the same task side by side, with the actions in which two runs differ, and a way to why', async () => {
    const [first, second] = [await newRun(), await newRun({ settings: { advantages: { estimator: 'grpo' } } })];
    const rows = recordedRows(3).map((row) =>
      row.trajectory === 'episode-8'
        ? { ...row, success: false, ...(row.step === 1 ? { action: 'dance', reply: ['dance', '<end>'] } : {}) }
        : row,
    );
    await writeRollout(second, 3, rows);
    const page = await open([first, second], '#compare?ita=3&itb=3');
    const lanes = page.locator('.side-by-side .lane');
    await lanes.first().waitFor();
    expect(await page.getByLabel('Task', { exact: true }).locator('option').first().innerText()).toMatch(
      /shelf.* \(A \d, B \d\)/,
    );
    expect(await lanes.count()).toBe(8);
    const differing = page.locator('.side-by-side .other a');
    expect(await differing.count()).toBe(2);
    expect(await differing.nth(1).innerText()).toBe('dance');
    await page.keyboard.press('j');
    await expect.poll(() => page.url()).toMatch(/same=/);
    await expect.poll(() => differing.count()).toBe(0);
    await page.keyboard.press('k');
    await differing.nth(1).click();
    await page.locator('[data-cell="1.2"][aria-pressed="true"]').waitFor();
    expect(page.url()).toMatch(/run=1/);
    expect(await textOf(page, '.turn .tokens')).toContain('dance');
  });

  it('shows held-out episodes apart: what was read and done, how sure the policy was, and no credit', async () => {
    const page = await open([await newRun()], '#credit');
    await page.getByRole('button', { name: 'held-out' }).click();
    await page.locator('.legend').getByText('unsure').waitFor();
    expect(await page.locator('.stepper option').allInnerTexts()).toEqual(['0', '3']);
    expect(await page.locator('.whatif').count()).toBe(0);
    await page.locator('[data-cell="1.2"]').click();
    await page.getByText('no action has credit').waitFor();
    expect(page.url()).toMatch(/#credit\?split=held-out&task=0&ep=1&step=2$/);
    expect(await textOf(page, '.turn .tokens')).toContain(recordedRows(3)[1]!.reply[0]);
    expect(await page.getByLabel('Episode 1, turn 2: probability 20\u202f%').count()).toBe(1);
    await page.keyboard.press('t');
    await page.locator('.whatif').waitFor();
    expect(page.url()).toMatch(/#credit$/);
  });

  it('compares how runs do on the same held-out task, and one run with itself as it was', async () => {
    const [first, second] = [await newRun({ seed: 1 }), await newRun({ seed: 2 })];
    const rows = recordedRows(3).map((row) => (row.step === 1 ? { ...row, action: 'dance' } : row));
    await writeHeldOut(second, 3, rows);
    const page = await open([first, second], '#compare');
    const lanes = page.locator('.side-by-side .lane');
    await lanes.first().waitFor();
    expect(await page.getByLabel('What of run A').inputValue()).toBe('held-out-3');
    expect(await lanes.count()).toBe(2);
    expect(await page.locator('.side-by-side .other a').allInnerTexts()).toEqual([expect.any(String), 'dance']);
    await page.locator('.side-by-side .other a').nth(1).click();
    await page.locator('[data-cell="1.2"][aria-pressed="true"]').waitFor();
    expect(page.url()).toMatch(/run=1.*split=held-out/);

    const alone = await open([first], '#compare');
    await alone.locator('.side-by-side .lane').first().waitFor();
    expect(await alone.getByLabel('What of run A').inputValue()).toBe('held-out-0');
    expect(await alone.getByLabel('What of run B').inputValue()).toBe('held-out-3');
  });

  it('says of iterations without a task in common that they have none', async () => {
    const [first, second] = [await newRun({ iterations: 1 }), await newRun({ iterations: 1 })];
    await writeRollout(
      second,
      1,
      recordedRows(1).map((row) => ({ ...row, group: `other ${row.group}` })),
    );
    const page = await open([first, second], '#compare?ita=1&itb=1');
    await page.getByText('These have no task in common.').waitFor();
  });

  it('goes everywhere by keys', async () => {
    const page = await open([await newRun()]);
    await page.keyboard.press('2');
    await page.locator('.lanes').waitFor();
    const before = await textOf(page, '.heading h2');
    await page.keyboard.press('j');
    await expect.poll(() => textOf(page, '.heading h2')).not.toBe(before);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.locator('[data-cell="2.1"][aria-pressed="true"]').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('fridge');
    await expect.poll(() => page.locator('.task').count()).toBe(1);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    expect(await textOf(page, 'dialog')).toContain('find a task');
    await page.keyboard.press('Escape');
    expect(await page.locator('dialog').count()).toBe(0);
  });

  it('shows what is in a run as text, whatever it is', async () => {
    const hostile = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\u001b[31m\u0007\u202e end';
    const long = 'y'.repeat(1 << 20);
    let calls = 0;
    const dir = await newRun({
      iterations: 1,
      text: (plain: string) => `${hostile} ${plain} ${calls++ < 4 ? long : ''}`,
    });
    writeFileSync(join(dir, 'run.log'), `2026-01-01T00:00:00.000Z ended by an error: ${hostile}\n`);
    rmSync(join(dir, 'summary.json'));
    const page = await open([dir]);
    expect(await textOf(page, '.headline')).toContain('<script>window.hit=1</script>\\u001b[31m\\u0007\\u202e end');
    await page.keyboard.press('2');
    await page.locator('[data-cell="1.1"]').click();
    await page.locator('.turn .text').waitFor();
    expect(await textOf(page, '.turn .text')).toContain('<img src=x onerror="window.hit=1">');
    expect(await page.evaluate('[typeof window.hit, document.images.length]')).toEqual(['undefined', 0]);
    expect(await page.evaluate('document.body.innerText.length')).toBeLessThan(100_000);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(1440);
  });

  describe('from disk', () => {
    /** Opens the file of some runs, and tells what it asked for over any network. */
    async function openFile(dirs: readonly string[], hash = '', most?: number) {
      const runs = dirs.map((dir, index) => new RunFolder(String(index), dir));
      const { html, leftOut } = await writeDiskPage(runs, most);
      const path = join(folder, `page-${count++}.html`);
      writeFileSync(path, html);
      const { page, errors } = await browser!.open();
      const requests: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      await page.goto(pathToFileURL(path).href + hash);
      await page.waitForSelector('main:not(.empty)');
      problems.push(...errors);
      page.on('pageerror', (error) => problems.push(String(error)));
      return { page, leftOut, path, networked: () => requests.filter((url) => !/^(file|data):/.test(url)) };
    }

    it('shows runs, explains credit, tries settings out and compares, and asks nobody for anything', async () => {
      const dirs = [await newRun(), await newRun({ settings: { advantages: { estimator: 'grpo' } } })];
      const { page, leftOut, networked } = await openFile(dirs);
      expect(leftOut).toEqual([]);
      expect(await textOf(page, '.state')).toBe('finished');
      expect(await textOf(page, '.notice')).toMatch(/^As the run stood on .*\.$/);
      await page.keyboard.press('2');
      await page.locator('[data-cell="1.5"]').click();
      expect(await textOf(page, '.total')).toBe(`+${recordedRows(3)[4]!.advantage.toFixed(2)}`);
      await page.keyboard.press('w');
      await page.locator('form.whatif').getByText('80 rows').waitFor();
      await page.getByRole('button', { name: 'GRPO' }).click();
      const grpo = referenceAdvantages(recordedRows(3), { estimator: 'grpo' });
      await expect.poll(() => textOf(page, '.assumed b')).toBe(`+${grpo.advantage[4]!.toFixed(2)}`);
      await page.keyboard.press('3');
      await page.locator('.results b').nth(1).waitFor();
      expect(networked()).toEqual([]);
    });

    it('keeps to its size, and says what it lacks', async () => {
      const dir = await newRun({ iterations: 9 });
      const whole = (await writeDiskPage([new RunFolder('0', dir)])).html.length;
      const { page, leftOut, path } = await openFile([dir], '#credit', 45_000);
      expect(readFileSync(path).length).toBeLessThan(whole);
      const kept = /^run-\d+: This page has the episodes of (\d) of 9 iterations\.$/.exec(leftOut[0]!)![1]!;
      expect(Number(kept)).toBeGreaterThan(1);
      expect(await textOf(page, '.notice')).toContain(`This page has the episodes of ${kept} of 9 iterations.`);
      const shown = await page.locator('.stepper option').allInnerTexts();
      expect([shown.length, shown[0], shown.at(-1)]).toEqual([Number(kept), '1', '9']);
    });

    it('has some tasks of an iteration that is too large by itself, with their own credit', async () => {
      const dir = await newRun({ iterations: 1 });
      const { page, leftOut } = await openFile([dir], '#credit?task=1&ep=1&step=5', 9000);
      expect(leftOut.join()).toMatch(/Of iteration 1 it has the turns of [123] of 4 tasks\./);
      await page.locator('.total').waitFor();
      expect(await textOf(page, '.total')).toBe(`+${recordedRows(1)[24]!.advantage.toFixed(2)}`);
      await page.keyboard.press('w');
      await page
        .locator('form.whatif')
        .getByText(/^[246]0 rows/)
        .waitFor();
    });

    it('says of a file that was cut short that it is damaged', async () => {
      const { html } = await writeDiskPage([new RunFolder('0', await newRun({ iterations: 1 }))]);
      const path = join(folder, 'cut.html');
      writeFileSync(path, html.replace(/"page":"....../, '"page":"AAAAAA'));
      const { page } = await browser!.open();
      await page.goto(pathToFileURL(path).href);
      await page.getByText('This file is damaged').waitFor();
    });

    it('leaves out what is damaged, and refuses what is no run', async () => {
      const dir = await newRun({ iterations: 2 });
      writeFileSync(join(dir, 'rollouts', '000002.jsonl.gz'), 'no gzip');
      const { leftOut } = await writeDiskPage([new RunFolder('0', dir, 'it')]);
      expect(leftOut).toEqual([
        expect.stringMatching(/^it: .*000002\.jsonl\.gz is gone, or shorter than its index says; it is damaged/),
        'it: This page has the episodes of 1 of 2 iterations.',
      ]);
      await expect(writeDiskPage([new RunFolder('0', join(folder, 'nowhere'))])).rejects.toThrow(/nowhere is no run/);
    });
  });

  it.each([1440, 400])('is no wider than a window of %i pixels', async (width) => {
    const dirs = [await newRun(), await newRun({ settings: { advantages: { estimator: 'grpo' } } })];
    for (const hash of ['#live', '#credit?ep=1&step=2', '#credit?if=estimator:proxmo', '#compare']) {
      const page = await open(dirs, hash, { width });
      await page.locator('main').waitFor();
      await expect.poll(() => page.evaluate(beyond), { message: hash }).toEqual([]);
    }
  });

  it('opens 10,000 rows at once, and draws those tasks alone that are in sight', async () => {
    const dir = await newRun({ iterations: 1 });
    const rows = recordedRows(1);
    const many = Array.from({ length: 125 }, (_, copy) =>
      rows.map((row) => ({ ...row, group: `${row.group} ${copy}`, trajectory: `${row.trajectory} ${copy}` })),
    ).flat();
    await writeRollout(dir, 1, many);
    const page = await open([dir], '#credit');
    await page.getByText('500 tasks').waitFor();
    expect(await page.locator('.task').count()).toBeLessThan(40);
    await page.locator('.list').evaluate((list) => list.scrollTo(0, 1e6));
    await page.locator('.task', { hasText: 'fridge' }).first().waitFor();
  });
});
