/**
 * Speed of the environments: loads and steps, by a second of processor time, of household games and, where the data lies beside the checkout, of real
 * ALFWorld games. Steps are random admissible commands, with the list of admissible commands made at each. Prints one JSON row per figure.
 *
 * Run: `node scripts/run.mjs bench/envs.ts`
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createHouseholdTaskSet, type HouseholdOptions, type Turn } from '../src/envs/index.ts';
import { RandomStream } from '../src/envs/random.ts';
import { compileLogic, Game, nameByClass } from '../src/envs/textgame/index.ts';

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
  const logic = compileLogic(readFileSync(`${ALFWORLD}domain.pddl`, 'utf8'), readFileSync(`${ALFWORLD}grammar.twl2`, 'utf8'));
  const lines = gunzipSync(readFileSync(`${ALFWORLD}games/valid_seen.jsonl.gz`))
    .toString('utf8')
    .trim()
    .split('\n');
  const problems = lines.map((line) => (JSON.parse(line) as { pddl_problem: string }).pddl_problem);
  const random = new RandomStream(1);
  const load = (): Game => new Game(logic, random.pick(problems), { naming: nameByClass });
  measure('ALFWorld: loads', () => {
    load();
    return 1;
  });
  const games = Array.from({ length: 20 }, load);
  measure('ALFWorld: steps', () => {
    const game = random.pick(games);
    let turn = game.reset();
    let steps = 0;
    for (; steps < 50 && !turn.done; steps++) turn = game.step(random.pick(turn.admissible));
    return steps;
  });
}

benchHousehold('default', {});
benchHousehold('25 receptacles', { receptacles: 25, objects: 30, rooms: 20 });
if (existsSync(ALFWORLD)) benchAlfworld();
else console.log(`ALFWorld: skipped, no games at ${ALFWORLD}`);
