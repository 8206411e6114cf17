/** What lasts for a run of vitest: which adapters there are, and bundles that are made anew when a file changes. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { halfAdapter, testAdapters, testDevice } from './adapters.ts';

export default async function setup(project: TestProject): Promise<void> {
  for (const name of testAdapters) (await testDevice(name)).destroy();
  // The processes of test files inherit these, and need not look again.
  process.env.PROXMO_TEST_ADAPTERS = testAdapters.join(',');
  process.env.PROXMO_TEST_HALF_ADAPTER = halfAdapter ?? '';
  project.onTestsRerun(() => rm(join(process.env.PROXMO_TEST_BUNDLES!, 'cli'), { recursive: true, force: true }));
}
