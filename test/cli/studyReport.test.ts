/** `proxmo study --report` on runs whose figures are known, and the statistics that it is made with. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareArms } from '../../src/cli/study/comparison.ts';
import { drawFigures } from '../../src/cli/study/figures.ts';
import { loadStudy, type Study, type StudyRun } from '../../src/cli/study/file.ts';
import { readResults } from '../../src/cli/study/results.ts';
import { statusOf } from '../../src/cli/study/state.ts';
import {
  estimate,
  estimateDifference,
  holm,
  pairedTest,
  studentQuantile,
  withinStudent,
} from '../../src/cli/study/statistics.ts';
import { createRun } from '../../src/runs/run.ts';
import { Random } from '../../src/tensor/random.ts';
import { proxmo } from '../support/cli.ts';
import { writeTinyStudy } from '../support/tinyStudy.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-study-report-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('statistics', () => {
  it.each([
    [1, 12.7062],
    [2, 4.3027],
    [3, 3.1824],
    [4, 2.7764],
    [9, 2.2622],
    [30, 2.0423],
  ])('the t of 95 %% with %i degrees of freedom is %f', (freedom, t) => {
    expect(studentQuantile(0.95, freedom)).toBeCloseTo(t, 4);
    expect(withinStudent(t, freedom)).toBeCloseTo(0.95, 4);
  });

  it('the bootstrap interval of a mean is that of its resamples, always the same', () => {
    // Of 27 resamples of three, one has the mean 3 and eight have the mean 0.
    const { mean, interval } = estimate([0, 0, 3]);
    expect([mean, interval]).toEqual([1, [0, 3]]);
    const five = estimate([0.5, 0.6, 0.7, 0.8, 0.9]);
    expect(five.interval![0]).toBeCloseTo(0.58, 2);
    expect(five.interval![1]).toBeCloseTo(0.82, 2);
    expect(estimate([0.5, 0.6, 0.7, 0.8, 0.9])).toEqual(five);
    expect(estimate([0.4])).toEqual({ mean: 0.4, interval: null, seeds: 1 });
    expect(estimate([0, 1])).toEqual({ mean: 0.5, interval: null, seeds: 2 });
  });

  it('a paired difference has the t test of its values', () => {
    // R: t.test(c(1, 2, 3, 4, 6)).
    const { mean, studentInterval, p } = estimateDifference([1, 2, 3, 4, 6], 0.01);
    expect(mean).toBeCloseTo(3.2, 12);
    expect(studentInterval![0]).toBeCloseTo(0.8116, 4);
    expect(studentInterval![1]).toBeCloseTo(5.5884, 4);
    expect(p).toBeCloseTo(0.02048, 5);
    expect(estimateDifference([0, 0, 0], 0.01).p).toBe(1);
  });

  it('two differences have an interval, which is wide, and no test', () => {
    // 12.7062 · 0.0707 / √2 = 0.635 around 0.15.
    const { studentInterval, p } = estimateDifference([0.1, 0.2], 0.01);
    expect(studentInterval![0]).toBeCloseTo(-0.485, 3);
    expect(studentInterval![1]).toBeCloseTo(0.785, 3);
    expect(p).toBeNull();
    expect(estimateDifference([0.1, 0.1], 0.01).p).toBeNull();
  });

  it('equal differences are as exact as the rates that they are of', () => {
    // 4.3027 · 0.1 / √6 / √3 = 0.101 around 0.1.
    const [low, high] = estimateDifference([0.1, 0.1, 0.1], 0.1).studentInterval!;
    expect([low, high].map((value) => value.toFixed(3))).toEqual(['-0.001', '0.201']);
    expect(estimateDifference([0.1, 0.1, 0.1], 0.1).p).toBeGreaterThan(0.05);
    expect(estimateDifference([0.1, 0.1, 0.1], 0.001).p).toBeLessThan(0.001);
  });

  it.each([2, 3, 5])(
    'of arms that train alike, a study over %i seeds separates some in one of twenty cases at most',
    (seeds) => {
      const [tasks, arms, studies] = [40, 11, 1000];
      const random = new Random(seeds, 'studies');
      // A rate of 90 %, within a point from seed to seed, of 40 tasks: steps of 2.5 points make many of them equal.
      const rate = () => {
        const success = 0.9 + 0.02 * (random.uniform() + random.uniform() - 1);
        return Array.from({ length: tasks }).filter(() => random.uniform() < success).length / tasks;
      };
      const differences = () => Array.from({ length: seeds }, () => rate() - rate());
      const isSeparating = () => {
        const tests = Array.from({ length: arms }, () => pairedTest(differences(), 1 / tasks).p);
        return holm(tests.filter((p) => p !== null)).some((p) => p < 0.05);
      };
      const found = Array.from({ length: studies }).filter(isSeparating).length;
      expect(found / studies).toBeLessThan(0.06);
    },
  );

  it('p values are held against their number', () => {
    expect(holm([0.01, 0.04, 0.03])).toEqual([0.03, 0.06, 0.06]);
    expect(holm([])).toEqual([]);
  });
});

const iterations = 6;
const evaluation = (success: number, types: Readonly<Record<string, number>> = { gate: success - 0.1 }) => ({
  success,
  interval: [success, success],
  episodes: 400,
  dropped: 0,
  byTask: { door: success, ...types },
  meanLength: 8,
  validShare: 1,
  score: success,
  components: {},
});

/** Leaves a run folder as training does, with these figures. */
async function makeRun(
  { dir, config, seed, arm }: StudyRun,
  before: number,
  after: number,
  types?: Readonly<Record<string, number>>,
): Promise<void> {
  const { iterations } = config.training;
  const adapter = { name: 'a card', driver: 'a driver' };
  const modules = [
    { path: '/same.mjs', sha256: 'a' },
    { path: '/edited.mjs', sha256: seed === 3 ? 'b' : 'a' },
  ];
  const writer = await createRun(dir, { adapter, version: '1.2.3', modules, seed, config: { ...config } });
  const rate = (iteration: number) => before + ((after - before) * iteration) / Math.max(1, iterations);
  const evaluated = (iteration: number) =>
    writer.metrics.append({ kind: 'eval', iteration, success: rate(iteration), seconds: 2 });
  evaluated(0);
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const isFirst = iteration === 1;
    writer.metrics.append({
      kind: 'train',
      iteration,
      episodes: 4,
      success: rate(iteration),
      deadGroupShare: 0.25,
      'seconds/rollout': 1,
      'seconds/advantage': isFirst ? 5 : config.advantages.estimator === 'grpo' ? 0.01 : 0.03,
      'seconds/update': 0.5,
      'seconds/total': isFirst ? 6.5 : 2,
    });
    if (iteration % 2 === 0) evaluated(iteration);
  }
  await writer.writeSummary({
    seed,
    adapter: 'a card',
    wallSeconds: 60,
    warmStartSeconds: arm === 'proxmo' ? 12 : 0.1,
    before: evaluation(before),
    after: evaluation(after, types),
    tokensPerSecond: 12_345,
    advantageShare: 0.02,
  });
  const checkpoints = join(dir, 'checkpoints');
  const latest = String(iterations).padStart(6, '0');
  mkdirSync(join(checkpoints, latest), { recursive: true });
  writer.close();
  const { writeFileSync } = await import('node:fs');
  writeFileSync(join(checkpoints, 'latest'), `${latest}\n`);
}

