/**
 * Training in ALFWorld's games and in the shop, as `proxmo train` does it, with a policy of a few thousand parameters:
 * what it reads, what it is shown and what is left behind. The runs are too short to learn a task; that they learn to
 * imitate shows in the loss of the warm start.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { evaluate } from '../../src/rl/evaluate.ts';
import { presets } from '../../src/rl/presets.ts';
import { loadRun, trainRun } from '../../src/rl/run.node.ts';
import { firstEvaluationEpisode } from '../../src/rl/trainer.ts';
import type { TrainEvent } from '../../src/rl/trainingRun.node.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { testDevice } from '../support/adapters.ts';
import { allRows } from '../support/recordedRows.ts';
import { needsData } from '../support/sharedData.ts';

const shared = join(import.meta.dirname, '../../../shared/data');
const games = join(shared, 'alfworld-games');
const shop = join(shared, 'webshop-1000');

const folder = mkdtempSync(join(tmpdir(), 'proxmo-real-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const device = testDevice('software');

/** Everything but the environment, and how much of its turns fits: the same for all. */
const common = {
  policy: { dModel: 16, layers: 1, heads: 2, kvHeads: 1, headDim: 8, dFf: 16 },
  warmStart: { tasks: 4, epochs: 4, batchTurns: 6, learningRate: 1e-2, promptWeight: 0 },
  training: { iterations: 2, pool: 4, tasks: 2, groupSize: 2, miniBatches: 1 },
  advantages: { estimator: 'proxmo' },
};

interface Setting {
  readonly environment: { readonly name: string; readonly options: Readonly<Record<string, unknown>> };
  readonly prompt: { readonly maxTokens: number };
  readonly sampling: { readonly maxNewTokens: number };
  readonly warmStart?: Readonly<Record<string, unknown>>;
  readonly evaluation: { readonly split: string; readonly tasks: number };
}

async function train(name: string, setting: Setting) {
  const dir = join(folder, name);
  const config = trainConfigSchema.parse({
    ...common,
    ...setting,
    warmStart: { ...common.warmStart, ...setting.warmStart },
  });
  const events: TrainEvent[] = [];
  const engine = new Engine(await device);
  const onEvent = (event: TrainEvent) => void (event.kind !== 'progress' && events.push(event));
  const summary = await trainRun(engine, { dir, config, version: '0.0.0', onEvent });
  const warmStart = events.find((event) => event.kind === 'warm start')!;
  return {
    dir,
    engine,
    summary,
    warmStart,
    kinds: events.map(({ kind }) => kind),
    rows: allRows(dir),
    metrics: lines(join(dir, 'metrics.jsonl')),
  };
}

