/**
 * Tells a page what changes in the folders, as server-sent events: `runs`, as they describe themselves, `progress` and
 * `metrics` of one run each, and `ready` once all that was there is told.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { MetricsTail } from './metricsTail.node.ts';
import type { RunFolder } from './runFolder.node.ts';

/** Between two looks at the folders, in milliseconds. */
const interval = 500;
/** Where a look takes long, as at the folders of a large study, so many times as long passes until the next. */
const patience = 20;
/** After so many looks without news, a comment keeps the connection open. */
const quiet = 30;

/**
 * Follows until the page is gone. When the server closes, it looks once more, so that the page has how it ended.
 * @param closing fires when the server ends
 */
export async function follow(
  response: ServerResponse,
  runs: readonly RunFolder[],
  closing: AbortSignal,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream; charset=utf-8' });
  const page = new FollowingPage(response);
  const tails = runs.map(({ files }) => new MetricsTail(files));
  const waking = AbortSignal.any([page.gone, closing]);
  for (let looks = 1; !page.gone.aborted; looks++) {
    const isLast = closing.aborted;
    const began = performance.now();
    await page.tellIfNew('runs', 'runs', await Promise.all(runs.map((run) => run.describe())));
    for (const [index, run] of runs.entries()) {
      await page.tellIfNew('progress', run.id, { run: run.id, progress: await run.progress() });
      const change = await tails[index]!.read();
      if (change) await page.tell('metrics', { run: run.id, ...change });
    }
    if (looks === 1) await page.tell('ready', {});
    if (isLast) break;
    if (looks % quiet === 0) response.write(':\n\n');
    const pause = Math.max(interval, patience * (performance.now() - began));
    await sleep(pause, undefined, { signal: waking }).catch(() => {});
  }
  response.end();
}

class FollowingPage {
  /** Fires when the page is closed. */
  readonly gone: AbortSignal;
  /** What was told last, by what it is about. */
  private readonly told = new Map<string, string>();

  constructor(private readonly response: ServerResponse) {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    this.gone = gone.signal;
  }

  async tellIfNew(event: string, about: string, data: object): Promise<void> {
    const [key, text] = [`${event} ${about}`, JSON.stringify(data)];
    if (this.told.get(key) === text) return;
    this.told.set(key, text);
    await this.send(event, text);
  }

  tell(event: string, data: object): Promise<void> {
    return this.send(event, JSON.stringify(data));
  }

  /** A page that reads slowly is waited for. */
  private async send(event: string, text: string): Promise<void> {
    if (this.gone.aborted || this.response.write(`event: ${event}\ndata: ${text}\n\n`)) return;
    await once(this.response, 'drain', { signal: this.gone }).catch(() => {});
  }
}
