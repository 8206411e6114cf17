/** `proxmo why`: what a run kept, in words; and what it did not keep, in one sentence. */
import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';
import { rowsIn, rowsPath } from '../support/recordedRows.ts';
import { type TinySettings, tinyConfig, trainTiny, writeTinyWorld } from '../support/tinyRun.ts';
import { recordedRows, writeRollout, writeRun } from '../support/viewRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-why-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const world = writeTinyWorld(folder);
const dir = join(folder, 'run');

async function train(name: string, settings: TinySettings = {}): Promise<string> {
  await trainTiny(join(folder, name), tinyConfig(world, settings));
  return join(folder, name);
}

beforeAll(() => train('run', { training: { iterations: 2, tasks: 2, groupSize: 4 } }), 60_000);

describe('what a run kept', () => {
  it('is explained step by step, with numbers that are the rows’', async () => {
    const { code, stdout } = await proxmo(['why', dir, '--iteration', '2', '--episode', '3', '--step', '1']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^iteration 2, episode 3 \(episode-10\) (succeeded|failed), as \d of 4 of its group/);
    expect(stdout).toMatch(/\n\n[+-]\d+\.\d+: [+-]\d+\.\d+ \w+ .*; [+-]\d+\.\d+ because it came to .* averaged .*\n\n/);
    expect(stdout).toMatch(/similar states.*\n.*\n *1\.000 .*nothing: the same state/);
    expect(stdout).toContain('saw      two doors');
    expect(stdout).toMatch(/log-probability .*\nof the reference/);
  });

  it('is given as JSON, with its rows', async () => {
    const { stdout } = await proxmo(['why', dir, '--episode', '3', '--json']);
    const { iteration, episode, steps } = JSON.parse(stdout);
    expect([iteration, episode.id, steps.length]).toEqual([2, 'episode-10', 1]);
    const row = rowsIn(rowsPath(dir, 2)).find(({ trajectory }) => trajectory === 'episode-10');
    expect(steps[0].row).toEqual(row);
    expect(steps[0].explanation.advantage).toBe(row!.advantage);
  });

  it('is told by episode, and listed by iteration', async () => {
    const steps = await proxmo(['why', dir, '--iteration', '1', '--episode', '1']);
    expect(steps.stdout).toMatch(/^iteration 1, episode 1 .*\n.*\n {2}1\. (left|right)\n {5}[+-]\d/);
    const list = await proxmo(['why', dir]);
    expect(list.stdout).toMatch(
      /^iteration 2: in \d of 2 tasks the episodes earned differently\n\nepisode +outcome +return +steps +malformed\n/,
    );
    expect(list.stdout.match(/\n\n\w \(door\): go \d of 4 succeeded\n1|5 +(succeeded|failed)/g)).toHaveLength(2);
    expect(JSON.parse((await proxmo(['why', dir, '--json'])).stdout)).toMatchObject({ format: 'proxmo-rollout' });
  });
});

describe('what the policy did', () => {
  it('is told by kinds of action, iteration beside iteration', async () => {
    const rows = [1, 2].map((iteration) => rowsIn(rowsPath(dir, iteration)));
    const left = rows.map((each) => each.filter(({ action }) => action === 'left'));
    const { stdout } = await proxmo(['why', dir, '--actions']);
    expect(stdout).toMatch(
      /^turns that took an action of a kind \(its first word\), of those in which one was on offer\n/,
    );
    expect(stdout).toMatch(/\niteration +1 +2\nsuccess +\d+\.\d % +\d+\.\d %\n/);
    expect(stdout).toMatch(new RegExp(`\nleft +${left[0]!.length}/8 +${left[1]!.length}/8\n`));
    const mean = left[1]!.reduce((sum, { advantage }) => sum + advantage, 0) / left[1]!.length;
    const [, second] = JSON.parse((await proxmo(['why', dir, '--actions', '--json'])).stdout);
    expect(second).toMatchObject({ iteration: 2, groups: 2, keptGroups: 2, turns: 8 });
    expect(second.kinds.left.advantage).toBeCloseTo(mean, 12);
    expect(JSON.parse((await proxmo(['why', dir, '--actions', '--iteration', '1', '--json'])).stdout)).toHaveLength(1);
  });

  it('says how much of it was kept', async () => {
    const sampled = await train('sampled actions', {
      training: { iterations: 1, tasks: 2, groupSize: 2 },
      rollouts: { keep: 'sample', sampleGroups: 1 },
    });
    expect((await proxmo(['why', sampled, '--actions'])).stdout).toMatch(/\ngroups kept +1\/2\n/);
  });
});

