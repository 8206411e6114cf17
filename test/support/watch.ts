/** What lasts for a run of vitest, and is made anew where it runs again because a file has changed. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

export default function setup(project: TestProject): void {
  project.onTestsRerun(() => rm(join(process.env.PROXMO_TEST_BUNDLES!, 'cli'), { recursive: true, force: true }));
}
