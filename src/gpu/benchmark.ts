/**
 * Times a kernel variant on a device: for benches, for `doctor` (which measures what the device reaches in matrix
 * products and copies), and for tuning.
 *
 * A measurement is a batch of dispatches in one submit, by the wall clock, or by the device's where that is asked for.
 * The batch is long enough that submitting and waiting vanish in it. Inputs rotate over a few sets of buffers, so that
 * a small kernel does not find all of them in the nearest cache. All dispatches write the same outputs, so that one
 * starts after the other has ended, as in a program.
 */
import {
  type BindingSpec,
  elementBytes,
  type InputArray,
  type KernelCase,
  type Params,
  type RunnableKernel,
  type Variant,
} from '../../kernels/spec.ts';
import type { BufferRange } from './bindGroups.ts';
import { CommandList, encodePass, readBuffer, submitAll } from './commands.ts';
import type { GpuContext } from './context.ts';
import { DeviceClock, type PassStamps } from './deviceClock.ts';
import { partsOfGrid } from './gridParts.ts';
import { asStored, fromStorage, repeatFirst, storedBytes, toStorage } from './hostArrays.ts';
import { type Launch, prepareLaunches } from './launches.ts';

/** Milliseconds a dispatch. */
export interface Timing {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Each measurement, in the order in which they were taken. */
  readonly times?: readonly number[];
  /** Whose clock; default: the host's. */
  readonly clock?: Clock;
}

/** The host's time has submitting and waiting in it, the device's has not. */
export type Clock = 'device' | 'host';

/** What measurements come to, of which there is at least one. */
export function timingOf(times: readonly number[]): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0, times };
}

/** How long a kernel is timed. */
export interface TimingOptions {
  /** Least length of a batch in milliseconds; default 20. */
  readonly batchMs?: number;
  /** Number of batches after the ones that warm up; default 7. */
  readonly repeats?: number;
  /** Whose clock; default: the host's. The device's is taken where it has one and a batch is one submit. */
  readonly clock?: Clock;
}

/** Most sets of input buffers, and bytes of all of them: on a GPU enough sets to be several times its largest cache. */
const mostSets = { cpu: 4, gpu: 32 } as const;
const inputBytesOfSets = 2 ** 28;
/** Dispatches of a pass: enough for its own cost to vanish, few enough for the bind groups that each needs. */
const dispatchesPerPass = 32;
const mostPasses = 128;

/**
 * Milliseconds that one dispatch of a variant takes.
 * @throws {ProxmoError} `gpu-error` if the kernel does not compile or run, `shape` if its buffers are too large for the
 * device
 */
export async function timeKernel<P extends Params>(
  gpu: GpuContext,
  spec: RunnableKernel<P>,
  variant: Variant<P>,
  kernelCase: KernelCase<P>,
  options: TimingOptions = {},
): Promise<Timing> {
  const bench = await KernelBench.create(gpu, spec, variant, kernelCase);
  try {
    return await bench.time(options);
  } finally {
    bench.destroy();
  }
}

/**
 * What a kernel reaches in a dispatch of `ms` milliseconds: 10⁹ operations a second (absent for kernels without
 * arithmetic) and 10⁹ bytes a second.
 */
export function throughput<P extends Params>(
  spec: RunnableKernel<P>,
  params: P,
  ms: number,
): { readonly gflops?: number; readonly gbps: number } {
  const { flops, bytes } = spec.cost(params);
  return { ...(flops > 0 ? { gflops: flops / ms / 1e6 } : {}), gbps: bytes / ms / 1e6 };
}

/** Dispatches that are long enough to be timed. */
export interface Batch {
  /** Whose clock times it. */
  readonly clock: Clock;
  /** Milliseconds a dispatch takes, this time. */
  run(): Promise<number>;
  destroy(): void;
}

/** A case with its buffers. */
interface BenchCase {
  readonly spec: RunnableKernel;
  readonly params: Params;
  /** Values of the inputs, by binding. */
  readonly inputs: Readonly<Record<string, InputArray>>;
  /** What the bindings are, for each set of inputs. */
  readonly sets: readonly (readonly BufferRange[])[];
}

/** A kernel variant with buffers for one case. */
export class KernelBench {
  private constructor(
    private readonly gpu: GpuContext,
    private readonly benchCase: BenchCase,
    /** The launches on each set of inputs: several where one would run too long. */
    private readonly launches: readonly (readonly Launch[])[],
  ) {}

