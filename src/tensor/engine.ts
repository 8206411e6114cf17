/** Runs graphs on a device: holds variables and compiles programs, which are compiled once and run many times. */
import { type AdapterProfile, elementBytes } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { mebibytes } from '../base/sizes.ts';
import type { BufferRange } from '../gpu/bindGroups.ts';
import type { GpuContext } from '../gpu/context.ts';
import { type HostArray, storedBytes, toStorage } from '../gpu/hostArrays.ts';
import { type Launch, prepareLaunches } from '../gpu/launches.ts';
import { defaultChooser, type VariantChooser } from '../gpu/tuner.ts';
import { checkAliases } from './aliases.ts';
import { checkDtype } from './dtypes.ts';
import { type Plan, plan } from './planner.ts';
import { bytesOf, Program, type ProgramSpec, type TensorRecord } from './program.ts';
import type { StoredVariable } from './storedVariable.ts';
import type { Tensor } from './tensor.ts';
import type { Variable } from './variable.ts';

export type { HostArray } from '../gpu/hostArrays.ts';
export {
  type Inputs,
  type Outputs,
  Program,
  type ProgramSpec,
  type RunOptions,
  type TensorRecord,
} from './program.ts';

/** Limits of an engine. */
export interface EngineOptions {
  /**
   * Most bytes that a kernel can bind at once, where that is to be less than the device allows: to try what a smaller
   * device does.
   */
  readonly largestBinding?: number;
}

/** A variable's storage, and the engine that it was made through. */
interface Stored {
  readonly storage: StoredVariable;
  readonly maker: Engine;
}

/** What an engine holds on its device. */
export interface EngineMemory {
  /** Bytes of variables. */
  readonly variables: number;
  /** Bytes of the buffers that all programs share for their intermediate values. */
  readonly shared: number;
  /** Bind groups of all programs; drivers hold memory for each. */
  readonly bindGroups: number;
}

/**
 * @example
 * await using gpu = await openDevice();
 * await using engine = new Engine(gpu);
 * const program = await engine.compile({ name: 'double', outputs: { y: scale(input('x', [3]), 2) } });
 * const { y } = await program.run({ x: Float32Array.of(1, 2, 3) });
 */
export class Engine {
  /** Most bytes that a kernel can bind at once. */
  readonly largestBinding: number;
  /** All variables, whichever engine of the same whole they were made through. */
  private readonly stored: Map<Variable, Stored>;
  /** What ends with this engine: programs, and engines of parts. */
  private readonly owned = new Set<{ destroy(): void }>();
  private isDestroyed = false;
  private readonly leaveArena: () => void;
  private onDestroyed = () => {};
  private chooser: VariantChooser | null = null;
  /** The engine that this one is a part of. */
  private readonly whole: Engine | null;

  constructor(
    readonly gpu: GpuContext,
    { largestBinding = Number.POSITIVE_INFINITY }: EngineOptions = {},
    whole: Engine | null = null,
  ) {
    this.largestBinding = Math.min(gpu.largestBinding, largestBinding);
    this.whole = whole;
    this.stored = whole?.stored ?? new Map();
    this.leaveArena = gpu.arena.hold();
  }

  /**
   * An engine for a part of a program, as a model or a run, that ends before the rest. It sees all variables of this
   * one, and the other way round; its `destroy` frees what was made through it, and so does that of this one.
   */
  part(): Engine {
    const part = new Engine(this.gpu, { largestBinding: this.largestBinding }, this);
    part.onDestroyed = () => this.owned.delete(part);
    this.owned.add(part);
    return part;
  }

