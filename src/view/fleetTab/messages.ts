/** What the page of a tab that works for a fleet, and the thread that does, tell each other. */
import type { WorkerEvent, WorkerTally } from '../../fleet/worker.ts';

/** From the page. */
export type FromTab =
  | {
      readonly kind: 'join';
      /** Of the server's websocket, as `wss://HOST:8080`. */
      readonly address: string;
      /** Empty for any run. */
      readonly run: string;
      readonly user: string;
      readonly password: string;
      /** Of this package. */
      readonly version: string;
    }
  | { readonly kind: 'stop' };

/** To the page. */
export type ToTab =
  | { readonly kind: 'adapter'; readonly name: string }
  | { readonly kind: 'event'; readonly event: WorkerEvent }
  | { readonly kind: 'ended'; readonly tally: WorkerTally }
  | { readonly kind: 'problem'; readonly text: string };
