/**
 * Collecting garbage on demand. Objects of WebGPU that have no `destroy`, as bind groups, hold what the driver gave
 * them until they are collected, and the collector knows nothing of that.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** Collects garbage, where the runtime can be asked to: Node can. */
export function collectGarbage(): void {
  collect ??= findCollector();
  collect();
}

function findCollector(): () => void {
  try {
    setFlagsFromString('--expose-gc');
    const found: unknown = runInNewContext('globalThis.gc');
    if (typeof found === 'function') return () => void found();
  } catch {
    // Other runtimes do not know V8's flags. Their collector comes by itself.
  }
  return () => {};
}
