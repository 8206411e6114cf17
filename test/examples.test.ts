/**
 * The example programs run, against the sources; those of the README are what it shows. `train.mjs` has a few
 * demonstrations and episodes here instead of the preset's.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runExample } from './support/example.ts';

const root = join(import.meta.dirname, '..');
const few = `
  warmStart: { ...presets.small.warmStart, tasks: 4, epochs: 1 },
  training: { ...presets.small.training, tasks: 1, groupSize: 2, pool: 4 },
  evaluation: { ...presets.small.evaluation, tasks: 2 },
`;

describe('examples/train.mjs', () => {
  it('is the snippet of the README', async () => {
    const [, ...program] = (await readFile(join(root, 'examples', 'train.mjs'), 'utf8')).split('\n');
    expect(await readFile(join(root, 'README.md'), 'utf8')).toContain(`\`\`\`js\n${program.join('\n')}\`\`\``);
  });

  it('trains', { timeout: 120_000 }, async () => {
    const stdout = await runExample('train.mjs', (source) =>
      source.replace('...presets.small,', `...presets.small, ${few}`),
    );
    expect(stdout).toMatch(
      /^(success [\d.]+, KL -?[\d.]+, \d+ tokens\/s\n){3}held-out success [\d.]+ \(95 %: [\d.]+ to [\d.]+\)\n$/,
    );
  });
});

it.each([
  ['spirals.mjs', 'points', 97],
  ['digits.mjs', 'digits', 95],
])('examples/%s learns its task', { timeout: 120_000 }, async (name, things, least) => {
  const stdout = await runExample(name);
  const [, share] = new RegExp(`([\\d.]+) % of \\d+ unseen ${things}`).exec(stdout) ?? [];
  expect(Number(share), stdout).toBeGreaterThanOrEqual(least);
});

it('examples/own-kernel.mjs checks, times and trains with its kernel', { timeout: 120_000 }, async () => {
  const stdout = await runExample('own-kernel.mjs');
  expect(stdout).toMatch(
    /^snake: as its reference\nsnakeBackward: as its reference\ngradient: as finite differences\n/,
  );
  expect(stdout).toMatch(/\nrun16\.vec4\.f32: [\d.]+ ms, [\d.]+ GB\/s\nloss after 200 steps: 0\.0[0-4]\d*\n/);
  expect(stdout).toMatch(/\n\d+ dispatches in a step, 2 of them snake's\n$/);
});

it('examples/embed.mjs trains on a task set in memory', { timeout: 120_000 }, async () => {
  const stdout = await runExample('embed.mjs');
  const [, before, after] = /held-out success: ([\d.]+) before, ([\d.]+) after\n/.exec(stdout) ?? [];
  expect(stdout).toMatch(/^(iteration \d+: success [\d.]+\n){15}/);
  expect(Number(after), stdout).toBeGreaterThan(Number(before));
});
