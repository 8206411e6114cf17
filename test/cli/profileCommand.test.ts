/** `proxmo profile`: what it leaves in the folder of the run, or of each run. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { bundle } from '../../scripts/bundle.mjs';
import { profileSchema } from '../../src/view/profile/profileFile.ts';
import { proxmo } from '../support/cli.ts';
import { tinyFlags, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-profile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const train = ['--preset', 'none', '--trust', ...tinyFlags(writeTinyWorld(folder))];

it('leaves figures, trace and roofline in the run, phase by phase', async () => {
  const run = join(folder, 'run');
  const { code, stdout } = await proxmo(['profile', '--', ...train, '--out', run]);
  expect(code).toBe(0);
  expect(stdout).toContain(`trace, roofline and all figures: ${join(run, 'profile')}`);
  expect(readdirSync(join(run, 'profile')).sort()).toEqual(['profile.json', 'roofline.svg', 'trace.json']);
  const profile = profileSchema.parse(JSON.parse(readFileSync(join(run, 'profile', 'profile.json'), 'utf8')));
  const phases = new Map(profile.phases.map((phase) => [phase.name, phase]));
  expect([...phases.keys()]).toEqual(expect.arrayContaining(['preparation', 'evaluation', 'rollout', 'update']));
  for (const name of ['evaluation', 'rollout', 'update']) expect(phases.get(name)!.gpu, name).toBeGreaterThan(0);
  // Only the update learns, and only what plays samples.
  const phasesOf = (op: string) => [
    ...new Set(profile.cells.filter((cell) => cell.op === op).map(({ phase }) => phase)),
  ];
  expect(phasesOf('adamW')).toEqual(['update']);
  expect(phasesOf('sample').sort()).toEqual(['evaluation', 'rollout']);
  const { traceEvents } = JSON.parse(readFileSync(join(run, 'profile', 'trace.json'), 'utf8'));
  const slices = traceEvents.filter(({ tid, ph }: { tid: number; ph: string }) => tid === 3 && ph === 'X');
  expect(slices.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(['rollout', 'update']));
  for (const [at, { ts, dur }] of slices.slice(0, -1).entries()) expect(ts + dur).toBeCloseTo(slices[at + 1].ts, 0);
});

it('leaves a profile of each run where there are several, also in another folder', async () => {
  const [runs, out] = [join(folder, 'runs'), join(folder, 'profiles')];
  const { code, stdout } = await proxmo([
    'profile',
    '--out',
    out,
    '--',
    ...train,
    '--seeds',
    '1,2',
    '--out',
    runs,
    '--json',
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).runs).toHaveLength(2);
  expect(readdirSync(out).sort()).toEqual(['seed-1', 'seed-2']);
  expect(existsSync(join(runs, 'seed-1', 'profile'))).toBe(false);
  const of = (seed: number) =>
    profileSchema.parse(JSON.parse(readFileSync(join(out, `seed-${seed}`, 'profile.json'), 'utf8')));
  expect(of(2).milliseconds.gpu).toBeGreaterThan(0);
  // The first run's time ends with it.
  expect(of(1).milliseconds.wall).toBeLessThan(1.5 * of(2).milliseconds.wall + 2000);
});

it('profiles any program that uses the library', async () => {
  const program = await bundle(join(import.meta.dirname, '..', 'support', 'profiledProgram.ts'));
  const out = join(folder, 'of-program');
  const { code, stdout } = await proxmo(['profile', '--out', out, '--', process.execPath, program]);
  expect([code, stdout]).toEqual([0, expect.stringContaining('the program’s own output')]);
  expect(stdout).toContain(`trace, roofline and all figures: ${out}`);
  const { programs, phases, programRuns } = profileSchema.parse(
    JSON.parse(readFileSync(join(out, 'profile.json'), 'utf8')),
  );
  expect(programs.map(({ name, count }) => [name, count])).toEqual([['one product', 3]]);
  expect([phases.map(({ name }) => name), programRuns]).toEqual([['program'], 3]);
  const failed = await proxmo(['profile', '--out', out, '--', process.execPath, program, 'fail']);
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringMatching(/profiledProgram.* fail ended with code 3/)]);
});

it('says what is wrong with a program that cannot be profiled', async () => {
  const none = await proxmo(['profile', '--', process.execPath, '-e', '0']);
  expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/opened no device by openDevice\(\)/)]);
  const gone = await proxmo(['profile', '--', 'no-such-program']);
  expect([gone.code, gone.stderr]).toEqual([2, expect.stringMatching(/no-such-program cannot be started/)]);
});
