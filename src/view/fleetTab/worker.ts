/**
 * A worker of a fleet in a tab of a browser: computes in a thread of its own, which goes on when the tab is in the
 * background, as far as the browser lets it. A bundle of its own.
 */
import { wsconnect } from '@nats-io/nats-core';
import { errorMessage } from '../../base/errors.ts';
import { createTaskSet, environments } from '../../envs/index.ts';
import { work } from '../../fleet/worker.ts';
import { openBrowserDevice } from '../../gpu/browserDevice.ts';
import { Engine } from '../../tensor/engine.ts';
import type { FromTab, ToTab } from './messages.ts';

/** The part of a worker's global scope that is used; the DOM's types are a page's. */
const scope = globalThis as unknown as {
  postMessage(message: ToTab): void;
  addEventListener(type: 'message', listener: (event: { readonly data: FromTab }) => void): void;
};

const stopping = new AbortController();

scope.addEventListener('message', ({ data }) => {
  if (data.kind === 'stop') stopping.abort();
  else void join(data);
});

async function join({ address, run, user, password, version }: Extract<FromTab, { kind: 'join' }>): Promise<void> {
  try {
    const gpu = await openBrowserDevice();
    scope.postMessage({ kind: 'adapter', name: gpu.adapter.name });
    const id = `tab-${crypto.randomUUID().slice(0, 8)}`;
    const connection = await wsconnect({
      servers: address,
      name: `proxmo tab ${id}`,
      maxReconnectAttempts: -1,
      ...(user ? { user, pass: password } : {}),
    });
    const tally = await work(connection, new Engine(gpu), {
      id,
      name: 'a tab of a browser',
      version,
      run: run === '' ? null : run,
      environments: Object.keys(environments),
      openTaskSet: ({ name, options }) => createTaskSet(name, options),
      signal: stopping.signal,
      onEvent: (event) => scope.postMessage({ kind: 'event', event }),
    });
    await connection.close();
    scope.postMessage({ kind: 'ended', tally });
  } catch (error) {
    scope.postMessage({ kind: 'problem', text: errorMessage(error) });
  }
}
