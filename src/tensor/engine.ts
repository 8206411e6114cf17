/**
 * Runs graphs on a device: holds the buffers of variables and compiles programs.
 *
 * A program is compiled once and run many times. A run writes its inputs, encodes every dispatch into one pass, and submits once; it allocates nothing.
 */
import { type AdapterProfile, type Dtype, defaultVariant, type InputArray } from '../../kernels/spec.ts';
import { ProxmoError } from '../errors.ts';
import { type BufferRange, CommandList, type Launch, readBuffer } from '../gpu/commands.ts';
import type { GpuContext } from '../gpu/context.ts';
import { type MemoryReport, type Plan, plan } from './planner.ts';
import type { Tensor } from './tensor.ts';
import type { Variable } from './variable.ts';

export type TensorRecord = Readonly<Record<string, Tensor>>;

export interface ProgramSpec<O extends TensorRecord> {
  /** For error messages and profiles. */
  readonly name: string;
  /** Tensors that a run copies to the host. */
  readonly outputs?: O;
  /** Variables' tensors after in-place steps that must happen though no output needs them. */
  readonly updates?: readonly Tensor[];
}

/** Values for a program's inputs, by name. */
export type Inputs = Readonly<Record<string, InputArray>>;

/** What a run returns: a fresh array for each output. */
export type Outputs<O extends TensorRecord> = { readonly [K in keyof O]: HostArray };

/** A tensor's values on the host: `Float32Array` for f32, `Uint32Array` for u32, `Int32Array` for i32. */
export type HostArray = InputArray;

export class Engine {
  private readonly buffers = new Map<Variable, GPUBuffer>();

  constructor(readonly gpu: GpuContext) {}

  get profile(): AdapterProfile {
    return this.gpu.profile;
  }

  /**
   * Turns a graph into a program: chooses kernels, plans memory, builds pipelines and bind groups.
   * @throws {ProxmoError} `gpu-error` if a kernel does not compile, `shape` if a tensor is too large for the device
   */
  async compile<O extends TensorRecord>(spec: ProgramSpec<O>): Promise<Program<O>> {
    const outputs = Object.values(spec.outputs ?? {});
    const planned = plan(outputs, spec.updates ?? []);
    const slots = this.gpu.arena.take(planned.slots);
    const constants = new Map(planned.constants.map((tensor) => [tensor, this.uploadConstant(tensor)]));
    const rangeOf = (tensor: Tensor) => this.resolve(tensor, planned, slots, constants);
    const launches = await Promise.all(planned.launches.map((launch) => this.prepare(launch, rangeOf)));
    const commands = new CommandList(this.gpu, launches, spec.name);
    return new Program(this.gpu, spec, commands, rangeOf, planned, [...constants.values()]);
  }

  /** Overwrites a variable, or a part of it from element `offset` on. */
  write(variable: Variable, values: ArrayLike<number>, offset = 0): void {
    if (offset + values.length > variable.size) {
      throw new ProxmoError('shape', `${values.length} values at ${offset} do not fit the variable ${variable.name} of ${variable.size}.`);
    }
    this.gpu.device.queue.writeBuffer(this.bufferOf(variable), offset * 4, typedArray(variable.dtype, values));
  }

  /** Copies a variable to the host, or `count` elements of it from element `offset` on. */
  async read(variable: Variable, offset = 0, count = variable.size - offset): Promise<HostArray> {
    const bytes = await readBuffer(this.gpu, { buffer: this.bufferOf(variable), offset: offset * 4, size: count * 4 });
    return typedView(variable.dtype, bytes);
  }

  /** Sets a variable to zeros. */
  clear(variable: Variable): void {
    const encoder = this.gpu.device.createCommandEncoder();
    encoder.clearBuffer(this.bufferOf(variable));
    this.gpu.device.queue.submit([encoder.finish()]);
  }

