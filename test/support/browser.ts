/**
 * A real browser for tests of pages: Chromium out of the npm package `@sparticuz/chromium`, which needs nothing
 * installed and no rights. Where it does not start, tests that need it are skipped.
 */
import { type Browser, chromium, type Page } from 'playwright-core';
import { needs } from './needs.ts';

/** Told to bring its own libraries along, as it does where there are none. */
process.env.AWS_LAMBDA_JS_RUNTIME ??= 'nodejs20.x';

export interface TestBrowser {
  /** A new page; what it logs as an error, or throws, is kept. */
  open(options?: { width?: number; height?: number; dark?: boolean }): Promise<{ page: Page; errors: string[] }>;
  close(): Promise<void>;
}

/**
 * @param options `webgpu`: with WebGPU on the software driver that comes along; without, there is no adapter
 * @returns null, with the reason on standard error, where no browser starts here
 */
export async function startBrowser({ webgpu = false } = {}): Promise<TestBrowser | null> {
  const args = ['--no-sandbox', ...(webgpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : [])];
  let browser: Browser;
  try {
    const { default: bundled } = await import('@sparticuz/chromium');
    browser = await chromium.launch({ executablePath: await bundled.executablePath(), args });
  } catch (error) {
    console.error(`Tests in a browser are skipped: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    return null;
  }
  return {
    async open({ width = 1440, height = 900, dark = false } = {}) {
      const page = await browser.newPage({
        viewport: { width, height },
        colorScheme: dark ? 'dark' : 'light',
        locale: 'en-GB',
      });
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
      });
      return { page, errors };
    },
    close: () => browser.close(),
  };
}

/** Options of tests in a browser. @param started those that the tests use */
export function needsBrowser(...started: readonly (TestBrowser | null)[]) {
  return needs('the browser of @sparticuz/chromium', !started.includes(null));
}
