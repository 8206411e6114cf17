/**
 * What a fleet costs beyond one process on the same work: seconds of the clock and of the processor, bytes, latency of
 * a piece, idle share of workers. Both train the same run, to the same bits, in turns:
 * `node scripts/run.mjs bench/fleet/measure.ts [--workers 1] [--rounds 2] [--iterations 12] [--set KEY=VALUE]`.
 */
import { parseArgs } from 'node:util';
import { measureAlone, measuredConfig, measureFleet, partProgram } from './measured.ts';
import { beyond, mean, type Tally } from './tally.ts';

await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      preset: { type: 'string' },
      workers: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '2' },
      iterations: { type: 'string', default: '12' },
      skip: { type: 'string', default: '4' },
      adapter: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
    },
  });
  const config = await measuredConfig(values.preset, Number(values.iterations), values.set);
  const measured = { config, adapter: values.adapter, skipped: Number(values.skip) };
  const program = await partProgram();
  const pads = Array.from({ length: Number(values.workers) }, () => 0);
  const [alone, fleet]: [Tally[], Tally[]] = [[], []];
  for (let round = 0; round < Number(values.rounds); round++) {
    alone.push(await measureAlone(program, measured));
    fleet.push(await measureFleet(program, measured, pads));
    if (!values.json) console.log(lineOf(alone.at(-1)!, fleet.at(-1)!));
  }
  if (values.json) console.log(JSON.stringify({ alone, fleet }));
  else console.log(report(alone, fleet));
}

function lineOf(alone: Tally, fleet: Tally): string {
  const { clock, cpu } = beyond(fleet, alone);
  return `alone ${seconds(alone.clock)}, fleet ${seconds(fleet.clock)} an iteration: ${percent(clock)} of the clock, ${percent(cpu)} of the processor`;
}

/** Means over the rounds. */
function report(alone: readonly Tally[], fleet: readonly Tally[]): string {
  const of = (list: readonly Tally[], value: (each: Tally) => number) => mean(list.map(value));
  const shares = fleet.map((each, round) => beyond(each, alone[round]!));
  const names = Object.keys(fleet[0]!.cpu);
  return [
    `iterations ${fleet[0]!.iterations}, pieces of one ${of(fleet, (it) => it.pieces).toFixed(1)}`,
    `alone: rollout ${seconds(of(alone, (it) => it.rollout))}, update ${seconds(of(alone, (it) => it.update))}`,
    `fleet: rollout ${seconds(of(fleet, (it) => it.rollout))}, update ${seconds(of(fleet, (it) => it.update))}`,
    `processor: ${names.map((name) => `${name} ${seconds(of(fleet, (it) => it.cpu[name] ?? 0))}`).join(', ')}`,
    `coordinator while others play: ${seconds(of(fleet, (it) => it.phases.rollout ?? 0))} of the processor`,
    `a piece: ${seconds(of(fleet, (it) => it.computing))}, latency ${seconds(of(fleet, (it) => it.latency))}, of which ${seconds(of(fleet, (it) => it.judging))} are looking at it`,
    `bytes: ${kilobytes(of(fleet, (it) => it.outBytes))} to the server, ${kilobytes(of(fleet, (it) => it.inBytes))} from it`,
    `workers idle in rollouts: ${percent(of(fleet, (it) => it.idle)).slice(1)}`,
    `beyond one process: ${percent(mean(shares.map(({ clock }) => clock)))} of the clock, ${percent(mean(shares.map(({ cpu }) => cpu)))} of the processor`,
  ].join('\n');
}

function seconds(value: number): string {
  return value < 1 ? `${(1000 * value).toFixed(1)} ms` : `${value.toFixed(2)} s`;
}

function kilobytes(value: number): string {
  return `${(value / 1000).toFixed(1)} kB`;
}

function percent(share: number): string {
  return `${share < 0 ? '-' : '+'}${Math.abs(100 * share).toFixed(1)} %`;
}
