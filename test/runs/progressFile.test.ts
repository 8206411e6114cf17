/** What a run does at the moment: whole whenever it is read, seldom written, gone at the end. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ProgressFile } from '../../src/runs/progressFile.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-progress-'));
const path = join(folder, 'progress.json');
const read = () => JSON.parse(readFileSync(path, 'utf8')) as { done: number; time: string };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is written at once, and then once a second with the newest state', () => {
  const file = new ProgressFile(path);
  file.write({ done: 0 });
  expect(read().done).toBe(0);
  for (let done = 1; done <= 50; done++) file.write({ done });
  vi.advanceTimersByTime(900);
  expect(read().done).toBe(0);
  vi.advanceTimersByTime(101);
  expect(read()).toMatchObject({ done: 50, time: expect.stringMatching(/Z$/) });
  expect(readdirSync(folder)).toEqual(['progress.json']);
  file.end();
});

it('is gone when its process has ended, and that of one that crashed when another begins', () => {
  writeFileSync(path, '{"done": 1}');
  const file = new ProgressFile(path);
  expect(existsSync(path)).toBe(false);
  file.write({ done: 0 });
  file.write({ done: 1 });
  file.end();
  vi.advanceTimersByTime(5000);
  expect(readdirSync(folder)).toEqual([]);
});

it('costs a run nothing but itself where it cannot be written', () => {
  mkdirSync(path);
  const file = new ProgressFile(path);
  file.write({ done: 0 });
  vi.advanceTimersByTime(2000);
  file.end();
  expect(readdirSync(folder)).toEqual(['progress.json']);
});
