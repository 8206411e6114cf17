/**
 * A fleet by discrete events: a coordinator that hands out jobs of pieces and waits for all answers to one, a server
 * whose links are shared, and workers that pull, fetch weights, compute, answer, come and go. Times of protocol are
 * those of `src/fleet`: what is written there once is told here in seconds.
 */
import { RandomStream } from '../../src/envs/random.ts';
import { presenceSeconds } from '../../src/fleet/protocol.ts';
import { PieceTimes } from '../../src/fleet/round.ts';
import { silenceSeconds } from '../../src/fleet/server.ts';
import { Events } from './events.ts';

/** Pieces that are done together, and what the coordinator does when it has all answers. */
export interface SimulatedJob {
  readonly pieces: number;
  /** That a piece takes on a worker of speed 1. */
  readonly seconds: number;
  /** Standard deviation of the logarithm of that. */
  readonly spread: number;
  readonly pieceBytes: number;
  readonly answerBytes: number;
  /** Of the policy that workers need for it; 0 where they have it. */
  readonly weightBytes: number;
  /** That the coordinator looks at an answer. */
  readonly judging: number;
  /** That the coordinator computes when all answers are there. */
  readonly after: number;
}

/** An iteration is these jobs, one after another. */
export interface SimulatedWork {
  readonly name: string;
  readonly jobs: readonly SimulatedJob[];
  /** Whether the next iteration is played while this one is learned (`fleet.staleness`); such work is of one job. */
  readonly isAhead?: boolean;
  /** Seconds until a new worker takes its first piece. */
  readonly joining: number;
}

export interface SimulatedNet {
  /** Seconds between anyone and the server, there and back. */
  readonly roundTrip: number;
  /** Of everyone's link to the server, each way. */
  readonly bitsPerSecond: number;
  /** Of a cluster: each has such a link to its workers. */
  readonly servers: number;
}

export interface SimulatedFleet {
  /** How fast each worker is. */
  readonly speeds: readonly number[];
  /** Seconds that pieces of a worker take besides, whatever its speed; none by default. */
  readonly pads?: readonly number[];
  /** Share of the workers that go in an iteration, each of which is replaced by a new one. */
  readonly churn: number;
}

export interface SimulatedRun {
  /** Of an iteration. */
  readonly seconds: number;
  /** Of all workers' time. */
  readonly idle: number;
  /** Pieces that were given more than once, an iteration. */
  readonly repeated: number;
}

/** Round trips that a worker waits for before the bytes of weights come, and the coordinator besides those of parts. */
const fetchTrips = 3;
const storeTrips = 3;
/** Bytes of a part of an object, each of which the server acknowledges. */
const partBytes = 2 ** 20;
/** Seconds between looks at what is late. */
const tick = 1;

interface Worker {
  readonly index: number;
  isThere: boolean;
  /** Of its last sign of life. */
  goneAt: number;
  /** Number of the weights that it has. */
  weights: number;
  /** When the server has its last answer. It sends one at a time. */
  sentAt: number;
  busy: number;
}

interface Piece {
  readonly index: number;
  readonly seconds: number;
  isDone: boolean;
  attempts: number;
  taken: { readonly worker: Worker; readonly at: number } | null;
}

interface Answer {
  readonly piece: Piece;
  readonly job: SimulatedJob;
  readonly worker: Worker;
  readonly seconds: number;
}

/** @param iterations that are simulated; the first is left out of the figures */
export function simulate(
  work: SimulatedWork,
  net: SimulatedNet,
  fleet: SimulatedFleet,
  iterations = 6,
  seed = 1,
): SimulatedRun {
  return new Simulation(work, net, fleet, seed).run(iterations);
}

class Simulation {
  private readonly events = new Events();
  private readonly random: RandomStream;
  private readonly workers: Worker[];
  private readonly times = new Map<SimulatedJob, PieceTimes>();
  /** When each is free again. */
  private readonly free = { toServer: 0, fromServer: 0, coordinator: 0 };
  /** Answers that the coordinator has not looked at. */
  private readonly unread: Answer[] = [];
  private isJudging = false;
  private waiting: Worker[] = [];
  private queue: Piece[] = [];
  private pieces: Piece[] = [];
  private job: SimulatedJob;
  /** Of that among the jobs of an iteration, which may be equal. */
  private jobNumber = 0;
  private weights = 0;
  /** Pieces that are not done. */
  private left = 0;
  private repeated = 0;
  /** When the update that is under way beside the play will be over. */
  private learnedAt = 0;
  private readonly ends: number[] = [];
  private readonly busyAt: number[] = [];