  /**
   * @throws {ProxmoError} `gpu-error` if the kernel does not compile, `shape` if its buffers are too large for the
   * device
   */
  static async create<P extends Params>(
    gpu: GpuContext,
    typedSpec: RunnableKernel<P>,
    variant: Variant<P>,
    kernelCase: KernelCase<P>,
  ): Promise<KernelBench> {
    const { params } = kernelCase;
    const spec = typedSpec as unknown as RunnableKernel;
    await gpu.pipelines.get(typedSpec, variant);
    await gpu.pace.prepareFor([spec.cost(params)]);
    const inputs = caseInputs(typedSpec, kernelCase);
    const inputBytes = Object.values(inputs).reduce((sum, { byteLength }) => sum + byteLength, 0);
    const count = Math.max(1, Math.min(mostSets[gpu.profile.kind], Math.floor(inputBytesOfSets / inputBytes)));
    const made: GPUBuffer[] = [];
    const buffersOf = (chosen: (binding: BindingSpec) => boolean) =>
      createBuffers(gpu, spec, params, inputs, chosen, (buffer) => made.push(buffer));
    try {
      const outputs = buffersOf(({ access }) => access !== 'read');
      const sets = Array.from({ length: count }, () => {
        const buffers = { ...outputs, ...buffersOf(({ access }) => access === 'read') };
        return Object.keys(spec.bindings).map((name) => ({
          buffer: buffers[name]!,
          offset: 0,
          size: buffers[name]!.size,
        }));
      });
      return await KernelBench.of(gpu, { spec, params, inputs, sets }, variant as unknown as Variant);
    } catch (error) {
      for (const buffer of made) buffer.destroy();
      throw error;
    }
  }

  private static async of(gpu: GpuContext, benchCase: BenchCase, variant: Variant): Promise<KernelBench> {
    const { spec, params, sets } = benchCase;
    const launches = await Promise.all(sets.map((ranges) => prepareLaunches(gpu, { spec, variant, params, ranges })));
    return new KernelBench(gpu, benchCase, launches);
  }

  /** Values of the inputs, by binding. */
  get inputs(): Readonly<Record<string, InputArray>> {
    return this.benchCase.inputs;
  }

  /**
   * Another variant on the same buffers, which live as long as this one's.
   * @throws {ProxmoError} `gpu-error` if it does not compile
   */
  withVariant(variant: Variant): Promise<KernelBench> {
    return KernelBench.of(this.gpu, this.benchCase, variant);
  }

  /**
   * Runs once on the first set of inputs, from cleared outputs, and returns what each `write` and `readWrite` binding
   * then holds.
   */
  async run(): Promise<Record<string, InputArray>> {
    const { spec, params, sets, inputs } = this.benchCase;
    const sizes = spec.sizes(params);
    const written = Object.entries(spec.bindings).flatMap(([name, { access, dtype }], index) =>
      access === 'read'
        ? []
        : [{ name, dtype, access, range: sets[0]![index]!, bytes: (sizes[name] ?? 0) * elementBytes[dtype] }],
    );
    const clearing = this.gpu.device.createCommandEncoder();
    for (const { range } of written) clearing.clearBuffer(range.buffer);
    this.gpu.device.queue.submit([clearing.finish()]);
    for (const { name, dtype, access, range } of written) {
      if (access === 'readWrite') this.gpu.device.queue.writeBuffer(range.buffer, 0, toStorage(dtype, inputs[name]!));
    }
    await this.once();
    const results: Record<string, InputArray> = {};
    for (const { name, dtype, range, bytes } of written)
      results[name] = fromStorage(dtype, await readBuffer(this.gpu, { ...range, size: bytes }));
    return results;
  }

  /** Milliseconds a dispatch. Kernels with `readWrite` bindings work on what the last dispatch left. */
  async time({ batchMs = 20, repeats = 7, clock = 'host' }: TimingOptions = {}): Promise<Timing> {
    const device = clock === 'device' && DeviceClock.isOn(this.gpu) ? new DeviceClock(this.gpu) : null;
    const batch = await this.batch(batchMs, device);
    try {
      const times: number[] = [];
      for (let i = 0; i < repeats; i++) times.push(await batch.run());
      return { ...timingOf(times), clock: batch.clock };
    } finally {
      batch.destroy();
      device?.destroy();
    }
  }

  /** A batch of at least `batchMs` milliseconds, found by growing it: that warms the kernel up, too. */
  async batch(batchMs: number, clock: DeviceClock | null = null): Promise<Batch> {
    let [dispatches, passes] = [1, 1];
    let commands = this.commandsFor(dispatches);
    await this.runBatch(commands, passes);
    while (commands.length > 0 && passes < mostPasses) {
      const ms = await this.runBatch(commands, passes);
      if (ms >= batchMs) break;
      const count = dispatches * passes * Math.max(2, Math.ceil(batchMs / ms));
      commands.destroy();
      dispatches = Math.min(count, dispatchesPerPass);
      commands = this.commandsFor(dispatches);
      passes = Math.min(mostPasses, Math.ceil(count / dispatches));
    }
    const stampedBy = commands.submits.length === 1 ? clock : null;
    return {
      clock: stampedBy ? 'device' : 'host',
      run: async () =>
        commands.length === 0 ? 0 : (await this.runBatch(commands, passes, stampedBy)) / (dispatches * passes),
      destroy: () => commands.destroy(),
    };
  }

