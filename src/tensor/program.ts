/**
 * A compiled graph. A run writes its inputs, submits what was encoded for it, and copies its outputs to the host; it
 * allocates nothing. Whatever is asked of a device takes effect there in the order in which it was asked for, so runs
 * may overlap each other, and reads and writes of variables.
 */
import { elementBytes, type InputArray } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import type { BufferRange } from '../gpu/bindGroups.ts';
import { CommandList, submitAll } from '../gpu/commands.ts';
import type { GpuContext } from '../gpu/context.ts';
import { fromStorage, type HostArray, matches, storedBytes, toStorage } from '../gpu/hostArrays.ts';
import type { Launch } from '../gpu/launches.ts';
import { type BufferPlace, type DeviceBuffer, isOnDevice, placeOf } from './deviceBuffers.ts';
import { checkIndices } from './indexLimits.ts';
import type { MemoryReport, Plan } from './planner.ts';
import type { Tensor } from './tensor.ts';

export type TensorRecord = Readonly<Record<string, Tensor>>;

/** What a program computes and changes. */
export interface ProgramSpec<O extends TensorRecord> {
  /** For error messages and profiles. */
  readonly name: string;
  /** Tensors that a run copies to the host. */
  readonly outputs?: O;
  /** Variables' tensors after in-place steps that must happen though no output needs them. */
  readonly updates?: readonly Tensor[];
  /** Inputs that a run may give though the graph does not read them, where one set of inputs serves several graphs. */
  readonly optionalInputs?: readonly string[];
  /** What to do where a tensor is larger than the device can bind, as "lower optimiser.microBatchTokens". */
  readonly remedy?: string;
}

/**
 * Values for a program's inputs, by name: arrays, or buffers on the device (usage COPY_SRC), whose indices nobody
 * checks.
 */
export type Inputs = Readonly<Record<string, InputArray | DeviceBuffer>>;

/** What a run returns: a fresh array for each output. */
export type Outputs<O extends TensorRecord> = { readonly [K in keyof O]: HostArray };

/** The outputs that go to the host, those aside that are kept on the device. */
export type HostOutputs<O extends TensorRecord, Kept extends string> = [Kept] extends [never]
  ? Outputs<O>
  : Omit<Outputs<O>, Kept>;

/** Where the outputs of one run go. */
export interface RunOptions<Kept extends string = never> {
  /** Buffers on the device (usage COPY_DST) that get outputs, by name; the host does not. */
  readonly into?: Readonly<Record<Kept, DeviceBuffer>>;
}

/** What a program is made of. */
export interface ProgramParts {
  readonly launches: readonly Launch[];
  readonly plan: Plan;
  readonly rangeOf: (tensor: Tensor) => BufferRange;
  /** Buffers that belong to it alone. */
  readonly constants: readonly GPUBuffer[];
  /** Told when it is destroyed. */
  readonly onDestroyed: () => void;
}

/** Where outputs go that do not go to the host. */
type Places = ReadonlyMap<string, Required<BufferPlace>>;
const nowhere: Places = new Map();

interface OutputRange {
  readonly name: string;
  readonly tensor: Tensor;
  readonly range: BufferRange;
  /** Where it begins among all outputs, in bytes. */
  readonly at: number;
}

/**
 * A compiled graph, of `engine.compile`.
 * @example
 * const program = await engine.compile({ name: 'sum', outputs: { y: add(input('a', [3]), input('b', [3])) } });
 * const { y } = await program.run({ a: Float32Array.of(1, 2, 3), b: Float32Array.of(4, 5, 6) });
 */
export class Program<O extends TensorRecord = TensorRecord> {
  /** Bytes of intermediate tensors. */
  readonly memory: MemoryReport;
  private readonly commands: CommandList;
  private readonly inputs: ReadonlyMap<string, { readonly range: BufferRange; readonly tensor: Tensor }>;
  private readonly outputs: readonly OutputRange[];
  private readonly outputBytes: number;
  /** All buffers that it uses, but those of its parameters. */
  private readonly buffers: ReadonlySet<GPUBuffer>;
  /** Where outputs go on their way to the host; null while a run has it, or where there are none. */
  private staging: GPUBuffer | null = null;
  /** The next run with `staging`, encoded. */
  private encoded: GPUCommandBuffer[] | null = null;
  private running = 0;
  private readonly leaveArena: () => void;
  private isDestroyed = false;

  constructor(
    private readonly gpu: GpuContext,
    private readonly spec: ProgramSpec<O>,
    private readonly parts: ProgramParts,
  ) {
    const { launches, plan, rangeOf, constants } = parts;
    this.memory = plan.memory;
    this.inputs = new Map(
      plan.inputs.map((tensor) => [
        tensor.source.kind === 'input' ? tensor.source.name : '',
        { range: rangeOf(tensor), tensor },
      ]),
    );
    let end = 0;
    this.outputs = Object.entries(spec.outputs ?? {}).map(([name, tensor]) => {
      const at = end;
      end += bytesOf(tensor);
      return { name, tensor, range: rangeOf(tensor), at };
    });
    this.outputBytes = end;
    const ranges = [...launches.flatMap((launch) => launch.ranges), ...this.inputs.values(), ...this.outputs];
    this.buffers = new Set([...constants, ...ranges.map((one) => ('range' in one ? one.range.buffer : one.buffer))]);
    this.staging = this.createStaging();
    const forget = () => {
      this.encoded = null;
    };
    try {
      this.commands = new CommandList(gpu, launches, spec.name, forget);
    } catch (error) {
      this.staging?.destroy();
      throw error;
    }
    this.leaveArena = gpu.arena.hold();
  }