describe('a run of written rows', () => {
  const kitchen = join(folder, 'kitchen');
  const dead = recordedRows(3).map((row) => ({ ...row, success: false, reward: 0 }));

  beforeAll(async () => {
    await writeRun(kitchen);
    await writeRollout(kitchen, 3, dead);
  });

  it('is listed by its tasks, with their names and what was malformed', async () => {
    const { stdout } = await proxmo(['why', kitchen, '--iteration', '1']);
    const [heading, , header, , ...lines] = stdout.split('\n');
    expect(heading).toBe('iteration 1: in 3 of 4 tasks the episodes earned differently');
    expect(header).toBe('episode  outcome    return  steps  malformed');
    expect(lines.slice(0, 7)).toEqual([
      'kitchen-0/clean-cup-sink (clean): clean the cup and put it in sink. 2 of 4 succeeded',
      '1        succeeded      10      5          1',
      '2        succeeded      10      5          0',
      '3        failed          0      5          0',
      '4        failed          0      5          0',
      '',
      'kitchen-1/clean-cup-cabinet (clean): clean the cup and put it in cabinet. 3 of 4 succeeded',
    ]);
  });

  it('begins with the last iteration in which something can be compared, and says so', async () => {
    const said =
      'iteration 2 is the last in which episodes of a task earned differently; --iteration 3 shows the newest\n\n';
    expect((await proxmo(['why', kitchen])).stdout).toMatch(new RegExp(`^${said}iteration 2: in 3 of 4 tasks `));
    const steps = await proxmo(['why', kitchen, '--episode', '1']);
    expect(steps.stdout.startsWith(`${said}iteration 2, episode 1 (episode-0) succeeded`)).toBe(true);
    const newest = await proxmo(['why', kitchen, '--iteration', '3']);
    expect(newest.stdout).toMatch(/^iteration 3: in 0 of 4 tasks the episodes earned differently\n/);
    expect(JSON.parse((await proxmo(['why', kitchen, '--json'])).stdout).iteration).toBe(2);
  });

  it('begins with the newest where there is nothing to compare in any', async () => {
    const all = join(folder, 'all dead');
    await writeRun(all, { iterations: 2 });
    for (const iteration of [1, 2]) await writeRollout(all, iteration, dead);
    expect((await proxmo(['why', all])).stdout).toMatch(/^iteration 2: in 0 of 4 tasks/);
  });

  it('tells what was malformed, of what neighbours figures are, and how much of the baseline is of others', async () => {
    const { stdout } = await proxmo(['why', kitchen, '--iteration', '1', '--episode', '1', '--step', '1']);
    expect(stdout).toContain('\ndid      gosink<end>  [malformed]\n         [malformed]: the reply lacks the form ');
    expect(stdout).toMatch(/\nsimilarity +weight +turns +mean return +as episode\/step +differs in\n/);
    expect(stdout).toContain(
      '\nweight: of all turns of a state together. States that are less similar have the other 25.0 %. Steps count from 1 here, in files and --json from 0.\n',
    );
  });
});

describe('what is not there', () => {
  const refused = async (run: string, args: readonly string[], said: RegExp, code = 2) => {
    const result = await proxmo(['why', run, ...args]);
    expect([result.code, result.stdout]).toEqual([code, '']);
    expect(result.stderr).toMatch(said);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
  };

  it('is refused with what there is', async () => {
    await refused(dir, ['--iteration', '9'], /has done 2 iterations; give --iteration as 1 to 2\./);
    await refused(dir, ['--episode', '9'], /has 8 episodes; give --episode as 1 to 8\./);
    await refused(dir, ['--episode', '1', '--step', '2'], /Episode 1 has 1 steps; give --step as 1 to 1\./);
    await refused(dir, ['--step', '2'], /give --episode too/);
    await refused(dir, ['--iteration', '0'], /whole number of 1 or more/);
    await refused(folder, [], /is not a run/, 1);
  });

  it('is told apart: nothing kept, some iterations, some groups, an earlier version, nothing done', async () => {
    const none = await train('none', { rollouts: { keep: 'none' } });
    await refused(none, [], /keeps no rows \(rollouts\.keep is none\); go on with .* --set rollouts\.keep=all/);
    const sample = await train('sample', {
      training: { iterations: 5, tasks: 3 },
      rollouts: { keep: 'sample', sampleGroups: 1, every: 4 },
    });
    await refused(sample, ['--iteration', '3'], /has no rows of iteration 3; it kept those of 1, 4 /);
    const listed = (await proxmo(['why', sample, '--iteration', '4'])).stdout;
    const [, gone] = /; rows not kept \(rollouts\.keep\), so it cannot be explained\n(\d+) .* -\n/.exec(listed)!;
    await refused(sample, ['--iteration', '4', '--episode', gone!], /were not kept, .* choose one of \d to \d\./);
    const old = await train('old', { rollouts: { keep: 'none' } });
    cpSync(join(dir, 'rollouts'), join(old, 'rollouts'), { recursive: true });
    for (const iteration of [1, 2]) rmSync(join(old, 'rollouts', `00000${iteration}.index.json`));
    writeFileSync(join(old, 'rollouts', '000001.jsonl'), '{"group":"a"}\n');
    await refused(old, [], /was trained by a version of proxmo that did not write down/);
    const idle = await train('idle', { training: { iterations: 0 } });
    await refused(idle, [], /has done no iteration yet/);
  });

  it('or is damaged, ends in a sentence', async () => {
    const damaged = join(folder, 'damaged');
    cpSync(dir, damaged, { recursive: true });
    truncateSync(rowsPath(damaged, 2), 40);
    await refused(damaged, ['--episode', '1'], /000002\.jsonl\.gz is gone, or shorter than its index says/, 1);
    truncateSync(join(damaged, 'rollouts', '000001.index.json'), 40);
    await refused(damaged, ['--iteration', '1'], /000001\.index\.json is not JSON/, 1);
  });
});
