/**
 * Times a kernel variant on a device: for benches, for `doctor` (which measures what the device reaches in matrix
 * products and copies), and for tuning.
 *
 * A measurement is a batch of dispatches in one submit, by the wall clock. The batch is long enough that submitting and
 * waiting vanish in it. Inputs rotate over a few sets of buffers, so that a small kernel does not find all of them in
 * the nearest cache; all dispatches write the same outputs, so that one starts after the other has ended, as in a
 * program.
 */
import {
  type BindingSpec,
  elementBytes,
  type InputArray,
  type KernelCase,
  type KernelSpec,
  type Params,
  type Variant,
} from '../../kernels/spec.ts';
import { CommandList, type Launch, readBuffer } from './commands.ts';
import type { GpuContext } from './context.ts';
import { asStored, fromStorage, repeatFirst, storedBytes, toStorage } from './hostArrays.ts';

/** Milliseconds a dispatch. */
export interface Timing {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface TimingOptions {
  /** Least length of a batch in milliseconds; default 20. */
  readonly batchMs?: number;
  /** Number of batches after the ones that warm up; default 7. */
  readonly repeats?: number;
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
  spec: KernelSpec<P>,
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
  spec: KernelSpec<P>,
  params: P,
  ms: number,
): { readonly gflops?: number; readonly gbps: number } {
  const { flops, bytes } = spec.cost(params);
  return { ...(flops > 0 ? { gflops: flops / ms / 1e6 } : {}), gbps: bytes / ms / 1e6 };
}

/** Dispatches that are long enough to be timed. */
export interface Batch {
  /** Milliseconds a dispatch takes, this time. */
  run(): Promise<number>;
  destroy(): void;
}

/** A kernel variant with buffers for one case. */
export class KernelBench {
  private constructor(
    private readonly gpu: GpuContext,
    private readonly spec: KernelSpec,
    /** One launch for each set of inputs. */
    private readonly launches: readonly Launch[],
    /** Values of the inputs, by binding. */
    readonly inputs: Readonly<Record<string, InputArray>>,
  ) {}

  /**
   * @throws {ProxmoError} `gpu-error` if the kernel does not compile, `shape` if its buffers are too large for the
   * device
   */
  static async create<P extends Params>(
    gpu: GpuContext,
    spec: KernelSpec<P>,
    variant: Variant<P>,
    kernelCase: KernelCase<P>,
  ): Promise<KernelBench> {
    const { params } = kernelCase;
    const kernel = await gpu.pipelines.get(spec, variant);
    const inputs = caseInputs(spec, kernelCase);
    const inputBytes = Object.values(inputs).reduce((sum, { byteLength }) => sum + byteLength, 0);
    const sets = Math.max(1, Math.min(mostSets[gpu.profile.kind], Math.floor(inputBytesOfSets / inputBytes)));
    const anySpec = spec as unknown as KernelSpec;
    const dispatch = spec.dispatch(params, variant.constants);
    const outputs = createBuffers(gpu, anySpec, params, inputs, ({ access }) => access !== 'read');
    const launches = Array.from({ length: sets }, () => {
      const buffers = { ...outputs, ...createBuffers(gpu, anySpec, params, inputs, ({ access }) => access === 'read') };
      const ranges = Object.keys(spec.bindings).map((name) => ({
        buffer: buffers[name]!,
        offset: 0,
        size: buffers[name]!.size,
      }));
      return { kernel, spec: anySpec, params, dispatch, ranges };
    });
    return new KernelBench(gpu, anySpec, launches, inputs);
  }

  /**
   * Another variant on the same buffers, which live as long as this one's.
   * @throws {ProxmoError} `gpu-error` if it does not compile
   */
  async withVariant(variant: Variant): Promise<KernelBench> {
    const kernel = await this.gpu.pipelines.get(this.spec, variant);
    const launches = this.launches.map((launch) => ({
      ...launch,
      kernel,
      dispatch: this.spec.dispatch(launch.params, variant.constants),
    }));
    return new KernelBench(this.gpu, this.spec, launches, this.inputs);
  }