  /** Kernel dispatches in a run. */
  get dispatches(): number {
    return this.commands.length;
  }

  /** Submits in a run: more than one where one would keep the device for too long. */
  get submits(): number {
    return this.commands.submits.length;
  }

  /**
   * Runs and returns the outputs. The inputs are read before it returns its promise. What reads or writes buffers of
   * the caller's own takes its place on the device among the caller's other commands.
   * @example const { loss } = await program.run({ x: gpuBuffer }, { into: { logits: otherBuffer } });
   * @throws {ProxmoError} `shape` if an input is missing or has the wrong length, or there is none of that name;
   * `data` if indices are beyond what they index; `destroyed` if the program or a variable that it uses was destroyed;
   * `gpu-error`, `device-lost`
   */
  async run<Kept extends Extract<keyof O, string> = never>(
    inputs: Inputs = {},
    { into }: RunOptions<Kept> = {},
  ): Promise<HostOutputs<O, Kept>> {
    this.checkUsable();
    this.checkInputs(inputs);
    for (const limit of this.parts.plan.limits) {
      const values = inputs[limit.input]!;
      if (!isOnDevice(values)) checkIndices(values, limit);
    }
    const places = this.placesOf(into ?? {});
    this.running++;
    try {
      const outputs = await (this.gpu.runner ? this.runBy(inputs, places) : this.runOnce(inputs, places));
      return outputs as HostOutputs<O, Kept>;
    } finally {
      this.running--;
      if (this.isDestroyed && this.running === 0) this.free();
    }
  }

