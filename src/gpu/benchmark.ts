/**
 * Times a kernel variant on a device: for benches, for `doctor` (which measures what the device reaches in matrix products and copies), and for tuning.
 *
 * A measurement is a batch of dispatches in one submit, by the wall clock. The batch is long enough that submitting and waiting vanish in it. Inputs rotate
 * over a few sets of buffers, so that a small kernel does not find all of them in the nearest cache; all dispatches write the same outputs, so that one
 * starts after the other has ended, as in a program.
 */
import type { BindingSpec, Dtype, InputArray, KernelCase, KernelSpec, Params, Variant } from '../../kernels/spec.ts';
import { CommandList, type Launch, readBuffer } from './commands.ts';
import type { GpuContext } from './context.ts';

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

/** Most sets of input buffers, and most bytes in all of them. */
const mostSets = 4;
const mostInputBytes = 2 ** 28;
/** Dispatches of a pass: enough for its own cost to vanish, few enough for the bind groups that each needs. */
const dispatchesPerPass = 32;
const mostPasses = 128;

/**
 * Milliseconds that one dispatch of a variant takes.
 * @throws {ProxmoError} `gpu-error` if the kernel does not compile or run, `shape` if its buffers are too large for the device
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

/** What a kernel reaches in a dispatch of `ms` milliseconds: 10⁹ operations a second (absent for kernels without arithmetic) and 10⁹ bytes a second. */
export function throughput<P extends Params>(
  spec: KernelSpec<P>,
  params: P,
  ms: number,
): { readonly gflops?: number; readonly gbps: number } {
  const { flops, bytes } = spec.cost(params);
  return { ...(flops > 0 ? { gflops: flops / ms / 1e6 } : {}), gbps: bytes / ms / 1e6 };
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

  /** @throws {ProxmoError} `gpu-error` if the kernel does not compile, `shape` if its buffers are too large for the device */
  static async create<P extends Params>(
    gpu: GpuContext,
    spec: KernelSpec<P>,
    variant: Variant<P>,
    kernelCase: KernelCase<P>,
  ): Promise<KernelBench> {
    const { params } = kernelCase;
    const kernel = await gpu.pipelines.get(spec, variant);
    const inputs = makeInputs(spec, kernelCase);
    const inputBytes = Object.values(inputs).reduce((sum, { byteLength }) => sum + byteLength, 0);
    const sets = Math.max(1, Math.min(mostSets, Math.floor(mostInputBytes / inputBytes)));
    const anySpec = spec as unknown as KernelSpec;
    const dispatch = spec.dispatch(params, variant.constants);
    const outputs = createBuffers(gpu, anySpec, params, inputs, ({ access }) => access !== 'read');
    const launches = Array.from({ length: sets }, () => {
      const buffers = { ...outputs, ...createBuffers(gpu, anySpec, params, inputs, ({ access }) => access === 'read') };
      const ranges = Object.keys(spec.bindings).map((name) => ({ buffer: buffers[name]!, offset: 0, size: buffers[name]!.size }));
      return { kernel, spec: anySpec, params, dispatch, ranges };
    });
    return new KernelBench(gpu, anySpec, launches, inputs);
  }

  /** Runs once on the first set of inputs and returns what each `write` and `readWrite` binding then holds. */
  async run(): Promise<Record<string, InputArray>> {
    const commands = this.commandsFor(1);
    await this.runBatch(commands, 1);
    commands.destroy();
    const { params, ranges } = this.launches[0]!;
    const sizes = this.spec.sizes(params);
    const results: Record<string, InputArray> = {};
    for (const [index, [name, { access, dtype }]] of Object.entries(this.spec.bindings).entries()) {
      if (access === 'read') continue;
      results[name] = arrayOf(dtype, await readBuffer(this.gpu, { ...ranges[index]!, size: (sizes[name] ?? 0) * 4 }));
    }
    return results;
  }

  /** Milliseconds a dispatch. Kernels with `readWrite` bindings work on what the last dispatch left. */
  async time({ batchMs = 20, repeats = 7 }: TimingOptions = {}): Promise<Timing> {
    let commands = this.commandsFor(1);
    let passes = 1;
    if (commands.length === 0) return { median: 0, min: 0, max: 0 };
    await this.runBatch(commands, passes);
    for (let ms = await this.runBatch(commands, passes); ms < batchMs && passes < mostPasses; ms = await this.runBatch(commands, passes)) {
      const count = commands.length * passes * Math.max(2, Math.ceil(batchMs / ms));
      commands.destroy();
      commands = this.commandsFor(Math.min(count, dispatchesPerPass));
      passes = Math.min(mostPasses, Math.ceil(count / commands.length));
    }
    const times: number[] = [];
    for (let i = 0; i < repeats; i++) times.push((await this.runBatch(commands, passes)) / (commands.length * passes));
    commands.destroy();
    times.sort((a, b) => a - b);
    return { median: times[Math.floor(repeats / 2)] ?? 0, min: times[0] ?? 0, max: times.at(-1) ?? 0 };
  }

  destroy(): void {
    for (const buffer of new Set(this.launches.flatMap(({ ranges }) => ranges.map(({ buffer }) => buffer)))) buffer.destroy();
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
    const buffer = gpu.createStorage((sizes[name] ?? 0) * 4, name);
    const values = inputs[name];
    if (values) gpu.device.queue.writeBuffer(buffer, 0, values);
    buffers[name] = buffer;
  }
  return buffers;
}

/** The case's own values, and numbers with the spread of standard normal ones where it has none. */
function makeInputs<P extends Params>(spec: KernelSpec<P>, { params, inputs }: KernelCase<P>): Record<string, InputArray> {
  const random = normalNumbers();
  const given = inputs?.(random) ?? {};
  const sizes = spec.sizes(params);
  const arrays: Record<string, InputArray> = {};
  for (const [name, { access, dtype }] of Object.entries(spec.bindings)) {
    if (access === 'write') continue;
    const values = given[name] ?? Float32Array.from({ length: sizes[name] ?? 0 }, random);
    arrays[name] = dtype === 'f32' ? Float32Array.from(values) : dtype === 'u32' ? Uint32Array.from(values) : Int32Array.from(values);
  }
  return arrays;
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

function arrayOf(dtype: Dtype, bytes: ArrayBuffer): InputArray {
  if (dtype === 'f32') return new Float32Array(bytes);
  return dtype === 'u32' ? new Uint32Array(bytes) : new Int32Array(bytes);
}