const lines = (path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** What holds for every run of two iterations. */
function expectWholeRun({ kinds, rows, metrics, warmStart }: Awaited<ReturnType<typeof train>>, vocabulary: number) {
  expect(kinds).toEqual([
    'begin',
    'warm start',
    'evaluation',
    'checkpoint',
    'iteration',
    'iteration',
    'evaluation',
    'checkpoint',
  ]);
  // Guessing costs the logarithm of the vocabulary.
  expect(warmStart.loss).toBeLessThan(0.9 * Math.log(vocabulary));
  expect(metrics.map(({ kind, iteration }) => [kind, iteration])).toEqual([
    ['eval', 0],
    ['train', 1],
    ['train', 2],
    ['eval', 2],
  ]);
  for (const { faults, samplerMismatch, skippedSteps, episodes } of metrics.filter(({ kind }) => kind === 'train')) {
    expect({ faults, skippedSteps, episodes }).toEqual({ faults: 0, skippedSteps: 0, episodes: 4 });
    expect(samplerMismatch).toBeLessThan(1e-3);
  }
  expect(new Set(rows.map(({ group }) => group)).size).toBe(4);
  expect(new Set(rows.map(({ trajectory }) => trajectory)).size).toBe(8);
  expect(rows.every(({ advantage }) => Number.isFinite(advantage))).toBe(true);
}

const vocabularyOf = (dir: string) => JSON.parse(readFileSync(join(dir, 'tokenizer.json'), 'utf8')).words.length;

describe('training in the shop', () => {
  it('runs on the self-made catalogue, which is always there', async () => {
    const run = await train('shop', {
      environment: { name: 'webshop', options: { maxSteps: 8 } },
      prompt: { maxTokens: 320 },
      sampling: { maxNewTokens: 28 },
      evaluation: { split: 'unseen', tasks: 5 },
    });
    expectWholeRun(run, vocabularyOf(run.dir));
    expect(run.rows[0]!.observation).toMatch(/^WebShop \[SEP\] Instruction: \[SEP\] Find me /);
    expect(Object.keys(run.summary.after.byTask)).toEqual(['beauty', 'electronics', 'fashion', 'grocery', 'home']);
    expect(run.summary.after.episodes).toBe(5);
    // What a purchase is worth, and for what, is told all the way.
    const parts = ['bought', 'type', 'attributes', 'options', 'price', 'query', 'category', 'title'];
    for (const { score, components } of [run.summary.before, run.summary.after]) {
      expect(Object.keys(components)).toEqual(parts);
      for (const value of [score, ...Object.values(components)])
        expect(value >= 0 && value <= 1, String(value)).toBe(true);
    }
    for (const record of run.metrics)
      expect(Object.keys(record)).toEqual(
        expect.arrayContaining(['score', ...parts.map((name) => `components/${name}`)]),
      );
  });

  it('runs with the preset’s pointers, in which an episode is short and an action one token', async () => {
    const { environment, prompt, sampling } = presets.webshop;
    const run = await train('pointers', {
      environment,
      prompt,
      sampling,
      evaluation: { split: 'unseen', tasks: 3 },
    });
    expectWholeRun(run, vocabularyOf(run.dir));
    expect(vocabularyOf(run.dir)).toBeLessThan(600);
    expect(run.rows.every(({ valid }) => valid)).toBe(true);
    expect(run.rows[0]!.observation).toMatch(/^WebShop \[SEP\] Instruction: \[SEP\] Find me /);
  });

  it('runs on WebShop’s 1,000 products, with a vocabulary of 24,000 words', needsData(shop), async () => {
    const run = await train('webshop', {
      environment: { name: 'webshop', options: { data: shop, maxSteps: 8 } },
      prompt: { maxTokens: 192 },
      sampling: { maxNewTokens: 40 },
      warmStart: { tasks: 2, epochs: 8, learningRate: 3e-2 },
      evaluation: { split: 'seen', tasks: 3 },
    });
    expectWholeRun(run, vocabularyOf(run.dir));
    expect(vocabularyOf(run.dir)).toBeGreaterThan(23_000);
    expect(run.rows[0]!.observation).toMatch(/^WebShop \[SEP\] Instruction: \[SEP\] /);
    expect(run.summary.after.episodes).toBe(3);
  });
});

describe('training in ALFWorld’s games', needsData(games), () => {
  it('starts from the recorded solutions, runs, and then plays every game of a split once', async () => {
    const run = await train('alfworld', {
      environment: { name: 'alfworld', options: { data: games, maxSteps: 12 } },
      prompt: { maxTokens: 320 },
      sampling: { maxNewTokens: 10 },
      warmStart: { teacher: 'solution' },
      evaluation: { split: 'unseen', tasks: 6 },
    });
    expectWholeRun(run, vocabularyOf(run.dir));
    expect(run.rows[0]!.observation).toMatch(
      /^-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room\./,
    );
    expect(Object.keys(run.summary.after.byTask)).toHaveLength(6);

    const { trainer } = await loadRun(run.engine, run.dir);
    const hurried = await createNamedTaskSet('alfworld', { data: games, maxSteps: 2 });
    const tasks = hurried.allTasks!('unseen');
    const evaluation = await evaluate(trainer.policy.player, hurried, tasks, {
      controls: trainer.policy.evaluationControls,
      firstEpisode: firstEvaluationEpisode,
    });
    expect(evaluation.episodes).toBe(134);
    expect(Object.values(evaluation.byTask).map(({ episodes }) => episodes)).toEqual([24, 17, 18, 23, 21, 31]);
  });
});
