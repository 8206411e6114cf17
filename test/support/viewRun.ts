/** Run folders as training leaves them, small and made at once, for what reads runs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { PlayedBatch } from '../../src/base/playedBatch.ts';
import { referenceAdvantages } from '../../src/rl/advantages/index.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { type PlayedRow, type RecordedRow, recordSchemas } from '../../src/rl/credit/record.ts';
import type { LiveProgress } from '../../src/rl/liveProgress.ts';
import { presets } from '../../src/rl/presets.ts';
import { RolloutFolder } from '../../src/runs/rollouts.ts';

const [tasks, groupSize, turns] = [4, 4, 5];
const places = ['sink', 'cabinet', 'shelf', 'fridge', 'drawer'];

/** Turns of an iteration, of which half of the groups' episodes succeed, and none of the last group's. */
function playedRows(iteration: number, text: (observation: string) => string) {
  return Array.from({ length: tasks * groupSize * turns }, (_, index) => {
    const [episode, step] = [Math.floor(index / turns), index % turns];
    const [task, member] = [Math.floor(episode / groupSize), episode % groupSize];
    const success = task < tasks - 1 && member < 1 + ((task + iteration) % (groupSize - 1));
    const place = places[(step + member * (success ? 1 : 2)) % places.length]!;
    return {
      group: `kitchen-${task}/clean-cup-${places[task]}`,
      trajectory: `episode-${episode}`,
      step,
      reward: success && step === turns - 1 ? 10 : 0,
      success,
      valid: (episode + step) % 9 !== 0,
      observation: text(`in ${place} you see ${step > 2 ? 'a cup' : 'nothing'}.`),
      instruction: text(`clean the cup and put it in ${places[task]}.`),
      action: `go ${places[(step + member) % places.length]}`,
    };
  });
}

/** What `rollouts/` keeps of an iteration: rows with the credit that the paper's estimator gives them. */
export function recordedRows(
  iteration: number,
  text: (observation: string) => string = (plain) => plain,
): RecordedRow[] {
  const rows = playedRows(iteration, text);
  const { advantage, episode, step, score, stepReturn, penalisedReturn } = referenceAdvantages(rows, {
    estimator: 'proxmo',
  });
  const ofGroup = (group: string) => [...rows.keys()].filter((index) => rows[index]!.group === group);
  return rows.map((row, index): RecordedRow => {
    const members = ofGroup(row.group);
    const mean = members.reduce((sum, other) => sum + score[other]!, 0) / members.length;
    const baseline = penalisedReturn[index]! - step[index]!;
    const neighbours = members.slice(0, 3).map((other) => ({
      trajectory: rows[other]!.trajectory,
      step: rows[other]!.step,
      turns: 1,
      similarity: rows[other]!.observation === row.observation ? 1 : 0.5,
      weight: 0.25,
      return: penalisedReturn[other]!,
    }));
    return {
      ...row,
      prompt: `${row.instruction}\n${row.observation}\n>`,
      context: 0,
      truncated: false,
      reply: [...row.action.split(' '), '<end>'],
      cut: false,
      logProbs: [-0.1, -1.5, 0],
      referenceLogProbs: [-0.2, -0.4, 0],
      kl: 0.02,
      actions: places.map((place) => `go ${place}`),
      branches: places.map((_, at) => ({ actions: [at], probability: 0.2 })),
      advantage: advantage[index]!,
      episodeAdvantage: episode[index]!,
      stepAdvantage: step[index]!,
      episodeLevel: {
        score: score[index]!,
        baseline: mean,
        scale: episode[index] === 0 ? 1 : (score[index]! - mean) / episode[index]!,
        before: episode[index]!,
        weight: 1,
        successRate: 0.5,
      },
      stepLevel: {
        return: stepReturn[index]!,
        penalisedReturn: penalisedReturn[index]!,
        baseline,
        before: step[index]!,
        scale: 1,
        omega: 1,
        neighbours,
      },
      seconds: { reply: 0.1, world: 0.01 },
    };
  });
}

export function trainRecord(iteration: number, figures: Readonly<Record<string, number>> = {}): string {
  const record = {
    kind: 'train',
    iteration,
    episodes: tasks * groupSize,
    steps: tasks * groupSize * turns,
    success: 0.3 + 0.02 * iteration,
    deadGroupShare: 0.25,
    groups: tasks,
    kl: 0.01 * iteration,
    entropy: 0.2,
    gradientNorm: 0.8,
    length: turns,
    validShare: 1,
    truncatedReplies: 0,
    skippedSteps: 0,
    samplerMismatch: 1e-6,
    clipShare: 0,
    learningRate: 1e-3,
    tokensPerSecond: 1000,
    'seconds/rollout': 1,
    'seconds/advantage': 0.1,
    'seconds/update': 2,
    'seconds/total': 3.1,
    ...figures,
  };
  return `${JSON.stringify(record)}\n`;
}

export function evalRecord(iteration: number, success: number): string {
  const [low, high] = [Math.max(0, success - 0.05), success + 0.05];
  return `${JSON.stringify({ kind: 'eval', iteration, success, low, high, episodes: 120, 'success/clean': success })}\n`;
}

