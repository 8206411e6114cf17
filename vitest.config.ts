import { defineConfig } from 'vitest/config';
import { wgslVite } from './scripts/wgsl.mjs';

const report = process.env.PROXMO_TEST_REPORT;

export default defineConfig({
  plugins: [wgslVite],
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Two files at a time, each in a process of its own: software adapters use every core themselves.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // A report for scripts that count tests, where they name a file for it.
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
});
