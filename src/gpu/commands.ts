/**
 * A fixed list of dispatches that is encoded into one compute pass and submitted at once. Bind groups and parameters
 * are made when it is built.
 */
import type { Dispatch, KernelSpec, Params } from '../../kernels/spec.ts';
import type { GpuContext } from './context.ts';
import type { Kernel } from './pipelines.ts';

export interface BufferRange {
  readonly buffer: GPUBuffer;
  /** In bytes. */
  readonly offset: number;
  readonly size: number;
}

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
  readonly bindGroup: GPUBindGroup;
  readonly dispatch: Dispatch;
}

export class CommandList {
  readonly commands: readonly Command[];
  private readonly parameters: GPUBuffer;

  constructor(
    private readonly context: GpuContext,
    launches: readonly Launch[],
    readonly label: string,
  ) {
    const live = launches.filter(({ dispatch }) => dispatch.every((count) => count > 0));
    const slot = Math.max(context.device.limits.minUniformBufferOffsetAlignment, 64);
    const bytes = new ArrayBuffer(Math.max(slot * live.length, 16));
    this.parameters = context.createBuffer(
      bytes.byteLength,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      `${label} parameters`,
    );
    this.commands = live.map((launch, index) => {
      packParams(launch.spec, launch.params, new DataView(bytes, index * slot, slot));
      return {
        label: launch.kernel.label,
        scope: launch.scope ?? '',
        spec: launch.spec,
        params: launch.params,
        pipeline: launch.kernel.pipeline,
        bindGroup: this.createBindGroup(launch, index * slot, slot),
        dispatch: launch.dispatch,
      };
    });
    context.device.queue.writeBuffer(this.parameters, 0, bytes);
  }

  get length(): number {
    return this.commands.length;
  }

  /** Encodes every dispatch into one pass. */
  encode(encoder: GPUCommandEncoder): void {
    if (this.commands.length === 0) return;
    const pass = encoder.beginComputePass({ label: this.label });
    let pipeline: GPUComputePipeline | undefined;
    for (const command of this.commands) {
      if (command.pipeline !== pipeline) pass.setPipeline((pipeline = command.pipeline));
      pass.setBindGroup(0, command.bindGroup);
      pass.dispatchWorkgroups(...command.dispatch);
    }
    pass.end();
  }

  destroy(): void {
    this.parameters.destroy();
  }

  private createBindGroup({ kernel, ranges }: Launch, offset: number, size: number): GPUBindGroup {
    return this.context.device.createBindGroup({
      label: kernel.label,
      layout: kernel.layout,
      entries: [
        { binding: 0, resource: { buffer: this.parameters, offset, size } },
        ...ranges.map((range, index) => ({ binding: index + 1, resource: { ...range } })),
      ],
    });
  }
}

function packParams(spec: KernelSpec, params: Params, view: DataView): void {
  Object.entries(spec.params).forEach(([name, type], index) => {
    const value = params[name] ?? 0;
    if (type === 'f32') view.setFloat32(index * 4, value, true);
    else if (type === 'i32') view.setInt32(index * 4, value, true);
    else view.setUint32(index * 4, value, true);
  });
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
