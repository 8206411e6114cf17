/**
 * How well the hand-written ALFWorld player does: every game of every split once, within 50 steps. Prints one JSON row
 * per split and task type: games, share won, and mean number of steps of the games won.
 *
 * Run: `node scripts/run.mjs bench/alfworldExpert.ts [folder of the games]`
 */
import { join } from 'node:path';
import { type AlfworldTask, type AlfworldTaskSet, createAlfworldTaskSet } from '../src/envs/alfworld/index.node.ts';
import type { Split, Turn } from '../src/envs/environment.ts';

const data = process.argv[2] ?? join(process.cwd(), '../shared/data/alfworld-games');

/** Steps to success, or null. */
function play(set: AlfworldTaskSet, task: AlfworldTask): number | null {
  const environment = set.createEnvironment();
  const expert = set.createExpert();
  const first = environment.reset(task);
  expert.reset(first.instruction);
  let turn: Turn = first;
  let steps = 0;
  for (; !turn.done; steps++) turn = environment.step(expert.act(turn));
  return turn.success ? steps : null;
}

function report(set: AlfworldTaskSet, split: string, tasks: readonly AlfworldTask[]): void {
  const results = tasks.map((task) => ({ type: task.type, steps: play(set, task) }));
  for (const type of [...set.types, 'all']) {
    const games = results.filter((result) => type === 'all' || result.type === type);
    const won = games.flatMap(({ steps }) => steps ?? []);
    const meanSteps = won.reduce((sum, steps) => sum + steps, 0) / won.length;
    console.log(JSON.stringify({ split, type, games: games.length, won: won.length / games.length, meanSteps }));
  }
}

for (const names of [{ train: 'train', seen: 'valid_seen', unseen: 'valid_unseen' }, { seen: 'valid_train' }]) {
  const set = await createAlfworldTaskSet({ data, splits: names });
  for (const [split, name] of Object.entries(names)) report(set, name, set.allTasks(split as Split));
}
