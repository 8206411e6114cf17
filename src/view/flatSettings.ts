/** Settings as the page knows them. */
import type { RunInfo } from './protocol.ts';

/** Nested settings by their keys joined with dots; lists as JSON. */
export function flattened(settings: object, prefix = ''): RunInfo['settings'] {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]): [string, RunInfo['settings'][string]][] => {
      const name = prefix + key;
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        return Object.entries(flattened(value, `${name}.`));
      const isPlain = value === null || ['string', 'number', 'boolean'].includes(typeof value);
      return [[name, isPlain ? value : JSON.stringify(value)]];
    }),
  );
}
