/**
 * How fast environments are on the host: steps with random actions among those on offer, the list of which is made at
 * each, and starts of episodes; and searches of the web shop. What a hand-written player accomplishes checks them.
 */
import type { Split, Task, TaskSet, Turn } from '../../envs/environment.ts';
import { createNamedTaskSet } from '../../envs/registry.node.ts';
import { makeCatalogue } from '../../envs/webshop/selfMade.ts';
import { indexProducts } from '../../envs/webshop/shop.ts';
import { Random } from '../../tensor/random.ts';
import type { OpenWorkload, Workload } from './workload.ts';

interface EnvironmentCase {
  readonly name: string;
  readonly shape?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly isLarge?: boolean;
  /** Where its tasks come from: games of ALFWorld's large splits take long to find. */
  readonly split?: Split;
}

const cases: readonly EnvironmentCase[] = [
  { name: 'household' },
  { name: 'household', shape: 'receptacles=25', options: { receptacles: 25, objects: 30, rooms: 20 } },
  { name: 'alfworld', split: 'seen' },
  { name: 'webshop', shape: 'products=600' },
  { name: 'webshop', shape: 'products=100000', options: { products: 100_000 }, isLarge: true },
];
const [stepCount, startCount, searchCount] = [2000, 200, 200];
/** Tasks that episodes are of, and those that the player is given. */
const [taskCount, checkedTasks] = [100, 10];

export const environmentWorkloads: readonly Workload[] = [
  ...cases.flatMap((each) => [
    workload(each, 'steps', stepCount, (set, tasks) => (round) => playAtRandom(set, tasks, round)),
    workload(each, 'starts', startCount, (set, tasks) => (round) => startEpisodes(set, tasks, round)),
  ]),
  searchWorkload(600),
  searchWorkload(100_000),
];

function workload(
  { name, shape = '', options = {}, isLarge = false, split = 'train' }: EnvironmentCase,
  unit: string,
  count: number,
  runs: (set: TaskSet, tasks: readonly Task[]) => OpenWorkload['run'],
): Workload {
  return {
    name: `env/${name}-${unit}`,
    shape: `${shape} ${unit}=${count}`.trim(),
    variant: 'host',
    flops: 0,
    bytes: 0,
    units: { name: unit, count },
    isLarge: () => isLarge,
    open: async () => {
      const set = await createNamedTaskSet(name, options);
      return {
        run: runs(set, set.tasks(split, taskCount, 1)),
        isCorrect: () => playerSucceeds(set, set.tasks(split, checkedTasks, 2)),
        destroy: () => void set.close?.(),
      };
    },
  };
}

/** Episodes one after another, for as many steps as are to be timed. */
async function playAtRandom(set: TaskSet, tasks: readonly Task[], round: number): Promise<void> {
  const random = new Random(round, 'environment bench');
  const environment = set.createEnvironment();
  let turn: Turn | undefined;
  for (let step = 0; step < stepCount; step++) {
    if (!turn || turn.done) turn = await environment.reset(pick(tasks, random));
    turn = await environment.step(pick(turn.admissibleActions ?? [''], random));
  }
  await environment.close?.();
}

async function startEpisodes(set: TaskSet, tasks: readonly Task[], round: number): Promise<void> {
  const random = new Random(round, 'environment bench');
  const environment = set.createEnvironment();
  for (let start = 0; start < startCount; start++) await environment.reset(pick(tasks, random));
  await environment.close?.();
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random.below(items.length)]!;
}

/** Whether a hand-written player accomplishes nearly all of some tasks. */
async function playerSucceeds(set: TaskSet, tasks: readonly Task[]): Promise<boolean> {
  const player = set.createExpert?.();
  if (!player) return false;
  const environment = set.createEnvironment();
  let successes = 0;
  for (const task of tasks) {
    const first = await environment.reset(task);
    player.reset(first.instruction);
    let turn: Turn = first;
    for (let step = 0; !turn.done && step < set.maxSteps; step++) turn = await environment.step(player.act(turn));
    if (turn.success) successes++;
  }
  await environment.close?.();
  return successes >= 0.9 * tasks.length;
}

/** Searches for whole instructions, with no result remembered. */
function searchWorkload(productCount: number): Workload {
  return {
    name: 'env/webshop-search',
    shape: `products=${productCount} searches=${searchCount}`,
    variant: 'host',
    flops: 0,
    bytes: 0,
    units: { name: 'searches', count: searchCount },
    isLarge: () => productCount > 1000,
    open: async () => {
      const products = makeCatalogue(productCount);
      const index = indexProducts(products);
      const most = 50;
      let next = 0;
      const search = () => {
        next = (next + 7919) % productCount;
        return index.search(products[next]!.instruction!.text, most);
      };
      return {
        run: async () => {
          for (let done = 0; done < searchCount; done++) search();
        },
        isCorrect: async () => {
          const scores = search().map(({ score }) => score);
          return scores.length > 0 && scores.every((score, rank) => score <= (scores[rank - 1] ?? score));
        },
        destroy: () => undefined,
      };
    },
  };
}