  /** Copies one variable's values to another of the same size, on the device. */
  copy(from: Variable, to: Variable): void {
    if (from.size !== to.size)
      throw new ProxmoError('shape', `${from.name} has ${from.size} elements and ${to.name} has ${to.size}; they must be equal to copy.`);
    const encoder = this.gpu.device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.bufferOf(from), 0, this.bufferOf(to), 0, from.size * 4);
    this.gpu.device.queue.submit([encoder.finish()]);
  }

  /** Frees a variable's buffer. Programs that use the variable must not run again. */
  release(variable: Variable): void {
    this.buffers.get(variable)?.destroy();
    this.buffers.delete(variable);
  }

  /** Bytes held on the device, by purpose. */
  get memory(): { readonly variables: number; readonly shared: number } {
    return { variables: [...this.buffers.values()].reduce((sum, { size }) => sum + size, 0), shared: this.gpu.arena.bytes };
  }

  private bufferOf(variable: Variable): GPUBuffer {
    const known = this.buffers.get(variable);
    if (known) return known;
    const buffer = this.gpu.createStorage(variable.size * 4, variable.name);
    this.buffers.set(variable, buffer);
    if (variable.initial) this.write(variable, variable.initial);
    return buffer;
  }

  private uploadConstant(tensor: Tensor): GPUBuffer {
    const buffer = this.gpu.createStorage(tensor.size * 4, 'constant');
    if (tensor.source.kind === 'constant') this.gpu.device.queue.writeBuffer(buffer, 0, typedArray(tensor.dtype, tensor.source.data));
    return buffer;
  }

  private resolve(tensor: Tensor, planned: Plan, slots: readonly GPUBuffer[], constants: ReadonlyMap<Tensor, GPUBuffer>): BufferRange {
    const { root, offset } = planned.locate(tensor);
    const slot = planned.slotOf.get(root);
    const { source } = root;
    const buffer = slot !== undefined ? slots[slot] : source.kind === 'variable' ? this.bufferOf(source.variable) : constants.get(root);
    if (!buffer) throw new Error(`a tensor of kind ${source.kind} has no storage`);
    return { buffer, offset: offset * 4, size: Math.max(16, tensor.size * 4) };
  }

  private async prepare(
    { spec, params, scope, tensors }: Plan['launches'][number],
    rangeOf: (tensor: Tensor) => BufferRange,
  ): Promise<Launch> {
    const variant = defaultVariant(spec, this.profile, params);
    const ranges = tensors.map(rangeOf);
    Object.entries(spec.bindings).forEach(([name, { access }], index) => {
      const other = ranges.findIndex((range, i) => i !== index && range.buffer === ranges[index]?.buffer);
      const otherAccess = Object.values(spec.bindings)[other]?.access;
      if (other >= 0 && access !== 'read' && otherAccess === 'read') {
        throw new Error(`${spec.name} would read and write one buffer in one dispatch (binding ${name}); copy one of the tensors first`);
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
  private readonly inputRanges: ReadonlyMap<string, { readonly range: BufferRange; readonly tensor: Tensor }>;
  private readonly outputRanges: readonly {
    readonly name: string;
    readonly tensor: Tensor;
    readonly range: BufferRange;
    readonly at: number;
  }[];
  private readonly staging: GPUBuffer | null;
  private reading = false;

  constructor(
    private readonly gpu: GpuContext,
    private readonly spec: ProgramSpec<O>,
    private readonly commands: CommandList,
    rangeOf: (tensor: Tensor) => BufferRange,
    planned: Plan,
    private readonly constants: readonly GPUBuffer[],
  ) {
    this.memory = planned.memory;
    this.inputRanges = new Map(
      planned.inputs.map((tensor) => [tensor.source.kind === 'input' ? tensor.source.name : '', { range: rangeOf(tensor), tensor }]),
    );
    let end = 0;
    this.outputRanges = Object.entries(spec.outputs ?? {}).map(([name, tensor]) => {
      const at = end;
      end += tensor.size * 4;
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
    if (!staging) {
      this.writeInputs(inputs);
      await this.gpu.run(this.commands);
      return {} as Outputs<O>;
    }
    this.reading = true;
    try {
      this.writeInputs(inputs);
      const encoder = this.gpu.device.createCommandEncoder({ label: this.spec.name });
      if (this.gpu.runner) await this.gpu.run(this.commands);
      else this.commands.encode(encoder);
      for (const { range, tensor, at } of this.outputRanges) {
        if (tensor.size > 0) encoder.copyBufferToBuffer(range.buffer, range.offset, staging, at, tensor.size * 4);
      }
      this.gpu.device.queue.submit([encoder.finish()]);
      await this.gpu.wait(staging.mapAsync(GPUMapMode.READ));
      const mapped = staging.getMappedRange();
      const values = this.outputRanges.map(({ name, tensor, at }) => [
        name,
        typedView(tensor.dtype, mapped.slice(at, at + tensor.size * 4)),
      ]);
      staging.unmap();
      return Object.fromEntries(values) as Outputs<O>;
    } finally {
      this.reading = false;
    }
  }

  /** Frees what belongs to this program alone. */
  destroy(): void {
    this.commands.destroy();
    this.staging?.destroy();
    for (const buffer of this.constants) buffer.destroy();
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
      this.gpu.device.queue.writeBuffer(range.buffer, 0, values);
    }
  }
}

function isInputArray(values: ArrayLike<number>): values is InputArray {
  return values instanceof Float32Array || values instanceof Uint32Array || values instanceof Int32Array;
}

function matches(values: InputArray, dtype: Dtype): boolean {
  if (dtype === 'f32') return values instanceof Float32Array;
  return dtype === 'u32' ? values instanceof Uint32Array : values instanceof Int32Array;
}

/** Values as the device takes them: as they are where their type fits. */
function typedArray(dtype: Dtype, values: ArrayLike<number>): InputArray {
  if (isInputArray(values) && matches(values, dtype)) return values;
  if (dtype === 'f32') return Float32Array.from(values);
  return dtype === 'u32' ? Uint32Array.from(values) : Int32Array.from(values);
}

function typedView(dtype: Dtype, bytes: ArrayBuffer): InputArray {
  if (dtype === 'f32') return new Float32Array(bytes);
  return dtype === 'u32' ? new Uint32Array(bytes) : new Int32Array(bytes);
}
