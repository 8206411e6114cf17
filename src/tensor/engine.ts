/**
 * Runs graphs on a device: holds variables and compiles programs.
 *
 * A program is compiled once and run many times. A run writes its inputs, encodes every dispatch into one pass, and
 * submits once; it allocates nothing.
 */
import { type AdapterProfile, elementBytes, type InputArray } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { mebibytes } from '../base/sizes.ts';
import type { BufferRange } from '../gpu/bindGroups.ts';
import { CommandList, type Launch } from '../gpu/commands.ts';
import type { GpuContext } from '../gpu/context.ts';
import { fromStorage, type HostArray, matches, storedBytes, toStorage } from '../gpu/hostArrays.ts';
import { defaultChooser, type VariantChooser } from '../gpu/tuner.ts';
import { type MemoryReport, type Plan, plan } from './planner.ts';
import type { Tensor } from './tensor.ts';
import type { Variable } from './variable.ts';
import { checkDtype, VariableStore } from './variableStore.ts';

export type { HostArray } from '../gpu/hostArrays.ts';

export type TensorRecord = Readonly<Record<string, Tensor>>;

export interface ProgramSpec<O extends TensorRecord> {
  /** For error messages and profiles. */
  readonly name: string;
  /** Tensors that a run copies to the host. */
  readonly outputs?: O;
  /** Variables' tensors after in-place steps that must happen though no output needs them. */
  readonly updates?: readonly Tensor[];
  /** What to do where a tensor is larger than the device can bind, as "lower optimiser.microBatchTokens". */
  readonly remedy?: string;
}

/** Values for a program's inputs, by name. */
export type Inputs = Readonly<Record<string, InputArray>>;

/** What a run returns: a fresh array for each output. */
export type Outputs<O extends TensorRecord> = { readonly [K in keyof O]: HostArray };

export interface EngineOptions {
  /**
   * Most bytes that a kernel can bind at once, where that is to be less than the device allows: to try what a smaller
   * device does.
   */
  readonly largestBinding?: number;
}

export interface EngineMemory {
  /** Bytes of variables. */
  readonly variables: number;
  /** Bytes of the buffers that all programs share for their intermediate values. */
  readonly shared: number;
  /** Bind groups of all programs; drivers hold memory for each. */
  readonly bindGroups: number;
}

export class Engine {
  /** Most bytes that a kernel can bind at once. */
  readonly largestBinding: number;
  /** Decides which variants programs run that are compiled from now on; the defaults unless it is set. */
  variantChooser: VariantChooser;
  private readonly variables: VariableStore;

  constructor(
    readonly gpu: GpuContext,
    { largestBinding = Number.POSITIVE_INFINITY }: EngineOptions = {},
  ) {
    this.largestBinding = Math.min(gpu.largestBinding, largestBinding);
    this.variables = new VariableStore(gpu, this.largestBinding);
    this.variantChooser = defaultChooser(gpu);
  }

  get profile(): AdapterProfile {
    return this.gpu.profile;
  }

  /**
   * Turns a graph into a program: chooses kernels, plans memory, builds pipelines. Bind groups are made when it runs
   * first.
   * @throws {ProxmoError} `gpu-error` if a kernel does not compile, `shape` if a tensor is too large for the device, or
   * there are more different sets of buffers to bind than there may be
   */
  async compile<O extends TensorRecord>(spec: ProgramSpec<O>): Promise<Program<O>> {
    const outputs = Object.values(spec.outputs ?? {});
    const planned = plan(outputs, spec.updates ?? []);
    this.checkSizes(spec, planned);
    const slots = this.gpu.arena.take(planned.slots);
    const constants = new Map(planned.constants.map((tensor) => [tensor, this.uploadConstant(tensor)]));
    const rangeOf = (tensor: Tensor) => this.resolve(tensor, planned, slots, constants);
    const launches = await Promise.all(planned.launches.map((launch) => this.prepare(launch, rangeOf)));
    return new Program(this.gpu, spec, launches, rangeOf, planned, [...constants.values()]);
  }

  /** Overwrites a variable, or a part of it from element `offset` on. */
  write(variable: Variable, values: ArrayLike<number>, offset = 0): void {
    this.variables.write(variable, values, offset);
  }

  /** Copies a variable to the host, or `count` elements of it from element `offset` on. */
  read(variable: Variable, offset = 0, count = variable.size - offset): Promise<HostArray> {
    return this.variables.read(variable, offset, count);
  }

