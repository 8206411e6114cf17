/** `proxmo train --resume`: how far a run goes on, with which settings, and what a mistake costs. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { filesIn, tinyFlags, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-train-resume-'));
const world = writeTinyWorld(folder);
const dir = join(folder, 'run');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  const { code, stderr } = await proxmo(['train', ...tinyFlags(world), '--iterations', '2', '--out', dir]);
  expect(stderr).toContain('iteration 2/2');
  expect(code).toBe(0);
});

const weights = (run: string, iteration: string) =>
  readFileSync(join(run, 'checkpoints', iteration, 'weights.safetensors'));

it('tells that a run is finished, and changes nothing', async () => {
  const before = filesIn(dir);
  const { code, stdout, stderr } = await proxmo(['train', '--resume', dir, '--json']);
  expect(code).toBe(0);
  expect(stderr).toContain(`${dir} is finished after 2 iterations; --iterations +10 trains on`);
  expect(JSON.parse(stdout)).toEqual({ run: dir, ...JSON.parse(before['summary.json']!) });
  expect(filesIn(dir)).toEqual(before);
});

describe('mistakes are told in one sentence, and change nothing', () => {
  it.each<[string[], number, RegExp]>([
    [['--set', 'seed=9'], 1, /cannot go on with other settings than it began with: seed was 1 and is 9;/],
    [['--seed', '9', '--preset', 'small'], 2, /keeps its folder and settings, so --preset, --seed cannot be given/],
    [['--iterations', '1'], 1, /training\.iterations is 1, but .* has done 2/],
    [['--iterations', '+x'], 2, /--iterations.*whole number/],
    [['--set', 'training.iterations=two'], 1, /`training\.iterations` \(--set training\.iterations=two\) must be a/],
  ])('%j', async (flags, code, message) => {
    const before = filesIn(dir);
    const result = await proxmo(['train', '--resume', dir, ...flags]);
    expect(result.stderr).toMatch(message);
    expect(result.code).toBe(code);
    expect(filesIn(dir)).toEqual(before);
  });

  it('a new run has nothing to go on from', async () => {
    const result = await proxmo(['train', ...tinyFlags(world), '--iterations', '+2', '--out', join(folder, 'new')]);
    expect(result.stderr).toMatch(/--iterations \+2 is for a run that goes on; name it by --resume/);
    expect(result.code).toBe(2);
  });
});

it('goes on with a finished run, for more iterations and with settings that may change', async () => {
  const more = await proxmo(['train', '--resume', dir, '--iterations', '+1', '--set', 'checkpoints.keep=1']);
  expect(more.stderr).toContain(`resuming ${dir} from its checkpoint of iteration 2`);
  expect(more.stderr).toContain('iteration 3/3');
  expect(more.code).toBe(0);
  expect(readFileSync(join(dir, 'config.yaml'), 'utf8')).toMatch(/iterations: 3/);
  const whole = join(folder, 'whole');
  await proxmo(['train', ...tinyFlags(world), '--iterations', '3', '--out', whole]);
  expect(weights(dir, '000003').equals(weights(whole, '000003'))).toBe(true);
});
