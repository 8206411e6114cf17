/**
 * Speed of the environments: loads and steps, by a second of processor time, of household games and, where the data
 * lies beside the checkout, of real ALFWorld games. Steps are random admissible commands, with the list of admissible
 * commands made at each. Prints one JSON row per figure.
 *
 * Run: `node scripts/run.mjs bench/envs.ts`
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openLibrary } from '../src/envs/alfworld/library.node.ts';
import { GameLoader } from '../src/envs/alfworld/loader.ts';
import { createHouseholdTaskSet, type HouseholdOptions, type Turn } from '../src/envs/index.ts';
import { RandomStream } from '../src/envs/random.ts';
import type { Game } from '../src/envs/textgame/index.ts';

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

function benchAlfworld(): void {
  const { games } = openLibrary(ALFWORLD, ['valid_seen']).list('valid_seen');
  const loader = new GameLoader();
  const random = new RandomStream(1);
  const load = (): Game => {
    const stored = random.pick(games);
    return loader.load(stored.read(), stored.where);
  };
  measure('ALFWorld: loads', () => {
    load();
    return 1;
  });
  const loaded = Array.from({ length: 20 }, load);
  measure('ALFWorld: steps', () => {
    const game = random.pick(loaded);
    let turn = game.reset();
    let steps = 0;
    for (; !turn.done && steps < 50; steps++) turn = game.step(random.pick(turn.admissible));
    return steps;
  });
}

benchHousehold('default', {});
benchHousehold('25 receptacles', { receptacles: 25, objects: 30, rooms: 20 });
if (existsSync(ALFWORLD)) benchAlfworld();
else console.log(`ALFWorld: skipped, no games at ${ALFWORLD}`);
