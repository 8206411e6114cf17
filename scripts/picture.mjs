/**
 * Makes the README's picture of the credit inspector from a real run: `node scripts/picture.mjs RUN [ADDRESS]`, with
 * what to look at after the `#` of the page's address. It needs a build (`npm run build`).
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import bundled from '@sparticuz/chromium';
import { chromium } from 'playwright-core';

const [run, address = 'credit?ep=1&step=4'] = process.argv.slice(2);
if (!run) throw new Error('usage: node scripts/picture.mjs RUN [ADDRESS]');
const root = join(fileURLToPath(import.meta.url), '..', '..');
const server = spawn(process.execPath, [join(root, 'dist', 'cli.js'), 'view', run], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const page = await new Promise((resolve) => server.stdout.once('data', (text) => resolve(String(text).trim())));
const browser = await chromium.launch({ executablePath: await bundled.executablePath(), args: ['--no-sandbox'] });
try {
  const tab = await browser.newPage({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 2, locale: 'en-GB' });
  await tab.goto(`${page}#${address}`);
  await tab.locator('.waterfall').waitFor();
  await tab.screenshot({ path: join(root, 'docs', 'credit.png') });
} finally {
  await browser.close();
  server.kill();
}
