import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { pageVite } from './scripts/page.mjs';
import { wgslVite } from './scripts/wgsl.mjs';
import { WhySkipped } from './test/support/whySkipped.ts';

const report = process.env.PROXMO_TEST_REPORT;
const reporters = ['default', new WhySkipped()];

/** The files that take minutes: one that starts last would run on alone, on half of the cores. */
const longest = ['test/kernels/every/onSwiftshader.test.ts', 'test/kernels/every/onSystem.test.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => longest.some((file) => moduleId.endsWith(file));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/** What tests agree to is not what their user agrees to. */
const state = mkdtempSync(join(tmpdir(), 'proxmo-state-'));
/** What test files of a run share, where packages are found. */
const cache = join(import.meta.dirname, 'node_modules', '.cache');
mkdirSync(cache, { recursive: true });
const bundles = mkdtempSync(join(cache, 'proxmo-tests-'));
process.env.PROXMO_TEST_BUNDLES = bundles;
process.once('exit', () => {
  for (const folder of [state, bundles]) rmSync(folder, { recursive: true, force: true });
});

export default defineConfig({
  plugins: [wgslVite, pageVite],
  test: {
    include: ['test/**/*.test.ts'],
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    // Two files at a time, each in a process of its own: software adapters use every core themselves.
    maxWorkers: 2,
    env: { PROXMO_STATE: state, PROXMO_TEST_BUNDLES: bundles },
    globalSetup: ['test/support/watch.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // A report for scripts that count tests, where they name a file for it.
    reporters: report ? [...reporters, ['json', { outputFile: report }]] : reporters,
  },
});
