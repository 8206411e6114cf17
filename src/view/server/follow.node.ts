/** Tells a page what changes in the folders, as server-sent events: `runs`, as they describe themselves, `metrics`. */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { MetricsTail } from './metricsTail.node.ts';
import type { RunFolder } from './runFolder.node.ts';

/** Between two looks at the folders, in milliseconds. */
const interval = 500;
/** After so many looks without news, a comment keeps the connection open. */
const quiet = 30;

/** @param closing fires when the server ends */
export async function follow(
  response: ServerResponse,
  runs: readonly RunFolder[],
  closing: AbortSignal,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream; charset=utf-8' });
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, closing]);
  const tails = runs.map(({ files }) => new MetricsTail(files));
  let told = '';
  for (let looks = 1; !signal.aborted; looks++) {
    const infos = JSON.stringify(await Promise.all(runs.map((run) => run.describe())));
    if (infos !== told) await tell(response, 'runs', infos, signal);
    told = infos;
    for (const [index, tail] of tails.entries()) {
      const change = await tail.read();
      if (change) await tell(response, 'metrics', JSON.stringify({ run: runs[index]!.id, ...change }), signal);
    }
    if (looks === 1) await tell(response, 'ready', '{}', signal);
    if (looks % quiet === 0) response.write(':\n\n');
    await sleep(interval, undefined, { signal }).catch(() => {});
  }
  response.end();
}

/** A page that reads slowly is waited for. */
async function tell(response: ServerResponse, event: string, data: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted || response.write(`event: ${event}\ndata: ${data}\n\n`)) return;
  await new Promise<void>((resolve) => {
    response.once('drain', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
