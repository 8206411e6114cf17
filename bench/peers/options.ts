/** Command line options that benches share. */
import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** Measure only what has this in its name. */
  readonly filter: string;
  /** As for `openDevice`; absent for the best adapter there is. */
  readonly adapter: string | undefined;
  /** Measure only what programs use by default on the adapter. */
  readonly defaults: boolean;
  /** Print one JSON array instead of a table. */
  readonly json: boolean;
}

/** Throws if an option is unknown. */
export function readOptions(): BenchOptions {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string', default: '' },
      adapter: { type: 'string' },
      defaults: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  return { adapter: undefined, ...values };
}
