/** What processes of a measured fleet say, and what it comes to. */

/** What a process says to its parent. Seconds of the processor and bytes are those so far. */
export type Said =
  | {
      readonly kind: 'iteration';
      /** Of the process's own clock. */
      readonly at: number;
      readonly cpu: number;
      /** Seconds of the processor by phase. */
      readonly phases: Readonly<Record<string, number>>;
      /** Seconds of the clock by phase, of this iteration. */
      readonly seconds: { readonly rollout: number; readonly advantage: number; readonly update: number };
      readonly inBytes: number;
      readonly outBytes: number;
    }
  | {
      /** An answer counts: see `PieceTiming`. */
      readonly kind: 'piece';
      readonly name: string;
      readonly worker: string;
      readonly computing: number;
      readonly latency: number | null;
      readonly judging: number;
    }
  /** A worker has done a piece. */
  | { readonly kind: 'did'; readonly worker: string; readonly cpu: number; readonly seconds: number };

type Iteration = Extract<Said, { readonly kind: 'iteration' }>;

/** Means of an iteration, in seconds and bytes. */
export interface Tally {
  readonly iterations: number;
  readonly clock: number;
  /** Of the processor, by process that was measured, the server among them. */
  readonly cpu: Readonly<Record<string, number>>;
  /** Of the processor of the process that trains, by phase. */
  readonly phases: Readonly<Record<string, number>>;
  readonly rollout: number;
  readonly update: number;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly pieces: number;
  /** Medians of pieces of iterations. */
  readonly computing: number;
  readonly latency: number;
  readonly judging: number;
  /** Share of rollouts in which workers were at no piece. */
  readonly idle: number;
}

/** What a process of a measured fleet has said, with the seconds that its server had used by then. */
export interface Heard {
  readonly said: Said;
  readonly server: number;
}

/**
 * @param skipped iterations at the beginning that do not count: kernels are compiled, and workers are new
 * @param workers how many there were; 0 where one process trained alone
 */
export function tally(heard: readonly Heard[], skipped: number, workers: number): Tally {
  const ends = heard.flatMap(({ said, server }, at) => (said.kind === 'iteration' ? [{ said, server, at }] : []));
  const [first, last] = [ends[skipped - 1], ends.at(-1)];
  if (!first || !last || first === last) throw new Error(`only ${ends.length} iterations were done`);
  const iterations = ends.length - skipped;
  const within = heard.slice(first.at + 1, last.at + 1).map(({ said }) => said);
  const pieces = within.flatMap((said) => (said.kind === 'piece' ? [said] : []));
  const rollout = mean(ends.slice(skipped).map(({ said }) => said.seconds.rollout));
  const played = pieces.filter(({ name }) => name.startsWith('iteration'));
  const busy = played.reduce((sum, { computing }) => sum + computing, 0) / iterations;
  const per = (of: (said: Iteration) => number) => (of(last.said) - of(first.said)) / iterations;
  return {
    iterations,
    clock: per(({ at }) => at),
    cpu: {
      [workers === 0 ? 'alone' : 'coordinator']: per(({ cpu }) => cpu),
      ...workerSeconds(heard, first.at, last.at, iterations),
      ...(workers === 0 ? {} : { 'nats-server': (last.server - first.server) / iterations }),
    },
    phases: Object.fromEntries(Object.keys(last.said.phases).map((name) => [name, per((it) => it.phases[name] ?? 0)])),
    rollout,
    update: mean(ends.slice(skipped).map(({ said }) => said.seconds.update)),
    inBytes: per(({ inBytes }) => inBytes),
    outBytes: per(({ outBytes }) => outBytes),
    pieces: pieces.length / iterations,
    computing: median(played.map(({ computing }) => computing)),
    latency: median(played.flatMap(({ latency }) => (latency === null ? [] : [latency]))),
    judging: median(played.map(({ judging }) => judging)),
    idle: workers === 0 ? 0 : Math.max(0, 1 - busy / (workers * rollout)),
  };
}

/** Seconds of the processor of each worker in an iteration, between two places in what was heard. */
function workerSeconds(heard: readonly Heard[], from: number, to: number, iterations: number): Record<string, number> {
  const last = (end: number) => {
    const seconds = new Map<string, number>();
    for (const { said } of heard.slice(0, end + 1)) if (said.kind === 'did') seconds.set(said.worker, said.cpu);
    return seconds;
  };
  const [before, after] = [last(from), last(to)];
  return Object.fromEntries(
    [...after].map(([worker, cpu]) => [worker, (cpu - (before.get(worker) ?? 0)) / iterations]),
  );
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** 0 of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** By how much a fleet takes longer than one process, as a share of that; of the clock, and of all processors' time. */
export function beyond(fleet: Tally, alone: Tally): { readonly clock: number; readonly cpu: number } {
  const total = ({ cpu }: Tally) => Object.values(cpu).reduce((sum, seconds) => sum + seconds, 0);
  return { clock: fleet.clock / alone.clock - 1, cpu: total(fleet) / total(alone) - 1 };
}