const arms = `  proxmo:
  clear: { advantages: { psc: false } }
  close: { advantages: { psa: false } }
  grpo: { advantages: { estimator: grpo } }
`;
/** Success after training, by seed: clearly better, alike, and one that is not whole. */
const after: Readonly<Record<string, readonly number[]>> = {
  proxmo: [0.5, 0.55, 0.6],
  clear: [0.71, 0.75, 0.81],
  close: [0.55, 0.5, 0.61],
  grpo: [0.4, 0.5],
};

describe('a report', () => {
  const report = join(folder, 'report');
  let study: Study;
  let first: Awaited<ReturnType<typeof proxmo>>;
  let args: string[];
  const textOf = (name: string) => readFileSync(join(report, name), 'utf8');

  beforeAll(async () => {
    const file = writeTinyStudy(folder, { iterations, arms, seeds: '[1, 2, 3]' });
    const out = join(folder, 'runs');
    args = ['study', file, '--out', out, '--report', report];
    study = await loadStudy(file, out);
    const none = await proxmo(args);
    expect(none.stderr).toMatch(/No run of .*study\.yaml is done yet, so there is nothing to report; run it first\./);
    expect(none.code).toBe(1);
    for (const run of study.runs) {
      const success = after[run.arm]![run.seed - 1];
      if (success !== undefined) await makeRun(run, 0.2, success);
    }
    first = await proxmo(args);
  });

  it('says which runs are missing, and is of the others', () => {
    expect(first.code).toBe(0);
    expect(first.stderr).toContain('1 of 12 runs is missing in it: grpo seed 3');
    expect(textOf('report.md')).toMatch(
      /\*\*1 of 12 runs are missing\.\*\* Figures are of the others:\n\n- grpo seed 3: not begun, or not past its warm start\n/,
    );
    expect(JSON.parse(textOf('report.json')).missing).toEqual([{ arm: 'grpo', seed: 3, iteration: null, iterations }]);
  });

  it('has means, intervals and paired differences', () => {
    const { arms: figures, againstReference } = JSON.parse(textOf('report.json'));
    const clear = figures.find(({ name }: { name: string }) => name === 'clear');
    expect(clear.final.mean).toBeCloseTo((0.71 + 0.75 + 0.81) / 3, 12);
    expect(clear.gain.mean).toBeCloseTo(clear.final.mean - 0.2, 12);
    expect(clear.byType.gate.mean).toBeCloseTo(clear.final.mean - 0.1, 12);
    expect(clear.seconds).toEqual({ rollout: 1, advantage: 0.03, update: 0.5, total: 2 });
    const final = againstReference.filter(({ measure }: { measure: string }) => measure === 'final');
    expect(final.map(({ arm, seeds, verdict }: Record<string, unknown>) => [arm, seeds, verdict])).toEqual([
      ['clear', 3, 'separated'],
      ['close', 3, 'not separated'],
      ['grpo', 2, 'too few seeds'],
    ]);
    expect(final[0].mean).toBeCloseTo(0.62 / 3, 12);
    expect(final[2].mean).toBeCloseTo(-0.075, 12);
  });

  it('says in plain sentences what is separated, and how it was made', () => {
    const text = textOf('report.md');
    expect(text).toMatch(
      /- clear: \*\*separated\*\*, \+20\.7 points \(95 %: \+19\.2 to \+22\.1\) over 3 seeds, also when held against the number of comparisons \(2\)/,
    );
    expect(text).toMatch(
      /- grpo: −7\.5 points \(95 %: −39\.3 to \+24\.3\) over 2 seeds, from which nothing follows: it takes 3 seeds/,
    );
    expect(text).toMatch(/- close: not separated, \+0\.3 points \(95 %: .*\) over 3 seeds\./);
    expect(text).toMatch(/\| grpo \| 2 \| 20\.0 % \| 45\.0 % \| \+25\.0 \|/);
    expect(text).toMatch(
      /\| close \| 1\.000 \| 0\.0300 \| 0\.500 \| 2\.000 \| 0\.00 \| 2\.00 \| 12,345 \| 8\.0 \| 8\.0 \|/,
    );
    expect(text).toMatch(/\| grpo \| 1\.000 \| 0\.0100 \| 0\.500 \| 2\.000 \| −1\.00 \|/);
    // The first arm made the warm start that the others share.
    expect(text).toMatch(/\| proxmo \| 1\.000 \|.*\| 12\.0 \| 8\.0 \| 1 min 00 s \|/);
    expect(text).toMatch(/\| grpo \| 1\.000 \|.*\| 0\.1 \| 8\.0 \| 1 min 00 s \|/);
    expect(text).toContain('Arms of a seed whose warm starts are the same share one');
    expect(text).toMatch(/\| clear \| `advantages: \{ psc: false \}` \|/);
    expect(text).toContain(
      '- on a card (a driver), proxmo 1.2.3\n- **/edited.mjs was changed in between**, so runs before and after are not of one kind\n- this report',
    );
    expect(text).toMatch(/- this report: `proxmo study .*--report /);
  });

  it('has a figure for each thing it shows, which reads in light and in dark', () => {
    const drawn = [...textOf('report.md').matchAll(/\]\((.*)\.svg\)/g)].map(([, name]) => `${name}.svg`).sort();
    expect(drawn).toEqual([
      'difference-final.svg',
      'difference-training.svg',
      'final-success.svg',
      'held-out-by-episodes.svg',
      'held-out-by-iteration.svg',
      'seconds.svg',
      'training-by-episodes.svg',
      'training-by-iteration.svg',
    ]);
    expect(readdirSync(report).sort()).toEqual([...drawn, 'report.json', 'report.md'].sort());
    for (const name of drawn) {
      const svg = textOf(name);
      expect(svg, name).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
      expect(svg).toContain('prefers-color-scheme: dark');
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      for (const arm of name.startsWith('difference') ? ['clear', 'close', 'grpo'] : Object.keys(after))
        expect(svg, name).toContain(`>${arm}<`);
    }
  });

  it('has the length of each bar of seconds beside it', () => {
    // 1 + 0.03 + 0.5, and 0.01 with GRPO; whole iterations took 2.
    const labels = [...textOf('seconds.svg').matchAll(/>(\d\.\d\d)</g)].map(([, label]) => label);
    expect(labels).toEqual(['1.53', '1.53', '1.53', '1.51']);
  });

  it('is the same when it is written again', async () => {
    const before = readdirSync(report).map((name) => textOf(name));
    await proxmo(args);
    expect(readdirSync(report).map((name) => textOf(name))).toEqual(before);
  });
});

it.each([
  ['an arm', iterations],
  ['nothing but arms', 0],
])('a report has %s without an iteration', async (_, longest) => {
  const here = mkdtempSync(join(folder, 'warm-'));
  const warmOnly = `  proxmo:\n  warm: { warmStart: { tasks: 1 }, training: { iterations: 0 } }\n`;
  const file = writeTinyStudy(here, { iterations: longest, arms: warmOnly, seeds: '[1]' });
  const out = join(here, 'runs');
  const study = await loadStudy(file, out);
  for (const run of study.runs) await makeRun(run, 0.2, run.arm === 'warm' ? 0.2 : 0.5);
  const { code, stderr } = await proxmo(['study', file, '--out', out, '--report', join(here, 'report')]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const text = readFileSync(join(here, 'report', 'report.md'), 'utf8');
  expect(text).toMatch(/\| warm \|/);
  expect(text).not.toMatch(/NaN|undefined/);
  const { arms } = JSON.parse(readFileSync(join(here, 'report', 'report.json'), 'utf8'));
  expect(arms.at(-1)).toMatchObject({ name: 'warm', seconds: null, training: null });
});

it('a type whose episodes were all dropped in a run counts in the others alone', async () => {
  const here = mkdtempSync(join(folder, 'types-'));
  const file = writeTinyStudy(here, { iterations, arms: '  proxmo:\n', seeds: '[1, 2]' });
  const study = await loadStudy(file, join(here, 'runs'));
  await makeRun(study.runs[0]!, 0.2, 0.5, { gate: 0.4 });
  await makeRun(study.runs[1]!, 0.2, 0.7, {});
  const { arms } = compareArms(study, await readResults(await statusOf(study)));
  expect(arms[0]!.byType.gate).toEqual({ mean: 0.4, interval: null, seeds: 1 });
  expect(arms[0]!.byType.door!.seeds).toBe(2);
});

it.each([
  [1, '', ''],
  [2, ', with its t interval over seeds', ': mean over seeds'],
])('captions of a report over few seeds promise no intervals of means: %i', async (seeds, difference, curve) => {
  const here = mkdtempSync(join(folder, 'few-'));
  const file = writeTinyStudy(here, { iterations, seeds: JSON.stringify([1, 2].slice(0, seeds)) });
  const out = join(here, 'runs');
  const study = await loadStudy(file, out);
  for (const run of study.runs) await makeRun(run, 0.2, run.arm === 'grpo' ? 0.4 : 0.5);
  await proxmo(['study', file, '--out', out, '--report', join(here, 'report')]);
  const text = readFileSync(join(here, 'report', 'report.md'), 'utf8');
  const captions = [...text.matchAll(/!\[(.*)\]\((.*)\.svg\)/g)].map(([, caption, name]) => [name, caption]);
  expect(captions).toEqual([
    ['final-success', 'Held-out success after training (dot) and after the warm start (ring).'],
    ['difference-final', `Difference to proxmo in held-out success after training${difference}.`],
    ['difference-training', `Difference to proxmo in success in training, mean over all iterations${difference}.`],
    ['training-by-iteration', `Success in training, mean of 5 iterations, by iteration${curve}; dashed: proxmo.`],
    [
      'training-by-episodes',
      `Success in training, mean of 5 iterations, by training episodes${curve}; dashed: proxmo.`,
    ],
    ['held-out-by-iteration', `Held-out success, by iteration${curve}; dashed: proxmo.`],
    ['held-out-by-episodes', `Held-out success, by training episodes${curve}; dashed: proxmo.`],
    [
      'seconds',
      `Seconds of an iteration by phase: medians over iterations${seeds > 1 ? ', means over seeds' : ''}; beside a bar the sum of its phases.`,
    ],
  ]);
  expect(text).toContain('With fewer than 3 seeds a mean has no interval, and nothing is said to be separated');
  expect(text).not.toMatch(/bootstrap intervals over seeds|\*\*separated|NaN|undefined/);
});

it('arms that all came to the same are drawn as dots, on an axis that has a length', async () => {
  const here = mkdtempSync(join(folder, 'same-'));
  const file = writeTinyStudy(here, { iterations, seeds: '[1]' });
  const study = await loadStudy(file, join(here, 'runs'));
  for (const run of study.runs) await makeRun(run, 0, 0);
  const drawn = drawFigures(compareArms(study, await readResults(await statusOf(study))), 'proxmo');
  const ends = drawn.filter(({ name }) => /^(final|difference)-/.test(name));
  expect(ends).toHaveLength(3);
  for (const { svg, name } of ends) {
    expect(svg, name).not.toMatch(/<g stroke-width="3"[^>]*><line/);
    expect(svg, name).toContain(name === 'final-success' ? '>100</text>' : '>−1.0</text>');
  }
});