  constructor(
    private readonly work: SimulatedWork,
    private readonly net: SimulatedNet,
    private readonly fleet: SimulatedFleet,
    seed: number,
  ) {
    this.random = new RandomStream(seed);
    this.job = work.jobs[0]!;
    for (const job of work.jobs) this.times.set(job, new PieceTimes());
    this.workers = fleet.speeds.map((_, index) => newWorker(index));
  }

  run(iterations: number): SimulatedRun {
    for (const worker of this.workers) this.pull(worker);
    this.watch();
    this.begin(0);
    this.events.run(() => this.ends.length >= iterations);
    const [first, last] = [this.ends[0]!, this.ends.at(-1)!];
    const counted = this.ends.length - 1;
    const busy = this.busyAt.at(-1)! - this.busyAt[0]!;
    return {
      seconds: (last - first) / counted,
      idle: Math.max(0, 1 - busy / ((last - first) * this.workers.length)),
      repeated: this.repeated / iterations,
    };
  }

  private begin(number: number): void {
    const job = this.work.jobs[number]!;
    this.job = job;
    this.jobNumber = number;
    this.weights += job.weightBytes > 0 ? 1 : 0;
    this.pieces = Array.from({ length: job.pieces }, (_, index) => ({
      index,
      seconds: job.seconds * this.deviation(job.spread),
      isDone: false,
      attempts: 1,
      taken: null,
    }));
    this.left = job.pieces;
    const storing =
      job.weightBytes === 0
        ? 0
        : this.bytes(job.weightBytes) + (storeTrips + Math.ceil(job.weightBytes / partBytes)) * this.net.roundTrip;
    const giving = this.bytes(job.pieceBytes * job.pieces) + this.net.roundTrip / 2;
    this.events.after(storing + giving, () => {
      this.queue = [...this.pieces];
      this.hand();
    });
  }

  private end(): void {
    this.queue = [];
    if (this.work.isAhead) this.learnBeside();
    else this.learn();
  }

  private learn(): void {
    this.events.after(this.job.after, () => {
      const next = this.jobNumber + 1;
      if (next < this.work.jobs.length) this.begin(next);
      else this.beginIteration();
    });
  }

  /** Learns from what was played, when all from before is learned, while the next is played. */
  private learnBeside(): void {
    this.events.after(Math.max(0, this.learnedAt - this.events.now), () => {
      this.learnedAt = this.events.now + this.job.after;
      this.beginIteration();
    });
  }

  private beginIteration(): void {
    this.ends.push(this.events.now);
    this.busyAt.push(this.workers.reduce((sum, { busy }) => sum + busy, 0));
    this.lose();
    this.begin(0);
  }

  /** A worker asks the server for a piece. */
  private pull(worker: Worker): void {
    this.events.after(this.net.roundTrip / 2, () => {
      if (!worker.isThere) return;
      this.waiting.push(worker);
      this.hand();
    });
  }

  /** The server gives pieces that wait to workers that wait. */
  private hand(): void {
    while (this.queue.length > 0 && this.waiting.length > 0) {
      const worker = this.waiting.shift()!;
      if (!worker.isThere) continue;
      const piece = this.queue.shift()!;
      if (piece.isDone) {
        this.waiting.unshift(worker);
        continue;
      }
      const sent = this.send(this.job.pieceBytes, 'fromServer');
      this.events.after(sent + this.net.roundTrip / 2, () => this.receive(worker, piece, this.job, this.weights));
    }
  }

  private receive(worker: Worker, piece: Piece, job: SimulatedJob, weights: number): void {
    const isNew = job.weightBytes > 0 && worker.weights !== weights;
    const fetching = isNew ? fetchTrips * this.net.roundTrip + this.send(job.weightBytes, 'fromServer') : 0;
    this.events.after(fetching, () => {
      // The server hears nothing of it any more, and gives it to another.
      if (!worker.isThere) return this.events.after(silenceSeconds, () => this.requeue(piece));
      worker.weights = weights;
      piece.taken ??= { worker, at: this.events.now };
      const { index } = worker;
      const seconds = piece.seconds / this.fleet.speeds[index]! + (this.fleet.pads?.[index] ?? 0);
      this.events.after(seconds, () => {
        if (!worker.isThere) return;
        worker.busy += seconds;
        this.events.after(Math.max(0, worker.sentAt - this.events.now), () => {
          if (!worker.isThere) return;
          this.answer({ piece, job, worker, seconds });
          this.pull(worker);
        });
      });
    });
  }

