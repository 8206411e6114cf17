/** The command line as one bundle, shared by all test files of a run: making it takes longer than most of its uses. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleInto } from '../../scripts/bundle.mjs';
import { exists } from '../../src/base/atomicFile.node.ts';

/** Set by vitest.config.ts; goes with the run. */
const shared = process.env.PROXMO_TEST_BUNDLES!;
const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

/** Its path. Whoever needs it first makes it; of two at once, the first to end. */
export async function bundledCli(): Promise<string> {
  const folder = join(shared, 'cli');
  if (!(await exists(folder))) {
    const own = join(shared, `cli-${process.pid}`);
    await bundleInto(own, main);
    await rename(own, folder).catch(() => rm(own, { recursive: true }));
  }
  return join(folder, 'main.mjs');
}
