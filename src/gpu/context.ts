/**
 * A WebGPU device with what the engine needs around it: its profile, pipelines, pooled buffers, readback, and errors
 * that surface as typed errors. Devices, buffers, pipelines and passes are made here alone; `src/tensor` fills its
 * buffers and submits what it has encoded.
 */
import type { AdapterProfile } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { Queue } from '../base/queue.ts';
import { mebibytes } from '../base/sizes.ts';
import { type AdapterDescription, type AdapterSource, describeAdapter, readLimits } from './adapterDescription.ts';
import { Allocations, type Holder } from './allocations.ts';
import { BufferArena } from './arena.ts';
import { BindGroups } from './bindGroups.ts';
import type { CommandList } from './commands.ts';
import { Pace } from './pace.ts';
import { ParameterBlocks } from './parameterBlocks.ts';
import { PipelineCache } from './pipelines.ts';

/** What a platform supplies besides the device. */
export interface Platform {
  /** Waits for GPU work without keeping a core busy. */
  readonly wait: <T>(promise: Promise<T>) => Promise<T>;
  /** Collects JavaScript's garbage, where that can be asked for: bind groups have no other end. */
  readonly collectGarbage?: () => void;
  /** Objects that must live as long as the device. */
  readonly keepAlive?: unknown;
  /** The device is somebody else's, who ends it and whose errors are no matter of this context. */
  readonly isBorrowed?: boolean;
}

/** What a context holds on its device. */
export interface DeviceMemory {
  readonly bytes: number;
  /** Who holds what, the most first. */
  readonly holders: readonly Holder[];
}

/** Runs the commands of programs in their place: a profiler. */
export interface CommandRunner {
  /** Submits the commands and waits until they are done. */
  run(commands: CommandList): Promise<void>;
}

/**
 * A device, with its pipelines, its buffers, and errors that surface as typed ones.
 * @example
 * await using gpu = await openDevice(); // proxmo/node; openBrowserDevice() in browsers
 * const engine = new Engine(gpu);
 * console.log(gpu.adapter.name, gpu.memory().bytes);
 */
export class GpuContext {
  /** Runs all programs while it is set. */
  runner: CommandRunner | null = null;
  /** Runs by the runner take turns: they submit in several steps. */
  readonly turns = new Queue();
  readonly allocations = new Allocations();
  readonly arena: BufferArena;
  readonly pipelines: PipelineCache;
  readonly parameters: ParameterBlocks;
  readonly bindGroups: BindGroups;
  readonly pace: Pace;
  readonly profile: AdapterProfile;
  /** Why the device can no longer be used, once that is so: `device-lost`, or `destroyed`. */
  readonly lost: Promise<ProxmoError>;
  private failure: ProxmoError | undefined;

  constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterDescription,
    private readonly platform: Platform,
  ) {
    this.profile = adapter.profile;
    this.arena = new BufferArena(this);
    this.pipelines = new PipelineCache(this);
    this.parameters = new ParameterBlocks(this);
    this.bindGroups = new BindGroups(device, platform.collectGarbage);
    this.pace = new Pace(this);
    if (!platform.isBorrowed) device.addEventListener('uncapturederror', ({ error }) => this.fail(error));
    this.lost = device.lost.then(({ message, reason }) => {
      if (this.failure?.code === 'destroyed') return this.failure;
      this.failure = new ProxmoError(
        'device-lost',
        `The GPU device was lost (${message.trim() || reason}); resume the run from its last checkpoint.`,
      );
      return this.failure;
    });
  }

  /**
   * Uses a device that the program has opened itself, as one that draws with it too. Ask for the features and limits
   * that kernels are to have when you request it: `shader-f16`, `subgroups`, `timestamp-query`, and the adapter's
   * `maxBufferSize` and `maxStorageBufferBindingSize`. `destroy()` frees what the context holds and leaves the device.
   * @param adapter what the device was opened from; it says more of itself than some devices do
   */
  static fromDevice(device: GPUDevice, adapter?: GPUAdapter): GpuContext {
    const source: AdapterSource = adapter ?? { info: device.adapterInfo };
    const described = describeAdapter(source, new Set<string>(device.features), readLimits(device.limits));
    return new GpuContext(device, described, { wait: (promise) => promise, isBorrowed: true });
  }

  /** Most bytes that a kernel can bind at once: a storage buffer has no more. */
  get largestBinding(): number {
    return Math.min(this.device.limits.maxBufferSize, this.device.limits.maxStorageBufferBindingSize);
  }

  /** Whether `check` would find nothing. */
  get works(): boolean {
    return this.failure === undefined;
  }

  /**
   * Throws the first error that the device reported, once there is one at every call: what it computed since is not to
   * be trusted.
   * @throws {ProxmoError} `gpu-error`, `out-of-memory`, `device-lost` or `destroyed`
   */
  check(): void {
    if (this.failure) throw this.failure;
  }

  /**
   * Waits until it is known whether the device has memory for some buffers. Where it has not, they are gone, and the
   * context can be used as before.
   * @throws {ProxmoError} `out-of-memory`
   */
  async allocated(buffers: Iterable<GPUBuffer>): Promise<void> {
    if (this.allocations.areOpen) await this.wait(this.allocations.settled());
    this.checkAllocated(buffers);
  }

  /** The same of what is known already. @throws {ProxmoError} `out-of-memory` */
  checkAllocated(buffers: Iterable<GPUBuffer>): void {
    for (const buffer of buffers) {
      const failure = this.allocations.failureOf(buffer);
      if (failure) throw failure;
    }
  }

  /**
   * Gives the device commands. An error in them is one of this context, whoever else uses the device; but what reads or
   * writes a buffer that there turns out to be no memory for does no harm.
   */
  issue<T>(commands: () => T): T {
    const { allocations, device } = this;
    if (!allocations.areOpen && !this.platform.isBorrowed) return commands();
    const failures = allocations.failures;
    device.pushErrorScope('validation');
    try {
      return commands();
    } finally {
      void device.popErrorScope().then(
        async (error) => {
          await allocations.settled();
          if (error && allocations.failures === failures) this.fail(error);
        },
        () => undefined,
      );
    }
  }

  /** What the context holds on the device, and who of its programs and variables. */
  memory(): DeviceMemory {
    return { bytes: this.allocations.bytes, holders: this.allocations.holders };
  }

  /** Waits for a GPU promise, then checks for errors. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    try {
      const value = await this.platform.wait(promise);
      this.check();
      return value;
    } catch (error) {
      this.check();
      throw error;
    }
  }

  /** Waits until all submitted work is done. */
  async idle(): Promise<void> {
    await this.wait(this.device.queue.onSubmittedWorkDone());
  }

  /** A storage buffer of at least `bytes` bytes, zeroed. */
  createStorage(bytes: number, label: string): GPUBuffer {
    return this.createBuffer(bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST, label);
  }

  /**
   * @throws {ProxmoError} `shape` if the buffer is larger than the device can bind
   */
  createBuffer(bytes: number, usage: GPUBufferUsageFlags, label: string): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const limit = usage & GPUBufferUsage.STORAGE ? this.largestBinding : this.device.limits.maxBufferSize;
    if (size > limit) {
      throw new ProxmoError(
        'shape',
        `${label} needs a buffer of ${mebibytes(size)} MiB, but ${this.adapter.name} allows ${mebibytes(limit)} MiB; use a smaller batch or model.`,
      );
    }
    const { device } = this;
    const held = this.allocations.bytes;
    device.pushErrorScope('out-of-memory');
    const buffer = device.createBuffer({ size, usage, label });
    const failure = device.popErrorScope().then(
      (error) =>
        error &&
        new ProxmoError(
          'out-of-memory',
          `${this.adapter.name} has no ${mebibytes(size)} MiB for ${label} beside the ${mebibytes(held)} MiB that it holds; use a smaller batch or model, or destroy what is not needed.`,
        ),
      () => null,
    );
    return this.allocations.track(buffer, failure);
  }

  /**
   * Ends the context and what is under way on it: all further calls throw `destroyed`. Its device ends with it, unless
   * it is somebody else's: there all that was made on it is freed.
   */
  destroy(): void {
    this.failure ??= new ProxmoError('destroyed', `The device ${this.adapter.name} was closed; open another.`);
    if (this.platform.isBorrowed) this.allocations.destroy();
    else this.device.destroy();
  }

  /** `destroy`, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
  }

  private fail(error: GPUError): void {
    const isMemory = error.constructor.name === 'GPUOutOfMemoryError';
    this.failure ??= isMemory
      ? new ProxmoError('out-of-memory', `The GPU ran out of memory: ${error.message.trim()}; open a device again.`)
      : new ProxmoError('gpu-error', `The GPU reported an error: ${error.message.trim()}`);
  }
}
