import { defineConfig } from 'vitest/config';
import { wgslVite } from './scripts/wgsl.mjs';

export default defineConfig({
  plugins: [wgslVite],
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Two files at a time, each in a process of its own: software adapters use every core themselves.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
