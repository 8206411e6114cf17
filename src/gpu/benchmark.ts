/**
 * Times a kernel variant on a device: for benches, for `doctor` (which measures what the device reaches in matrix products and copies), and for tuning.
 *
 * A measurement is a batch of dispatches in one submit, by the wall clock. The batch is long enough that submitting and waiting vanish in it. Inputs rotate
 * over a few sets of buffers, so that a small kernel does not find all of them in the nearest cache; all dispatches write the same outputs, so that one
 * starts after the other has ended, as in a program.
 */
import type { Dtype, InputArray, KernelCase, KernelSpec, Params, Variant } from '../../kernels/spec.ts';
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
/** Most dispatches in one submit. */
const mostDispatches = 4096;

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
    const sizes = spec.sizes(params);
    const outputs = new Map<string, GPUBuffer>();
    const launches = Array.from({ length: sets }, () => ({
      kernel,
      spec: spec as unknown as KernelSpec,
      params,
      dispatch: spec.dispatch(params, variant.constants),
      ranges: Object.entries(spec.bindings).map(([name, { access }]) => {
        const size = Math.max(16, (sizes[name] ?? 0) * 4);
        const known = access === 'read' ? undefined : outputs.get(name);
        const buffer = known ?? gpu.createStorage(size, name);
        if (access !== 'read') outputs.set(name, buffer);
        const values = inputs[name];
        if (values && !known) gpu.device.queue.writeBuffer(buffer, 0, values);
        return { buffer, offset: 0, size };
      }),
    }));
    return new KernelBench(gpu, spec as unknown as KernelSpec, launches, inputs);
  }

  /** Runs once on the first set of inputs and returns what each `write` and `readWrite` binding then holds. */
  async run(): Promise<Record<string, InputArray>> {
    const commands = this.commandsFor(1);
    await this.runBatch(commands);
    commands.destroy();
    const results: Record<string, InputArray> = {};
    for (const [index, [name, { access, dtype }]] of Object.entries(this.spec.bindings).entries()) {
      const range = this.launches[0]?.ranges[index];
      const size = (this.spec.sizes(this.launches[0]?.params ?? {})[name] ?? 0) * 4;
      if (access !== 'read' && range) results[name] = arrayOf(dtype, await readBuffer(this.gpu, { ...range, size }));
    }
    return results;
  }

  async time({ batchMs = 20, repeats = 7 }: TimingOptions = {}): Promise<Timing> {
    let count = 1;
    let commands = this.commandsFor(count);
    await this.runBatch(commands);
    for (let ms = await this.runBatch(commands); ms < batchMs && count < mostDispatches; ms = await this.runBatch(commands)) {
      count = Math.min(mostDispatches, Math.max(2 * count, Math.ceil((count * batchMs) / ms)));
      commands.destroy();
      commands = this.commandsFor(count);
    }
    const times: number[] = [];
    for (let i = 0; i < repeats; i++) times.push((await this.runBatch(commands)) / count);
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
  private async runBatch(commands: CommandList): Promise<number> {
    const encoder = this.gpu.device.createCommandEncoder();
    commands.encode(encoder);
    const start = performance.now();
    this.gpu.device.queue.submit([encoder.finish()]);
    await this.gpu.idle();
    return performance.now() - start;
  }
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