  /** Sets a variable to zeros. */
  clear(variable: Variable): void {
    this.variables.clear(variable);
  }

  /** Copies one variable's values from element `offset` on, as many as another holds, to that other, on the device. */
  copy(from: Variable, to: Variable, offset = 0): void {
    this.variables.copy(from, to, offset);
  }

  /** Makes the buffers that programs share, of these sizes in bytes, so that those which need no more add none. */
  reserve(sizes: readonly number[]): void {
    this.gpu.arena.take(sizes);
  }

  /** Frees a variable's buffers. Programs that use the variable must not run again. */
  release(variable: Variable): void {
    this.variables.release(variable);
  }

  /** What is held on the device. */
  get memory(): EngineMemory {
    return {
      variables: this.variables.bytes,
      shared: this.gpu.arena.bytes,
      bindGroups: this.gpu.bindGroups.count,
    };
  }

  private checkSizes(
    { name, remedy = 'use a smaller batch or model' }: ProgramSpec<TensorRecord>,
    { launches, locate }: Plan,
  ): void {
    for (const { spec, scope, tensors } of launches) {
      // A variable's own buffers are checked where they are made.
      const isTooLarge = (tensor: Tensor) =>
        bytesOf(tensor) > this.largestBinding && locate(tensor).root.source.kind !== 'variable';
      const index = tensors.findIndex(isTooLarge);
      const tensor = tensors[index];
      if (!tensor) continue;
      const [needed, allowed] = [bytesOf(tensor), this.largestBinding].map(mebibytes);
      const what = `${Object.keys(spec.bindings)[index]} of ${spec.name}${scope ? ` in ${scope}` : ''}`;
      throw new ProxmoError(
        'shape',
        `the program ${name} needs ${needed} MiB for ${what}, ${tensor.dtype} [${tensor.shape.join(', ')}], but ${this.gpu.adapter.name} binds ${allowed} MiB at once; ${remedy}.`,
      );
    }
  }

  private uploadConstant(tensor: Tensor): GPUBuffer {
    const buffer = this.gpu.createStorage(bytesOf(tensor), 'constant');
    if (tensor.source.kind === 'constant')
      this.gpu.device.queue.writeBuffer(buffer, 0, toStorage(tensor.dtype, tensor.source.data));
    return buffer;
  }

  private resolve(
    tensor: Tensor,
    planned: Plan,
    slots: readonly GPUBuffer[],
    constants: ReadonlyMap<Tensor, GPUBuffer>,
  ): BufferRange {
    const { root, offset } = planned.locate(tensor);
    const slot = planned.slotOf.get(root);
    const { source } = root;
    // No binding is smaller than a vector; storage is padded to hold it.
    const size = Math.max(16, bytesOf(tensor));
    if (slot === undefined && source.kind === 'variable') {
      return { ...this.variables.rangeOf(source.variable, offset, tensor.size), size };
    }
    const buffer = slot === undefined ? constants.get(root) : slots[slot];
    if (!buffer) throw new Error(`a tensor of kind ${source.kind} has no storage`);
    return { buffer, offset: offset * elementBytes[tensor.dtype], size };
  }

  private async prepare(
    { spec, params, scope, tensors }: Plan['launches'][number],
    rangeOf: (tensor: Tensor) => BufferRange,
  ): Promise<Launch> {
    for (const { dtype } of Object.values(spec.bindings)) checkDtype(this.gpu, dtype);
    const variant = await this.variantChooser.choose(spec.formOf?.spec ?? spec, params);
    const ranges = tensors.map(rangeOf);
    Object.entries(spec.bindings).forEach(([name, { access }], index) => {
      const other = ranges.findIndex((range, i) => i !== index && range.buffer === ranges[index]?.buffer);
      const otherAccess = Object.values(spec.bindings)[other]?.access;
      if (other >= 0 && access !== 'read' && otherAccess === 'read') {
        throw new Error(
          `${spec.name} would read and write one buffer in one dispatch (binding ${name}); copy one of the tensors first`,
        );
      }
    });
    return {
      kernel: await this.gpu.pipelines.get(spec, variant),
      spec,
      params,
      scope,
      ranges,
      dispatch: spec.dispatch(params, variant.constants),
    };
  }
}

/** A compiled graph. */
export class Program<O extends TensorRecord = TensorRecord> {
  private readonly commands: CommandList;
  private readonly inputRanges: ReadonlyMap<string, { readonly range: BufferRange; readonly tensor: Tensor }>;
  private readonly outputRanges: readonly {
    readonly name: string;
    readonly tensor: Tensor;
    readonly range: BufferRange;
    readonly at: number;
  }[];
  private readonly staging: GPUBuffer | null;
  /** The next run, encoded. */
  private encoded: GPUCommandBuffer | null = null;
  private reading = false;

