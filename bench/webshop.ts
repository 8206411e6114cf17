/**
 * Speed and memory of the shop: loading a catalogue, searches, and steps with random admissible actions, by a second of
 * processor time; for the self-made catalogue of 600 and of 100,000 products and, where the data lies beside the
 * checkout, for WebShop's 1,000. Prints one JSON row per shop.
 *
 * Run: `node scripts/run.mjs bench/webshop.ts` (with `NODE_OPTIONS=--expose-gc` memory is exact)
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Turn } from '../src/envs/environment.ts';
import { RandomStream } from '../src/envs/random.ts';
import { createWebshopTaskSet } from '../src/envs/webshop/index.node.ts';
import type { WebshopOptions, WebshopTaskSet } from '../src/envs/webshop/index.ts';
import { makeCatalogue } from '../src/envs/webshop/selfMade.ts';
import { indexProducts } from '../src/envs/webshop/shop.ts';

const DATA = join(process.cwd(), '../shared/data/webshop-1000');

/** Seconds of processor time. */
function now(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/**
 * Calls `work`, which answers how many things it did, for two seconds; gives how many a second it did in the second
 * one.
 */
function perSecond(work: () => number): number {
  const run = (seconds: number): number => {
    const start = now();
    let done = 0;
    while (now() - start < seconds) for (let i = 0; i < 10; i++) done += work();
    return done / (now() - start);
  };
  run(1);
  return Math.round(run(1));
}

/** Bytes in use, of the heap and of typed arrays. */
function usedMemory(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function benchShop(name: string, options: WebshopOptions): Promise<void> {
  const memory = usedMemory();
  const start = now();
  const set = await createWebshopTaskSet(options);
  const loadSeconds = now() - start;
  const megabytes = (usedMemory() - memory) / 2 ** 20;
  const tasks = set.allTasks('train');
  const row = {
    shop: name,
    goals: tasks.length,
    loadSeconds: round(loadSeconds),
    megabytes: Math.round(megabytes),
    ...speeds(set),
  };
  console.log(JSON.stringify(row));
}

function speeds(set: WebshopTaskSet): { steps: number; expertSteps: number } {
  const environment = set.createEnvironment();
  const tasks = set.allTasks('train').slice(0, 2000);
  const random = new RandomStream(1);
  const episode = (choose: (turn: Turn) => string): number => {
    let steps = 0;
    for (let turn: Turn = environment.reset(random.pick(tasks)); !turn.done; steps++)
      turn = environment.step(choose(turn));
    return steps;
  };
  const expert = set.createExpert();
  return {
    steps: perSecond(() => episode((turn) => random.pick(turn.admissibleActions!))),
    expertSteps: perSecond(() => {
      const first = environment.reset(random.pick(tasks));
      expert.reset(first.instruction);
      let steps = 0;
      for (let turn: Turn = first; !turn.done; steps++) turn = environment.step(expert.act(turn));
      return steps;
    }),
  };
}

/** Searches for whole instructions, with no result remembered. */
function benchSearch(count: number): void {
  const products = makeCatalogue(count);
  const memory = usedMemory();
  const start = now();
  const index = indexProducts(products);
  const buildSeconds = now() - start;
  const megabytes = (usedMemory() - memory) / 2 ** 20;
  let next = 0;
  const searches = perSecond(() => {
    index.search(products[(next += 7919) % count]!.instruction!.text, 50);
    return 1;
  });
  console.log(
    JSON.stringify({ index: count, buildSeconds: round(buildSeconds), megabytes: Math.round(megabytes), searches }),
  );
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

await benchShop('self-made, 600 products', {});
await benchShop('self-made, 100,000 products', { products: 100_000 });
if (existsSync(DATA)) await benchShop('WebShop, 1,000 products', { data: DATA });
else console.log(`WebShop: skipped, no data at ${DATA}`);
benchSearch(600);
benchSearch(100_000);
