/**
 * Speed of the environments: loads and steps, by a second of processor time, of household games and, where the data
 * lies beside the checkout, of real ALFWorld games. Steps are random admissible commands, with the list of admissible
 * commands made at each. Prints one JSON row per figure.
 *
 * Run: `node scripts/run.mjs bench/envs.ts`
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type AlfworldEnvironment, createAlfworldTaskSet } from '../src/envs/alfworld/index.node.ts';
import { createHouseholdTaskSet, type HouseholdOptions, type Turn } from '../src/envs/index.ts';
import { RandomStream } from '../src/envs/random.ts';

const ALFWORLD = join(process.cwd(), '../shared/data/alfworld-games/');

/** Calls `work`, which answers how many things it did, after a warm-up; prints how many a second of processor time. */
function measure(what: string, work: () => number): void {
  const run = (seconds: number): number => {
    const start = process.cpuUsage();
    let done = 0;
    let spent = 0;
    while (spent < seconds) {
      for (let i = 0; i < 20; i++) done += work();
      const { user, system } = process.cpuUsage(start);
      spent = (user + system) / 1e6;
    }
    return done / spent;
  };
  run(1);
  console.log(JSON.stringify({ what, perSecond: Math.round(run(1)) }));
}

function benchHousehold(name: string, options: HouseholdOptions): void {
  const set = createHouseholdTaskSet(options);
  const environment = set.createEnvironment();
  const tasks = set.tasks('train', 300, 1);
  const random = new RandomStream(1);
  measure(`household, ${name}: resets`, () => {
    environment.reset(random.pick(tasks));
    return 1;
  });
  measure(`household, ${name}: steps, resets included`, () => {
    let turn: Turn = environment.reset(random.pick(tasks));
    let steps = 0;
    for (; !turn.done; steps++) turn = environment.step(random.pick(turn.admissibleActions!));
    return steps;
  });
}

async function benchAlfworld(): Promise<void> {
  const set = await createAlfworldTaskSet({ data: ALFWORLD });
  const tasks = set.allTasks('seen');
  const random = new RandomStream(1);
  const load = (): AlfworldEnvironment => {
    const environment = set.createEnvironment();
    environment.reset(random.pick(tasks));
    return environment;
  };
  measure('ALFWorld: loads', () => {
    load();
    return 1;
  });
  const starts = Array.from({ length: 20 }, load);
  measure('ALFWorld: steps', () => {
    const environment = random.pick(starts).clone();
    let { turn } = environment.save();
    let steps = 0;
    for (; !turn.done; steps++) turn = environment.step(random.pick(turn.admissibleActions!));
    return steps;
  });
}

benchHousehold('default', {});
benchHousehold('25 receptacles', { receptacles: 25, objects: 30, rooms: 20 });
if (existsSync(ALFWORLD)) await benchAlfworld();
else console.log(`ALFWorld: skipped, no games at ${ALFWORLD}`);
