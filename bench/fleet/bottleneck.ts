/** What holds a simulated fleet up: what saves most where it costs nothing. */
import {
  type SimulatedFleet,
  type SimulatedJob,
  type SimulatedNet,
  type SimulatedRun,
  type SimulatedWork,
  simulate,
} from './simulation.ts';

/** What would save most of an iteration if it cost nothing. */
export type Bottleneck =
  | 'learning'
  | 'network'
  | 'reading answers'
  | 'size of pieces'
  | 'workers that go'
  | 'computing';

export function bottleneckOf(work: SimulatedWork, net: SimulatedNet, fleet: SimulatedFleet): Bottleneck {
  const without: Record<Exclude<Bottleneck, 'computing'>, () => SimulatedRun> = {
    learning: () =>
      simulate(
        changed(work, () => ({ after: 0 })),
        net,
        fleet,
      ),
    network: () => simulate(work, { ...net, roundTrip: 0, bitsPerSecond: 1e15 }, fleet),
    'reading answers': () =>
      simulate(
        changed(work, () => ({ judging: 0 })),
        net,
        fleet,
      ),
    'size of pieces': () => simulate(changed(work, finer), net, fleet),
    'workers that go': () => simulate(work, net, { ...fleet, churn: 0 }),
  };
  const { seconds } = simulate(work, net, fleet);
  const savings = Object.entries(without).map(([name, run]) => ({ name, saving: 1 - run().seconds / seconds }));
  const most = savings.reduce((a, b) => (b.saving > a.saving ? b : a));
  return most.saving > 0.1 ? (most.name as Bottleneck) : 'computing';
}

function changed(work: SimulatedWork, change: (job: SimulatedJob) => Partial<SimulatedJob>): SimulatedWork {
  return { ...work, jobs: work.jobs.map((job) => ({ ...job, ...change(job) })) };
}

/** The same work in sixteen times as many pieces. */
function finer({ pieces, seconds, pieceBytes, answerBytes, judging }: SimulatedJob): Partial<SimulatedJob> {
  const parts = 16;
  return {
    pieces: pieces * parts,
    seconds: seconds / parts,
    pieceBytes: pieceBytes / parts,
    answerBytes: answerBytes / parts,
    judging: judging / parts,
  };
}