  private answer(answer: Answer): void {
    const { job } = answer;
    const there = this.send(job.answerBytes, 'toServer') + this.net.roundTrip / 2;
    answer.worker.sentAt = this.events.now + there + this.net.roundTrip / 2;
    this.events.after(there, () => {
      const here = this.send(job.answerBytes, 'coordinator') + this.net.roundTrip / 2;
      this.events.after(here, () => {
        this.unread.push(answer);
        this.judge();
      });
    });
  }

  /** The coordinator looks at one answer after another; those to pieces that are done it drops. */
  private judge(): void {
    if (this.isJudging) return;
    let answer = this.unread.shift();
    while (answer?.piece.isDone) answer = this.unread.shift();
    if (!answer) return;
    const next = answer;
    const since = this.secondsSince(next);
    this.isJudging = true;
    this.events.after(next.job.judging, () => {
      this.isJudging = false;
      this.accept(next, since);
      this.judge();
    });
  }

  /** Since its worker began, where it is known to be at it. */
  private secondsSince({ piece: { taken }, worker, seconds }: Answer): number {
    return taken?.worker === worker ? this.events.now - taken.at : seconds;
  }

  private accept({ piece, job }: Answer, since: number): void {
    if (piece.isDone) return;
    piece.isDone = true;
    this.times.get(job)!.note(since);
    if (--this.left === 0) this.end();
  }

  /** The coordinator looks at what is late, again and again. */
  private watch(): void {
    const patience = this.left === 0 ? 0 : this.times.get(this.job)!.patience;
    for (const piece of this.left === 0 ? [] : this.pieces) {
      if (piece.isDone || !piece.taken) continue;
      const { worker, at } = piece.taken;
      const seconds = this.events.now - at;
      const isGone = !worker.isThere && this.events.now - worker.goneAt > presenceSeconds;
      if (seconds <= patience && !(isGone && seconds > presenceSeconds)) continue;
      piece.taken = null;
      piece.attempts++;
      this.repeated++;
      this.events.after(this.net.roundTrip / 2, () => this.requeue(piece));
    }
    // A simulation looks seldom at what takes long.
    this.events.after(Math.max(tick, this.job.seconds / 20), () => this.watch());
  }

  private requeue(piece: Piece): void {
    if (piece.isDone || !this.pieces.includes(piece)) return;
    this.queue.push(piece);
    this.hand();
  }

  /** Chooses who goes in the iteration that begins, at moments of its own. */
  private lose(): void {
    const last = this.ends.at(-1)! - (this.ends.at(-2) ?? 0);
    for (const worker of this.workers) {
      if (fraction(this.random) >= this.fleet.churn) continue;
      this.events.after(fraction(this.random) * last, () => {
        if (!worker.isThere) return;
        worker.isThere = false;
        worker.goneAt = this.events.now;
        const other = { ...newWorker(worker.index), busy: worker.busy };
        this.workers[worker.index] = other;
        this.events.after(this.work.joining, () => this.pull(other));
      });
    }
  }

  /** Seconds until bytes have gone over a link that others use too. */
  private send(bytes: number, link: 'toServer' | 'fromServer' | 'coordinator'): number {
    const { now } = this.events;
    const rate = link === 'coordinator' ? 1 : this.net.servers;
    this.free[link] = Math.max(now, this.free[link]) + this.bytes(bytes) / rate;
    return Math.max(this.free[link] - now, this.bytes(bytes));
  }

  /** Seconds that bytes take over one link. */
  private bytes(count: number): number {
    return (8 * count) / this.net.bitsPerSecond;
  }

  /** A factor of mean 1, of a log-normal distribution. */
  private deviation(spread: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - fraction(this.random))) * Math.cos(2 * Math.PI * fraction(this.random));
    return Math.exp(spread * normal - spread ** 2 / 2);
  }
}

function newWorker(index: number): Worker {
  return { index, isThere: true, goneAt: 0, weights: -1, sentAt: 0, busy: 0 };
}

/** A number from 0, and below 1. */
function fraction(random: RandomStream): number {
  return random.below(2 ** 32) / 2 ** 32;
}

/** What an iteration takes one process of speed 1. */
export function secondsAlone({ jobs }: SimulatedWork): number {
  return jobs.reduce((sum, { pieces, seconds, after }) => sum + pieces * seconds + after, 0);
}

/** Speeds of so many workers: all 1, or from a half to double, as machines of several years are; the mean is 1. */
export function speedsOf(count: number, isMixed: boolean, seed = 7): number[] {
  if (!isMixed) return Array.from({ length: count }, () => 1);
  const random = new RandomStream(seed);
  const drawn = Array.from({ length: count }, () => 2 ** (2 * fraction(random) - 1));
  const mean = drawn.reduce((sum, speed) => sum + speed, 0) / count;
  return drawn.map((speed) => speed / mean);
}