interface RunOptions {
  readonly iterations?: number;
  readonly seed?: number;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly isFinished?: boolean;
  readonly text?: (observation: string) => string;
  /** Success of the last evaluation. */
  readonly success?: number;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/** Writes the rows of an iteration and their index, as training does. */
export async function writeRollout(dir: string, iteration: number, rows: readonly RecordedRow[]): Promise<void> {
  const levels = {
    advantage: rows.map(({ advantage }) => advantage),
    episode: rows.map(({ episodeAdvantage }) => episodeAdvantage),
    step: rows.map(({ stepAdvantage }) => stepAdvantage),
  };
  await write(dir, { split: 'training', iteration }, rows, { levels });
}

/** Writes the evaluation after an iteration: of each task the first episode, without credit. */
export async function writeHeldOut(dir: string, iteration: number, rows: readonly RecordedRow[]): Promise<void> {
  const first = new Map(rows.toReversed().map(({ group, trajectory }) => [group, trajectory]));
  const played = rows
    .filter(({ group, trajectory }) => first.get(group) === trajectory)
    .map((row) => recordSchemas['held-out'].row.parse({ ...row, group: `held-out/${row.group}` }));
  await write(dir, { split: 'held-out', iteration }, played, {});
}

async function write(dir: string, batch: PlayedBatch, rows: readonly PlayedRow[], more: object): Promise<void> {
  const groups = [...grouped(rows, ({ group }) => group).values()];
  await new RolloutFolder(dir).write(batch, groups, (placesOf) => ({
    format: 'proxmo-rollout',
    formatVersion: 1,
    iteration: batch.iteration,
    time: new Date().toISOString(),
    groups: groups.map((members, index) => ({
      id: members[0]!.group,
      type: 'clean',
      instruction: members[0]!.instruction,
      episodes: [...grouped(members, ({ trajectory }) => trajectory)].map(([id, steps]) => {
        const earned = steps.reduce((sum, { reward }) => sum + reward, 0);
        const { success } = steps[0]!;
        return { id, success, score: success ? 1 : 0, return: earned, steps: steps.length, faults: 0 };
      }),
      rows: { ...placesOf[index]! },
    })),
    ...more,
  }));
}

/** Writes a run and gives its folder back. */
export async function writeRun(dir: string, options: RunOptions = {}): Promise<string> {
  const { iterations = 3, seed = 1, settings = {}, isFinished = true, text, success = 0.6 } = options;
  mkdirSync(dir, { recursive: true });
  const { training, ...preset } = presets.small;
  const config = trainConfigSchema.parse({ ...preset, training: { ...training, iterations }, seed, ...settings });
  const adapter = { name: 'a test', driver: 'none' };
  const started = new Date().toISOString();
  const manifest = { format: 'proxmo-run', formatVersion: 1, seed, version: '0.1.0', adapter, started, resumes: [] };
  writeFileSync(join(dir, 'run.json'), JSON.stringify(manifest));
  writeFileSync(join(dir, 'config.yaml'), stringify(config));
  const numbers = Array.from({ length: iterations }, (_, index) => index + 1);
  const records = numbers.map((iteration) => trainRecord(iteration));
  writeFileSync(
    join(dir, 'metrics.jsonl'),
    [evalRecord(0, 0.1), ...records, ...(isFinished ? [evalRecord(iterations, success)] : [])].join(''),
  );
  for (const iteration of numbers) await writeRollout(dir, iteration, recordedRows(iteration, text));
  for (const iteration of isFinished ? [0, iterations] : [0])
    await writeHeldOut(dir, iteration, recordedRows(iteration, text));
  if (isFinished) writeFileSync(join(dir, 'summary.json'), JSON.stringify({ seed, after: { success } }));
  writeFileSync(
    join(dir, 'run.log'),
    `${started} ${isFinished ? `finished after iteration ${iterations}` : 'begun'}\n`,
  );
  return dir;
}

/**
 * Writes a run of `proxmo sft` and gives its folder back.
 * @param losses on held-out chats, before the first epoch of four steps and after each
 */
export function writeTunedRun(dir: string, losses: readonly number[]): string {
  mkdirSync(dir, { recursive: true });
  const started = new Date().toISOString();
  const adapter = { name: 'a test', driver: 'none' };
  const format = { format: 'proxmo-run', formatVersion: 1, kind: 'sft', version: '0.1.0' };
  writeFileSync(join(dir, 'run.json'), JSON.stringify({ ...format, seed: 1, adapter, started, resumes: [] }));
  writeFileSync(join(dir, 'config.yaml'), stringify({ model: 'tiny', data: { path: 'chats.jsonl' }, seed: 1 }));
  const evaluation = (step: number, loss: number) => ({ kind: 'eval', iteration: step, loss, perplexity: 2, chats: 3 });
  const step = (iteration: number) => ({
    ...{ kind: 'train', iteration, epoch: iteration / 4, loss: 3 / iteration, learningRate: 1e-3, gradientNorm: 1 },
    ...{ tokens: 100, replyTokens: 20, tokensPerSecond: 50, 'seconds/total': 2 },
  });
  const records = losses.flatMap((loss, epoch) => [
    ...(epoch === 0 ? [] : [1, 2, 3, 4].map((each) => step(4 * (epoch - 1) + each))),
    evaluation(4 * epoch, loss),
  ]);
  writeFileSync(join(dir, 'metrics.jsonl'), records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  writeFileSync(join(dir, 'run.log'), `${started} begun\n`);
  return dir;
}

/** Says what a run does at the moment, as its trainer does. */
export function writeProgress(dir: string, progress: Partial<LiveProgress> = {}): void {
  const left = { share: 0.25, seconds: 90 };
  const whole = { time: new Date().toISOString(), iteration: 3, phase: 'rollout', done: 0.5, stage: left, run: left };
  writeFileSync(join(dir, 'progress.json'), JSON.stringify({ ...whole, ...progress }));
}

/** Marks a run as being written by this process, as `lock.node.ts` does. */
export function holdRun(dir: string, host: string): void {
  writeFileSync(
    join(dir, 'run.lock'),
    JSON.stringify({ pid: process.pid, host, processStarted: Math.round(Date.now() - process.uptime() * 1000) }),
  );
}