  /**
   * Frees every program that was compiled and every variable that was first used through this engine. They must not be
   * used again, nor may it. What runs is done first. With the last engine of a device goes what programs shared; the
   * device stays.
   */
  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    for (const one of [...this.owned]) one.destroy();
    this.releaseOwn();
    this.leaveArena();
    this.onDestroyed();
  }

  /** `destroy`, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
  }

  /**
   * Decides which variants programs run that are compiled from now on. Unless it is set: that of the engine that this
   * is a part of, or the defaults.
   */
  get variantChooser(): VariantChooser {
    this.chooser ??= this.whole ? null : defaultChooser(this.gpu);
    return this.chooser ?? this.whole!.variantChooser;
  }

  set variantChooser(chooser: VariantChooser) {
    this.chooser = chooser;
  }

  get profile(): AdapterProfile {
    return this.gpu.profile;
  }

  /**
   * Turns a graph into a program: chooses kernels, plans memory, builds pipelines. Bind groups are made when it runs
   * first.
   * @throws {ProxmoError} `gpu-error` if a kernel does not compile, `shape` if a tensor is too large for the device, or
   * there are more different sets of buffers to bind than there may be; `out-of-memory` if the device has too little,
   * which leaves nothing behind
   */
  async compile<O extends TensorRecord>(spec: ProgramSpec<O>): Promise<Program<O>> {
    this.gpu.check();
    this.checkUsable(spec.name);
    const outputs = Object.values(spec.outputs ?? {});
    const planned = plan(outputs, spec.updates ?? []);
    this.checkSizes(spec, planned);
    await this.gpu.pace.prepareFor(planned.launches.map(({ spec, params }) => spec.cost(params)));
    const slots = this.gpu.arena.take(planned.slots);
    const constants = new Map(planned.constants.map((tensor) => [tensor, this.uploadConstant(spec.name, tensor)]));
    const rangeOf = (tensor: Tensor) => this.resolve(tensor, planned, slots, constants);
    try {
      const launches = await Promise.all(planned.launches.map((launch) => this.prepare(launch, rangeOf)));
      const parts = { launches: launches.flat(), plan: planned, rangeOf, constants: [...constants.values()] };
      const program: Program<O> = new Program(this.gpu, spec, {
        ...parts,
        onDestroyed: () => this.owned.delete(program),
      });
      this.owned.add(program);
      await program.allocated();
      if (this.isDestroyed) program.destroy();
      this.checkUsable(spec.name);
      return program;
    } catch (error) {
      for (const buffer of constants.values()) buffer.destroy();
      // Its variables were made after the others were freed.
      if (this.isDestroyed) this.releaseOwn();
      throw error;
    }
  }

  /** Overwrites a variable, or a part of it from element `offset` on. */
  write(variable: Variable, values: ArrayLike<number>, offset = 0): void {
    this.storageOf(variable).write(values, offset);
  }

  /** Copies a variable to the host, or `count` elements of it from element `offset` on. */
  read(variable: Variable, offset = 0, count = variable.size - offset): Promise<HostArray> {
    return this.storageOf(variable).read(offset, count);
  }

  /** Sets a variable to zeros. */
  clear(variable: Variable): void {
    this.storageOf(variable).clear();
  }

  /** Copies one variable's values from element `offset` on, as many as another holds, to that other, on the device. */
  copy(from: Variable, to: Variable, offset = 0): void {
    this.storageOf(from).copyTo(this.storageOf(to), offset);
  }

  /** Makes the buffers that programs share, of these sizes in bytes, so that those which need no more add none. */
  reserve(sizes: readonly number[]): void {
    this.gpu.arena.take(sizes);
  }

  /** Frees a variable's buffers, whoever made them. Programs that use the variable must not run again. */
  release(variable: Variable): void {
    this.stored.get(variable)?.storage.destroy();
    this.stored.delete(variable);
  }

  /** What is held on the device. */
  get memory(): EngineMemory {
    return {
      variables: [...this.stored.values()].reduce((sum, { storage }) => sum + storage.bytes, 0),
      shared: this.gpu.arena.bytes,
      bindGroups: this.gpu.bindGroups.count,
    };
  }

  /** Frees the variables that were made through this engine. */
  private releaseOwn(): void {
    for (const [variable, { maker }] of [...this.stored]) if (maker === this) this.release(variable);
  }

  private storageOf(variable: Variable): StoredVariable {
    const known = this.stored.get(variable)?.storage;
    if (known && !known.hasFailed) return known;
    known?.destroy();
    const storage = variable.storedOn(this.gpu, this.largestBinding);
    this.stored.set(variable, { storage, maker: this });
    return storage;
  }

  private checkUsable(program: string): void {
    if (this.isDestroyed)
      throw new ProxmoError('destroyed', `the engine that was to compile ${program} was destroyed; make another.`);
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

  private uploadConstant(program: string, { source, dtype, size }: Tensor): GPUBuffer {
    const buffer = this.gpu.createStorage(storedBytes(dtype, size), `${program} constants`);
    if (source.kind === 'constant')
      this.gpu.issue(() => this.gpu.device.queue.writeBuffer(buffer, 0, toStorage(dtype, source.data)));
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
      return { ...this.storageOf(source.variable).rangeOf(offset, tensor.size), size };
    }
    const buffer = slot === undefined ? constants.get(root) : slots[slot];
    if (!buffer) throw new Error(`a tensor of kind ${source.kind} has no storage`);
    return { buffer, offset: offset * elementBytes[tensor.dtype], size };
  }

  private async prepare(
    { spec, params, scope, tensors }: Plan['launches'][number],
    rangeOf: (tensor: Tensor) => BufferRange,
  ): Promise<readonly Launch[]> {
    for (const { dtype } of Object.values(spec.bindings)) checkDtype(this.gpu, dtype);
    const variant = await this.variantChooser.choose(spec.inPlaceOf?.spec ?? spec, params);
    const ranges = tensors.map(rangeOf);
    checkAliases(spec, ranges);
    return prepareLaunches(this.gpu, { spec, variant, params, scope, ranges });
  }
}
