/**
 * A fixed list of dispatches that is encoded into one compute pass and submitted at once. Parameters and bind groups
 * are shared with all other lists.
 */
import type { Dispatch, KernelSpec, Params } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import type { Bindings, BufferRange } from './bindGroups.ts';
import type { GpuContext } from './context.ts';
import type { ParameterBlock } from './parameterBlocks.ts';
import type { Kernel } from './pipelines.ts';

/** One dispatch before its bind group exists. */
export interface Launch {
  readonly kernel: Kernel;
  readonly spec: KernelSpec;
  readonly params: Params;
  /** The part of the model that it belongs to, for profiles. */
  readonly scope?: string;
  /** In the order of the spec's bindings. */
  readonly ranges: readonly BufferRange[];
  readonly dispatch: Dispatch;
}

/** One dispatch, ready to be encoded. */
export interface Command {
  /** The kernel's label. */
  readonly label: string;
  readonly scope: string;
  readonly spec: KernelSpec;
  readonly params: Params;
  readonly pipeline: GPUComputePipeline;
  /** Which of the list's bind groups it uses. */
  readonly group: number;
  readonly dispatch: Dispatch;
}

export class CommandList {
  readonly commands: readonly Command[];
  readonly bindings: ReadonlyMap<string, Bindings>;
  private readonly blocks: readonly ParameterBlock[];

  /**
   * @param forget told when the list's bind groups are given to others: what was encoded must not be kept
   * @throws {ProxmoError} `shape` if it needs more bind groups than there may be
   */
  constructor(
    private readonly context: GpuContext,
    launches: readonly Launch[],
    readonly label: string,
    readonly forget: () => void = () => {},
  ) {
    const live = launches.filter(({ dispatch }) => dispatch.every((count) => count > 0));
    this.blocks = live.map(({ spec, params }) => context.parameters.take(spec, params));
    const bindings = new Map<string, Bindings>();
    const indices = new Map<string, number>();
    this.commands = live.map(({ kernel, spec, params, scope = '', ranges, dispatch }, index) => {
      const block = this.blocks[index]!;
      const parameters = { buffer: block.page.buffer, offset: block.offset, size: block.size };
      const bound = { layout: kernel.layout, ranges: [parameters, ...ranges] };
      const key = context.bindGroups.keyOf(bound);
      const group = indices.get(key) ?? indices.size;
      indices.set(key, group);
      bindings.set(key, bound);
      return { label: kernel.label, scope, spec, params, pipeline: kernel.pipeline, group, dispatch };
    });
    this.bindings = bindings;
    this.checkCount();
  }

  get length(): number {
    return this.commands.length;
  }

  /** The bind groups that commands name by their index. */
  get groups(): readonly GPUBindGroup[] {
    return this.context.bindGroups.take(this);
  }

  /** Encodes every dispatch into one pass. */
  encode(encoder: GPUCommandEncoder): void {
    if (this.commands.length === 0) return;
    const { groups } = this;
    const pass = encoder.beginComputePass({ label: this.label });
    let pipeline: GPUComputePipeline | undefined;
    let bound: number | undefined;
    for (const command of this.commands) {
      if (command.pipeline !== pipeline) pass.setPipeline((pipeline = command.pipeline));
      if (command.group !== bound) pass.setBindGroup(0, groups[(bound = command.group)]!);
      pass.dispatchWorkgroups(...command.dispatch);
    }
    pass.end();
  }

  destroy(): void {
    this.context.bindGroups.release(this);
    for (const block of this.blocks) this.context.parameters.give(block);
  }

  private checkCount(): void {
    const { most } = this.context.bindGroups;
    if (this.bindings.size <= most) return;
    this.destroy();
    throw new ProxmoError(
      'shape',
      `the program ${this.label} binds ${this.bindings.size} different sets of buffers, but ${most} may be bound at a time; use fewer steps in a submit (sampling.blockSize) or a model of fewer layers.`,
    );
  }
}

/** Copies a range of a buffer to the host. One-off; programs keep their own staging buffer. */
export async function readBuffer(context: GpuContext, { buffer, offset, size }: BufferRange): Promise<ArrayBuffer> {
  const bytes = Math.ceil(size / 4) * 4;
  const staging = context.createBuffer(bytes, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ, 'readback');
  try {
    const encoder = context.device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
    context.device.queue.submit([encoder.finish()]);
    await context.wait(staging.mapAsync(GPUMapMode.READ, 0, bytes));
    return staging.getMappedRange(0, bytes).slice(0, size);
  } finally {
    staging.destroy();
  }
}
