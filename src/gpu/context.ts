/**
 * A WebGPU device with what the engine needs around it: its profile, pipelines, pooled buffers, readback, and errors
 * that surface as typed errors. Devices, buffers, pipelines and passes are made here alone; `src/tensor` fills its
 * buffers and submits what it has encoded.
 */
import type { AdapterProfile } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { Queue } from '../base/queue.ts';
import { mebibytes } from '../base/sizes.ts';
import { Allocations } from './allocations.ts';
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
}

/** For people and for run records. */
export interface AdapterDescription {
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly driver: string;
  readonly profile: AdapterProfile;
  readonly limits: Readonly<Record<string, number>>;
}

/** Runs the commands of programs in their place: a profiler. */
export interface CommandRunner {
  /** Submits the commands and waits until they are done. */
  run(commands: CommandList): Promise<void>;
}

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
    device.addEventListener('uncapturederror', (event) => {
      this.failure ??= new ProxmoError('gpu-error', `The GPU reported an error: ${event.error.message.trim()}`);
    });
    device.lost.then((info) => {
      if (this.failure?.code === 'destroyed') return;
      this.failure = new ProxmoError(
        'device-lost',
        `The GPU device was lost (${info.message.trim() || info.reason}); resume the run from its last checkpoint.`,
      );
    });
  }

  /** Most bytes that a kernel can bind at once: a storage buffer has no more. */
  get largestBinding(): number {
    return Math.min(this.device.limits.maxBufferSize, this.device.limits.maxStorageBufferBindingSize);
  }

  /**
   * Throws the first error that the device reported, once there is one at every call: what it computed since is not to
   * be trusted.
   * @throws {ProxmoError} `gpu-error`, `device-lost` or `destroyed`
   */
  check(): void {
    if (this.failure) throw this.failure;
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
    return this.allocations.track(this.device.createBuffer({ size, usage, label }));
  }

  /** Ends the device, and what is under way on it: all further calls throw `destroyed`. */
  destroy(): void {
    this.failure ??= new ProxmoError('destroyed', `The device ${this.adapter.name} was closed; open another.`);
    this.device.destroy();
  }
}