  /** Milliseconds of a single dispatch on the first set of inputs, with submitting and waiting for it. */
  once(): Promise<number> {
    return this.timeOnce(this.launches[0] ?? []);
  }

  /** The same for the first workgroups of the grid, about `share` of them. */
  onceInPart(share: number): Promise<number> {
    return this.timeOnce(firstOf(this.launches[0] ?? [], share));
  }

  destroy(): void {
    for (const buffer of new Set(this.benchCase.sets.flat().map(({ buffer }) => buffer))) buffer.destroy();
  }

  private async timeOnce(launches: readonly Launch[]): Promise<number> {
    const commands = new CommandList(this.gpu, launches, this.label);
    const ms = await this.runBatch(commands, 1);
    commands.destroy();
    return ms;
  }

  private get label(): string {
    return `bench ${this.benchCase.spec.name}`;
  }

  private commandsFor(count: number): CommandList {
    const launches = Array.from({ length: count }, (_, i) => this.launches[i % this.launches.length]!).flat();
    return new CommandList(this.gpu, launches, this.label);
  }

  /** Milliseconds from the submit to the end of the work, or of the work alone by the device's clock. */
  private async runBatch(commands: CommandList, passes: number, clock: DeviceClock | null = null): Promise<number> {
    const buffers = encodeRepeatedly(this.gpu, commands, passes, clock?.stamps);
    const start = performance.now();
    submitAll(this.gpu, buffers);
    await this.gpu.idle();
    return clock ? clock.read() : performance.now() - start;
  }
}

/**
 * Encodes the dispatches of a list into one command buffer, some times over, where they are a single submit.
 * @param stamps for passes of a single submit
 */
function encodeRepeatedly(gpu: GpuContext, list: CommandList, times: number, stamps?: PassStamps): GPUCommandBuffer[] {
  if (list.submits.length > 1) return Array.from({ length: times }, () => list.encode()).flat();
  const encoder = gpu.device.createCommandEncoder({ label: list.label });
  const pass = { commands: list.commands, groups: list.groups, label: list.label };
  for (let i = 0; i < times; i++) encodePass(encoder, pass, stamps?.(i === 0, i === times - 1));
  return [encoder.finish()];
}

/** The first workgroups of a dispatch that may come in parts, about `share` of all. */
function firstOf(launches: readonly Launch[], share: number): Launch[] {
  const [first] = launches;
  if (!first) return [];
  if (launches.length > 1 / share) return launches.slice(0, Math.ceil(share * launches.length));
  const [part] = partsOfGrid(first.dispatch, 1 / share / launches.length);
  return [{ ...first, dispatch: part!.size }];
}

/** A buffer for each binding that is chosen, holding its input if it has one. */
function createBuffers(
  gpu: GpuContext,
  spec: RunnableKernel,
  params: Params,
  inputs: Readonly<Record<string, InputArray>>,
  chosen: (binding: BindingSpec) => boolean,
  onMade: (buffer: GPUBuffer) => void,
): Record<string, GPUBuffer> {
  const sizes = spec.sizes(params);
  const buffers: Record<string, GPUBuffer> = {};
  for (const [name, binding] of Object.entries(spec.bindings)) {
    if (!chosen(binding)) continue;
    const buffer = gpu.createStorage(storedBytes(binding.dtype, sizes[name] ?? 0), name);
    onMade(buffer);
    const values = inputs[name];
    if (values) gpu.device.queue.writeBuffer(buffer, 0, toStorage(binding.dtype, values));
    buffers[name] = buffer;
  }
  return buffers;
}

/**
 * The case's own values, and numbers with the spread of standard normal ones where it has none, as kernels see them.
 */
export function caseInputs<P extends Params>(
  spec: RunnableKernel<P>,
  { params, inputs }: KernelCase<P>,
): Record<string, InputArray> {
  const random = normalNumbers();
  const given = inputs?.(random) ?? {};
  const sizes = spec.sizes(params);
  const arrays: Record<string, InputArray> = {};
  for (const [name, { access, dtype }] of Object.entries(spec.bindings)) {
    if (access === 'write') continue;
    const values = given[name] ?? manyNumbers(sizes[name] ?? 0, random);
    arrays[name] = asStored(dtype, values);
  }
  return arrays;
}

/** How many numbers are made before they repeat: more take the host seconds. */
const mostNumbers = 2 ** 20;

function manyNumbers(count: number, random: () => number): Float32Array<ArrayBuffer> {
  const numbers = new Float32Array(count);
  const made = Math.min(count, mostNumbers);
  for (let i = 0; i < made; i++) numbers[i] = random();
  return repeatFirst(numbers, made);
}

/** Roughly normal numbers, the same in each bench: sums of three uniform ones of a linear congruential generator. */
export function normalNumbers(): () => number {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return () => uniform() + uniform() + uniform();
}