  /**
   * Runs once on the first set of inputs, from cleared outputs, and returns what each `write` and `readWrite` binding
   * then holds.
   */
  async run(): Promise<Record<string, InputArray>> {
    const { params, ranges } = this.launches[0]!;
    const sizes = this.spec.sizes(params);
    const written = Object.entries(this.spec.bindings).flatMap(([name, { access, dtype }], index) =>
      access === 'read'
        ? []
        : [{ name, dtype, access, range: ranges[index]!, bytes: (sizes[name] ?? 0) * elementBytes[dtype] }],
    );
    const clearing = this.gpu.device.createCommandEncoder();
    for (const { range } of written) clearing.clearBuffer(range.buffer);
    this.gpu.device.queue.submit([clearing.finish()]);
    for (const { name, dtype, access, range } of written) {
      if (access === 'readWrite')
        this.gpu.device.queue.writeBuffer(range.buffer, 0, toStorage(dtype, this.inputs[name]!));
    }
    const commands = this.commandsFor(1);
    await this.runBatch(commands, 1);
    commands.destroy();
    const results: Record<string, InputArray> = {};
    for (const { name, dtype, range, bytes } of written)
      results[name] = fromStorage(dtype, await readBuffer(this.gpu, { ...range, size: bytes }));
    return results;
  }

  /** Milliseconds a dispatch. Kernels with `readWrite` bindings work on what the last dispatch left. */
  async time({ batchMs = 20, repeats = 7 }: TimingOptions = {}): Promise<Timing> {
    const batch = await this.batch(batchMs);
    const times: number[] = [];
    for (let i = 0; i < repeats; i++) times.push(await batch.run());
    batch.destroy();
    times.sort((a, b) => a - b);
    return { median: times[Math.floor(repeats / 2)] ?? 0, min: times[0] ?? 0, max: times.at(-1) ?? 0 };
  }

  /** A batch of at least `batchMs` milliseconds, found by growing it: that warms the kernel up, too. */
  async batch(batchMs: number): Promise<Batch> {
    let commands = this.commandsFor(1);
    let passes = 1;
    await this.runBatch(commands, passes);
    while (commands.length > 0 && passes < mostPasses) {
      const ms = await this.runBatch(commands, passes);
      if (ms >= batchMs) break;
      const count = commands.length * passes * Math.max(2, Math.ceil(batchMs / ms));
      commands.destroy();
      commands = this.commandsFor(Math.min(count, dispatchesPerPass));
      passes = Math.min(mostPasses, Math.ceil(count / commands.length));
    }
    return {
      run: async () =>
        commands.length === 0 ? 0 : (await this.runBatch(commands, passes)) / (commands.length * passes),
      destroy: () => commands.destroy(),
    };
  }

  /** Milliseconds of a single dispatch, with submitting and waiting for it. */
  async once(): Promise<number> {
    const commands = this.commandsFor(1);
    const ms = await this.runBatch(commands, 1);
    commands.destroy();
    return ms;
  }

  destroy(): void {
    for (const buffer of new Set(this.launches.flatMap(({ ranges }) => ranges.map(({ buffer }) => buffer))))
      buffer.destroy();
  }

  private commandsFor(count: number): CommandList {
    const launches = Array.from({ length: count }, (_, i) => this.launches[i % this.launches.length]!);
    return new CommandList(this.gpu, launches, `bench ${this.spec.name}`);
  }

  /** Milliseconds from the submit to the end of the work. */
  private async runBatch(commands: CommandList, passes: number): Promise<number> {
    const encoder = this.gpu.device.createCommandEncoder();
    for (let i = 0; i < passes; i++) commands.encode(encoder);
    const start = performance.now();
    this.gpu.device.queue.submit([encoder.finish()]);
    await this.gpu.idle();
    return performance.now() - start;
  }
}

/** A buffer for each binding that is chosen, holding its input if it has one. */
function createBuffers(
  gpu: GpuContext,
  spec: KernelSpec,
  params: Params,
  inputs: Readonly<Record<string, InputArray>>,
  chosen: (binding: BindingSpec) => boolean,
): Record<string, GPUBuffer> {
  const sizes = spec.sizes(params);
  const buffers: Record<string, GPUBuffer> = {};
  for (const [name, binding] of Object.entries(spec.bindings)) {
    if (!chosen(binding)) continue;
    const buffer = gpu.createStorage(storedBytes(binding.dtype, sizes[name] ?? 0), name);
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
  spec: KernelSpec<P>,
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
function normalNumbers(): () => number {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return () => uniform() + uniform() + uniform();
}