  /**
   * Waits until it is known that the device has memory for all that it uses; frees it where not.
   * @throws {ProxmoError} `out-of-memory`
   */
  async allocated(): Promise<void> {
    try {
      await this.gpu.allocated([...this.buffers, ...(this.staging ? [this.staging] : []), ...this.commands.buffers]);
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Frees what belongs to this program alone, once the runs that were begun are done. It must not run again. */
  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.parts.onDestroyed();
    if (this.running === 0) this.free();
  }

  /** `destroy`, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
  }

  private free(): void {
    this.encoded = null;
    this.commands.destroy();
    this.staging?.destroy();
    for (const buffer of this.parts.constants) buffer.destroy();
    this.leaveArena();
  }

  /** Command buffers are good for one submit; the next ones are encoded while the device works on these. */
  private async runOnce(inputs: Inputs, places: Places): Promise<Outputs<O>> {
    const { gpu } = this;
    this.writeInputs(inputs);
    if (places.size > 0) return this.runInto(places, () => submitAll(gpu, this.commands.encode()));
    const isUsual = this.staging !== null || this.outputBytes === 0;
    const [usual, encoded] = [this.staging, isUsual ? this.encoded : null];
    const staging = usual ?? this.createStaging();
    if (isUsual) [this.staging, this.encoded] = [null, null];
    submitAll(gpu, encoded ?? this.encode(staging));
    const done = this.received(staging);
    if (isUsual && this.encoded === null) this.encoded = this.encode(staging);
    try {
      return await done;
    } finally {
      if (isUsual) this.staging = usual;
      else staging?.destroy();
    }
  }

  /** Has the context's runner run the commands, when earlier runs by it are done. */
  private runBy(inputs: Inputs, places: Places): Promise<Outputs<O>> {
    const { gpu } = this;
    const names = [...this.inputs.keys()];
    const values = Object.fromEntries(names.map((name) => [name, keptUntilRun(inputs[name]!)]));
    return gpu.turns.run(async () => {
      this.writeInputs(values);
      await gpu.runner?.run(this.commands);
      return this.runInto(places);
    });
  }

  /** Copies outputs where they go, after what `submit` submits. */
  private async runInto(places: Places, submit: () => void = () => {}): Promise<Outputs<O>> {
    const { gpu } = this;
    const toHost = this.outputs.filter(({ name }) => !places.has(name));
    const staging = toHost.length > 0 ? this.createStaging() : null;
    gpu.issue(() => {
      submit();
      const encoder = gpu.device.createCommandEncoder({ label: this.spec.name });
      this.copyOutputs(encoder, staging, places);
      gpu.device.queue.submit([encoder.finish()]);
    });
    try {
      return await this.received(staging, toHost);
    } finally {
      staging?.destroy();
    }
  }

  /** The outputs, when what was submitted is done. */
  private async received(staging: GPUBuffer | null, outputs = this.outputs): Promise<Outputs<O>> {
    if (!staging) {
      await this.gpu.idle();
      return {} as Outputs<O>;
    }
    try {
      await this.gpu.wait(staging.mapAsync(GPUMapMode.READ));
    } catch (error) {
      await this.gpu.allocated([staging]);
      throw error;
    }
    const mapped = staging.getMappedRange();
    const values = outputs.map(({ name, tensor, at }) => [
      name,
      fromStorage(tensor.dtype, mapped.slice(at, at + tensor.size * elementBytes[tensor.dtype])),
    ]);
    staging.unmap();
    return Object.fromEntries(values) as Outputs<O>;
  }

  private encode(staging: GPUBuffer | null): GPUCommandBuffer[] {
    return this.gpu.issue(() => this.commands.encode((encoder) => this.copyOutputs(encoder, staging)));
  }

  private copyOutputs(encoder: GPUCommandEncoder, staging: GPUBuffer | null, places: Places = nowhere): void {
    for (const { name, range, tensor, at } of this.outputs) {
      const place = places.get(name) ?? (staging && { buffer: staging, offset: at });
      if (tensor.size > 0 && place)
        encoder.copyBufferToBuffer(range.buffer, range.offset, place.buffer, place.offset, bytesOf(tensor));
    }
  }

  /** Where outputs go that stay on the device. @throws {ProxmoError} `shape` */
  private placesOf(into: Readonly<Record<string, DeviceBuffer>>): Places {
    const { name: program } = this.spec;
    return new Map(
      Object.entries(into).map(([name, given]) => {
        const output = this.outputs.find((one) => one.name === name);
        if (!output) {
          const names = this.outputs.map((one) => one.name).join(', ');
          throw new ProxmoError('shape', `the program ${program} has no output ${name}; it has ${names || 'none'}.`);
        }
        return [name, placeOf(given, output.tensor, `the output ${name} of the program ${program}`, 'write')];
      }),
    );
  }

  private createStaging(): GPUBuffer | null {
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    return this.outputBytes > 0 ? this.gpu.createBuffer(this.outputBytes, usage, `${this.spec.name} readback`) : null;
  }

  private checkUsable(): void {
    this.gpu.check();
    const refuse = (why: string) => {
      throw new ProxmoError('destroyed', `the program ${this.spec.name} cannot run: ${why}; compile it again.`);
    };
    if (this.isDestroyed) refuse('it was destroyed');
    this.gpu.checkAllocated(this.buffers);
    for (const buffer of this.buffers)
      if (!this.gpu.allocations.isLive(buffer)) refuse(`${buffer.label}, which it uses, was destroyed`);
  }

  private checkInputs(inputs: Inputs): void {
    const { name: program, optionalInputs = [] } = this.spec;
    const { unreadInputs } = this.parts.plan;
    const names = [...this.inputs.keys()];
    const unknown = Object.keys(inputs).filter(
      (name) => !this.inputs.has(name) && !unreadInputs.has(name) && !optionalInputs.includes(name),
    );
    if (unknown.length > 0) {
      throw new ProxmoError(
        'shape',
        `the program ${program} has no input ${unknown.join(', ')}; ${names.length > 0 ? `it has ${names.join(', ')}` : 'it has none'}.`,
      );
    }
    for (const [name, { tensor }] of this.inputs) {
      const values = inputs[name];
      if (values && isOnDevice(values)) {
        placeOf(values, tensor, `the input ${name} of the program ${program}`, 'read');
        continue;
      }
      if (values?.length === tensor.size && matches(values, tensor.dtype)) continue;
      const given = values ? `${values.constructor.name} of ${values.length}` : 'nothing';
      const missing = names.filter((other) => !inputs[other]);
      throw new ProxmoError(
        'shape',
        `the program ${program} needs ${tensor.size} values of ${tensor.dtype} as its input ${name}; it was given ${given}${missing.length > 1 ? `, nor anything for ${missing.filter((other) => other !== name).join(', ')}` : ''}.`,
      );
    }
  }

  private writeInputs(inputs: Inputs): void {
    const { gpu } = this;
    const { device } = gpu;
    const copies: { readonly from: Required<BufferPlace>; readonly range: BufferRange; readonly bytes: number }[] = [];
    for (const [name, { range, tensor }] of this.inputs) {
      const values = inputs[name]!;
      if (isOnDevice(values))
        copies.push({ from: placeOf(values, tensor, name, 'read'), range, bytes: bytesOf(tensor) });
      else device.queue.writeBuffer(range.buffer, range.offset, toStorage(tensor.dtype, values));
    }
    if (copies.length === 0) return;
    gpu.issue(() => {
      const encoder = device.createCommandEncoder({ label: `inputs of ${this.spec.name}` });
      for (const { from, range, bytes } of copies)
        encoder.copyBufferToBuffer(from.buffer, from.offset, range.buffer, range.offset, bytes);
      device.queue.submit([encoder.finish()]);
    });
  }
}

/** A copy of an array, which its owner may change; buffers are read when they are. */
function keptUntilRun(values: InputArray | DeviceBuffer): InputArray | DeviceBuffer {
  return isOnDevice(values) ? values : values.slice();
}

export function bytesOf({ size, dtype }: Tensor): number {
  return storedBytes(dtype, size);
}
