/**
 * The example program is what the README shows, and it runs: here against the sources, with a few demonstrations and
 * episodes instead of the preset's.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { wgslEsbuild } from '../scripts/wgsl.mjs';

const root = join(import.meta.dirname, '..');
const example = join(root, 'examples', 'train.mjs');
const few = `
  warmStart: { ...presets.small.warmStart, tasks: 4, epochs: 1 },
  training: { ...presets.small.training, tasks: 1, groupSize: 2, pool: 4 },
  evaluation: { ...presets.small.evaluation, tasks: 2 },
`;

describe('examples/train.mjs', () => {
  it('is the snippet of the README', async () => {
    const [, ...program] = (await readFile(example, 'utf8')).split('\n');
    expect(await readFile(join(root, 'README.md'), 'utf8')).toContain(`\`\`\`js\n${program.join('\n')}\`\`\``);
  });

  it('trains', { timeout: 120_000 }, async () => {
    const source = await readFile(example, 'utf8');
    // Within the checkout, where packages are found.
    const cache = join(root, 'node_modules', '.cache');
    await mkdir(cache, { recursive: true });
    const folder = await mkdtemp(join(cache, 'example-'));
    try {
      const outfile = join(folder, 'train.mjs');
      await build({
        stdin: { contents: source.replace('...presets.small,', `...presets.small, ${few}`), resolveDir: root },
        alias: { proxmo: './src/index.ts', 'proxmo/node': './src/node.ts' },
        outfile,
        bundle: true,
        format: 'esm',
        platform: 'node',
        packages: 'external',
        plugins: [wgslEsbuild],
      });
      const { stdout } = await promisify(execFile)(process.execPath, [outfile], {
        env: { PROXMO_ADAPTER: 'swiftshader', ...process.env },
      });
      expect(stdout).toMatch(
        /^(success [\d.]+, KL -?[\d.]+, \d+ tokens\/s\n){3}held-out success [\d.]+ \(95 %: [\d.]+ to [\d.]+\)\n$/,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
