/** Whether the simulation tells what real fleets take: of 1 to 4 workers on this machine. */
import { formatTable } from '../../src/cli/table.ts';
import { measuredConfig, measureFleet, partProgram } from './measured.ts';
import { type SimulatedNet, type SimulatedWork, simulate } from './simulation.ts';
import type { Tally } from './tally.ts';

/** Seconds that pieces of each worker are padded to. Their computing is small beside, so few cores hold several. */
const fleets: readonly (readonly number[])[] = [[1], [1, 1], [1, 1, 2], [1, 1.5, 2, 3]];
/** The loopback address. */
const net: SimulatedNet = { roundTrip: 0.001, bitsPerSecond: 1e10, servers: 1 };
const settings = [
  'policy.dModel=16 policy.layers=1 policy.heads=2 policy.kvHeads=1 policy.dFf=16 warmStart.tasks=0',
  'training.tasks=12 training.groupSize=2 training.pool=24 training.miniBatches=1 training.groupsAtOnce=1',
  'environment.options.maxSteps=6 rollouts.keep=none',
].flatMap((line) => line.split(' '));
/** The most that both may differ by. */
const allowed = 0.15;

/** Prints a line for each fleet, and fails where one differs too much. */
export async function checkAgainstFleets(adapter: string | undefined): Promise<void> {
  const config = await measuredConfig(undefined, 8, settings);
  const program = await partProgram();
  const rows: string[][] = [['workers', 'pads', 'measured', 'simulated', 'difference']];
  let work: SimulatedWork | undefined;
  let worst = 0;
  for (const pads of fleets) {
    const measured = await measureFleet(program, { config, adapter, skipped: 3 }, pads);
    // Costs are those of one worker; what more of them come to is simulated.
    work ??= workOf(measured, pads[0]!);
    const { seconds } = simulate(work, net, { speeds: pads.map(() => 1), pads, churn: 0 }, 12);
    const difference = seconds / measured.clock - 1;
    worst = Math.max(worst, Math.abs(difference));
    const percent = `${(100 * difference).toFixed(1)} %`;
    rows.push([String(pads.length), pads.join(' '), measured.clock.toFixed(3), seconds.toFixed(3), percent]);
  }
  console.log(formatTable(rows));
  if (worst <= allowed) return;
  console.error(`The simulation differs by up to ${(100 * worst).toFixed(1)} %, more than ${100 * allowed} %.`);
  process.exitCode = 1;
}

function workOf({ pieces, computing, judging, clock, rollout, inBytes, outBytes }: Tally, pad: number): SimulatedWork {
  const job = {
    ...{ pieces, seconds: Math.max(0, computing - pad), spread: 0, pieceBytes: outBytes / pieces },
    ...{ answerBytes: inBytes / pieces, weightBytes: 1e4, judging, after: clock - rollout },
  };
  return { name: 'measured', jobs: [job], joining: 0 };
}