  constructor(
    private readonly gpu: GpuContext,
    private readonly spec: ProgramSpec<O>,
    launches: readonly Launch[],
    rangeOf: (tensor: Tensor) => BufferRange,
    planned: Plan,
    private readonly constants: readonly GPUBuffer[],
  ) {
    this.memory = planned.memory;
    this.commands = new CommandList(gpu, launches, spec.name, () => {
      this.encoded = null;
    });
    this.inputRanges = new Map(
      planned.inputs.map((tensor) => [
        tensor.source.kind === 'input' ? tensor.source.name : '',
        { range: rangeOf(tensor), tensor },
      ]),
    );
    let end = 0;
    this.outputRanges = Object.entries(spec.outputs ?? {}).map(([name, tensor]) => {
      const at = end;
      end += bytesOf(tensor);
      return { name, tensor, range: rangeOf(tensor), at };
    });
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    this.staging = end > 0 ? gpu.createBuffer(end, usage, `${spec.name} readback`) : null;
  }

  /** Bytes of intermediate tensors. */
  readonly memory: MemoryReport;

  /** Kernel dispatches in a run. */
  get dispatches(): number {
    return this.commands.length;
  }

  /**
   * Runs and returns the outputs.
   * @throws {ProxmoError} `shape` if an input is missing or has the wrong length; `gpu-error`, `device-lost`
   */
  async run(inputs: Inputs = {}): Promise<Outputs<O>> {
    const { staging } = this;
    if (this.reading) throw new Error(`the program ${this.spec.name} is still running; wait for its result first`);
    this.writeInputs(inputs);
    if (!staging) {
      await this.execute(() => this.gpu.device.queue.onSubmittedWorkDone());
      return {} as Outputs<O>;
    }
    this.reading = true;
    try {
      await this.execute(() => staging.mapAsync(GPUMapMode.READ));
      const mapped = staging.getMappedRange();
      const values = this.outputRanges.map(({ name, tensor, at }) => [
        name,
        fromStorage(tensor.dtype, mapped.slice(at, at + tensor.size * elementBytes[tensor.dtype])),
      ]);
      staging.unmap();
      return Object.fromEntries(values) as Outputs<O>;
    } finally {
      this.reading = false;
    }
  }

  /** Frees what belongs to this program alone. */
  destroy(): void {
    this.encoded = null;
    this.commands.destroy();
    this.staging?.destroy();
    for (const buffer of this.constants) buffer.destroy();
  }

  /**
   * Submits the commands and the copies of outputs, and waits. Command buffers are good for one submit; the next one is
   * encoded while the device works on this one.
   */
  private async execute<T>(whenDone: () => Promise<T>): Promise<void> {
    const { gpu, commands } = this;
    if (gpu.runner) {
      await gpu.runner.run(commands);
      gpu.device.queue.submit([this.encode(null)]);
      await gpu.wait(whenDone());
      return;
    }
    gpu.device.queue.submit([this.encoded ?? this.encode(commands)]);
    const done = gpu.wait(whenDone());
    this.encoded = this.encode(commands);
    await done;
  }

  private encode(commands: CommandList | null): GPUCommandBuffer {
    const encoder = this.gpu.device.createCommandEncoder({ label: this.spec.name });
    commands?.encode(encoder);
    for (const { range, tensor, at } of this.outputRanges) {
      if (tensor.size > 0 && this.staging)
        encoder.copyBufferToBuffer(range.buffer, range.offset, this.staging, at, bytesOf(tensor));
    }
    return encoder.finish();
  }

  private writeInputs(inputs: Inputs): void {
    for (const [name, { range, tensor }] of this.inputRanges) {
      const values = inputs[name];
      if (!values || values.length !== tensor.size || !matches(values, tensor.dtype)) {
        const given = values ? `${values.constructor.name} of ${values.length}` : 'nothing';
        throw new ProxmoError(
          'shape',
          `the program ${this.spec.name} needs ${tensor.size} values of ${tensor.dtype} as its input ${name}; it was given ${given}.`,
        );
      }
      this.gpu.device.queue.writeBuffer(range.buffer, 0, toStorage(tensor.dtype, values));
    }
  }
}

function bytesOf({ size, dtype }: Tensor): number {
  return storedBytes(dtype, size);
}
