/**
 * Runs programs so that every dispatch is timed. With `timestamp-query` each gets a pass of its own between two
 * timestamps, all in one submit, as programs have them. On adapters without it each gets a submit of its own and is
 * timed by the host's clock, which adds the cost of submitting and waiting to every time.
 *
 * Set it as the context's `runner`.
 */
import { type Command, type CommandList, readBuffer } from './commands.ts';
import type { CommandRunner, GpuContext } from './context.ts';

/** One dispatch, as it was timed. */
export interface TimedDispatch {
  /** The kernel's name, and its label with the variant. */
  readonly kernel: string;
  readonly label: string;
  /** The part of the model that it belongs to; empty if none is named. */
  readonly scope: string;
  readonly flops: number;
  readonly bytes: number;
  /** Milliseconds from the first dispatch of the run to this one. */
  readonly start: number;
  readonly ms: number;
}

/** One run of a program, as it was timed. */
export interface ProgramRun {
  readonly program: string;
  /** Milliseconds from the start of the profile to the submit, by the host's clock. */
  readonly start: number;
  /** Milliseconds that the host takes to encode the program as it is without a profiler: in one pass. */
  readonly encodeMs: number;
  /** Milliseconds of the host that timing took beside the program itself. */
  readonly overheadMs: number;
  readonly dispatches: readonly TimedDispatch[];
}

/** By the device's own timestamps, or by the host's clock with a submit for each dispatch. */
export type DispatchTiming = 'timestamps' | 'serialised';

/** WebGPU's limit on the queries of a set is 4,096: a dispatch has two. */
const dispatchesPerQuerySet = 2048;

/** Start and duration of a dispatch, in milliseconds. */
type Span = readonly [start: number, ms: number];

/**
 * Times every dispatch of every program that runs while it is the runner of its context.
 * @example
 * gpu.runner = new Profiler(gpu, ({ program, dispatches }) => console.log(program, dispatches.length));
 * await program.run(inputs);
 * gpu.runner = null;
 */
export class Profiler implements CommandRunner {
  readonly timing: DispatchTiming;
  private readonly began = performance.now();

  /** @param timing default: timestamps where the adapter has them */
  constructor(
    private readonly gpu: GpuContext,
    private readonly onRun: (run: ProgramRun) => void,
    timing?: DispatchTiming,
  ) {
    this.timing = timing ?? (gpu.profile.features.has('timestamp-query') ? 'timestamps' : 'serialised');
  }

  /** Milliseconds since the profile began. */
  get elapsed(): number {
    return performance.now() - this.began;
  }

  async run(list: CommandList): Promise<void> {
    const encodeMs = this.timeEncoding(list);
    const start = this.elapsed;
    const spans = this.timing === 'timestamps' ? await this.runTimestamped(list) : await this.runSerialised(list);
    const [first, last] = [spans[0], spans.at(-1)];
    const gpuMs = first && last ? last[0] + last[1] - first[0] : 0;
    this.onRun({
      program: list.label,
      start,
      encodeMs,
      overheadMs: encodeMs + Math.max(0, this.elapsed - start - gpuMs),
      dispatches: list.commands.map((command, index) => timed(command, spans[index] ?? [0, 0], first?.[0] ?? 0)),
    });
  }

  /** Encodes the list and drops it. */
  private timeEncoding(list: CommandList): number {
    const start = performance.now();
    list.encode();
    return performance.now() - start;
  }

  private async runTimestamped({ submits, groups }: CommandList): Promise<Span[]> {
    const spans: Span[] = [];
    for (const commands of submits) {
      for (let first = 0; first < commands.length; first += dispatchesPerQuerySet) {
        spans.push(...(await this.runWithQueries(commands.slice(first, first + dispatchesPerQuerySet), groups)));
      }
    }
    return spans;
  }

  private async runWithQueries(commands: readonly Command[], groups: readonly GPUBindGroup[]): Promise<Span[]> {
    const { device } = this.gpu;
    const count = 2 * commands.length;
    const querySet = device.createQuerySet({ type: 'timestamp', count });
    const resolved = this.gpu.createBuffer(
      count * 8,
      GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
      'timestamps',
    );
    try {
      const encoder = device.createCommandEncoder();
      commands.forEach((command, index) => {
        encodeOne(encoder, command, groups, {
          querySet,
          beginningOfPassWriteIndex: 2 * index,
          endOfPassWriteIndex: 2 * index + 1,
        });
      });
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      device.queue.submit([encoder.finish()]);
      const stamps = new BigUint64Array(await readBuffer(this.gpu, { buffer: resolved, offset: 0, size: count * 8 }));
      // A pass may end after the next began, by the grain of the clock.
      const ms = (from: bigint, to: bigint) => Math.max(0, Number(to - from) / 1e6);
      return commands.map((_, i) => [Number(stamps[2 * i]!) / 1e6, ms(stamps[2 * i]!, stamps[2 * i + 1]!)]);
    } finally {
      querySet.destroy();
      resolved.destroy();
    }
  }

  private async runSerialised({ commands, groups }: CommandList): Promise<Span[]> {
    const spans: Span[] = [];
    for (const command of commands) {
      const encoder = this.gpu.device.createCommandEncoder();
      encodeOne(encoder, command, groups);
      const buffer = encoder.finish();
      const start = performance.now();
      this.gpu.device.queue.submit([buffer]);
      await this.gpu.idle();
      spans.push([start, performance.now() - start]);
    }
    return spans;
  }
}

function encodeOne(
  encoder: GPUCommandEncoder,
  { pipeline, group, dispatch }: Command,
  groups: readonly GPUBindGroup[],
  timestampWrites?: GPUComputePassTimestampWrites,
): void {
  const pass = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, groups[group]!);
  pass.dispatchWorkgroups(...dispatch);
  pass.end();
}

function timed({ spec, label, scope, cost }: Command, [start, ms]: Span, origin: number): TimedDispatch {
  return { kernel: spec.name, label, scope, ...cost, start: start - origin, ms };
}
