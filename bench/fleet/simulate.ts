/**
 * Simulates fleets of 1 to 1,024 workers, prints how far each workload carries, and draws the pictures of
 * docs/fleet.md: `node scripts/run.mjs bench/fleet/simulate.ts [--write] [--speed 1] [--groups N]`. With `--check` it
 * measures real fleets of 1 to 4 workers on this machine, whose pieces are padded so that they do not compete, beside
 * what is simulated.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { formatTable } from '../../src/cli/table.ts';
import { bottleneckOf } from './bottleneck.ts';
import { checkAgainstFleets } from './check.ts';
import { speedUpSvg } from './picture.ts';
import { type SimulatedNet, type SimulatedWork, secondsAlone, simulate, speedsOf } from './simulation.ts';
import { beside, type Learning, workloads } from './workloads.ts';

const counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
const nets: Readonly<Record<string, SimulatedNet>> = {
  '20 ms, 10 Gbit/s': { roundTrip: 0.02, bitsPerSecond: 1e10, servers: 1 },
  '50 ms, 1 Gbit/s': { roundTrip: 0.05, bitsPerSecond: 1e9, servers: 1 },
  '100 ms, 100 Mbit/s': { roundTrip: 0.1, bitsPerSecond: 1e8, servers: 1 },
  '200 ms, 10 Mbit/s': { roundTrip: 0.2, bitsPerSecond: 1e7, servers: 1 },
};
/** Shares of the workers that go in an iteration. */
const churns = [0.01, 0.05, 0.2];
const usualChurn = 0.01;
/** Iterations that are simulated: more where few workers share the chance of going. */
const iterationsOf = (count: number) => (count <= 64 ? 40 : 6);
/** Beyond that, more workers make it less than so much faster: it ends there. */
const worthwhile = 1.1;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      write: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      speed: { type: 'string', default: '1' },
      groups: { type: 'string' },
      adapter: { type: 'string' },
    },
  });
  if (values.check) return checkAgainstFleets(values.adapter);
  const groups = values.groups === undefined ? undefined : Number(values.groups);
  const speed = Number(values.speed);
  // One process plays and learns in turns.
  const kept = workloads('at the coordinator', speed, groups);
  const learnings: readonly Learning[] = ['at the coordinator', beside, 'by workers'];
  for (const learning of learnings) {
    const list = workloads(learning, speed, groups);
    console.log(`\nGradients ${learning}, mixed workers, ${100 * usualChurn} % of which go in an iteration`);
    console.log(formatTable([headings, ...list.flatMap((work, index) => rowsOf(work, secondsAlone(kept[index]!)))]));
    if (!values.write || learning === beside) continue;
    const file = `docs/fleet-${learning === 'by workers' ? 'gradients' : 'rollouts'}.svg`;
    writeFileSync(file, speedUpSvg(`Speed of fleets, gradients ${learning}`, list.flatMap(pointsOf)));
  }
  console.log(
    `\nWorkers that go, gradients at the coordinator, 16 workers, 50 ms, 1 Gbit/s: times the iteration of none`,
  );
  console.log(formatTable([['work', ...churns.map((share) => `${100 * share} %`)], ...kept.map(churnRow)]));
}

const headings = [
  'work',
  'network',
  'alone/h',
  '1',
  '4',
  '16',
  '64',
  '256',
  '1024',
  'efficiency at 16',
  'ends at',
  'since',
];

/** Iterations an hour by workers. */
function rowsOf(work: SimulatedWork, alone: number): string[][] {
  return Object.entries(nets).map(([net, options]) => {
    const seconds = new Map(counts.map((count) => [count, secondsOf(work, options, count)]));
    const perHour = (value: number) => (3600 / value).toPrecision(3);
    const end = counts.find((count) => {
      const next = seconds.get(2 * count);
      return next === undefined || seconds.get(count)! / next < worthwhile;
    })!;
    const fleet = { speeds: speedsOf(2 * end, true), churn: usualChurn };
    return [
      ...[work.name, net, perHour(alone)],
      ...[1, 4, 16, 64, 256, 1024].map((count) => perHour(seconds.get(count)!)),
      `${((100 * alone) / seconds.get(16)! / 16).toFixed(0)} %`,
      ...[String(end), bottleneckOf(work, options, fleet)],
    ];
  });
}

function pointsOf(work: SimulatedWork) {
  const alone = secondsAlone(work);
  return Object.entries(nets).flatMap(([net, options]) =>
    counts.map((workers) => ({ work: work.name, net, workers, speed: alone / secondsOf(work, options, workers) })),
  );
}

function secondsOf(work: SimulatedWork, net: SimulatedNet, count: number): number {
  const fleet = { speeds: speedsOf(count, true), churn: usualChurn };
  return simulate(work, net, fleet, iterationsOf(count)).seconds;
}

function churnRow(work: SimulatedWork): string[] {
  const at = (churn: number) =>
    simulate(work, nets['50 ms, 1 Gbit/s']!, { speeds: speedsOf(16, true), churn }, 40).seconds;
  const none = at(0);
  return [work.name, ...churns.map((churn) => (at(churn) / none).toFixed(2))];
}

await main();
