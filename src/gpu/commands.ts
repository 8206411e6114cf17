/**
 * A fixed list of dispatches, submitted in as few parts as keep each from running long. Parameters and bind groups are
 * shared with all other lists.
 */
import type { Dispatch, Params, RunnableKernel } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import type { Bindings, BufferRange } from './bindGroups.ts';
import type { GpuContext } from './context.ts';
import type { Launch } from './launches.ts';
import type { Cost } from './pace.ts';
import type { ParameterBlock } from './parameterBlocks.ts';

/** One dispatch, ready to be encoded. */
export interface Command {
  /** The kernel's label. */
  readonly label: string;
  readonly scope: string;
  readonly spec: RunnableKernel;
  readonly params: Params;
  readonly cost: Cost;
  readonly pipeline: GPUComputePipeline;
  /** Which of the list's bind groups it uses. */
  readonly group: number;
  readonly dispatch: Dispatch;
}

export class CommandList {
  readonly commands: readonly Command[];
  /** What goes into each submit, in order; at least one, which may be empty. */
  readonly submits: readonly (readonly Command[])[];
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
    const bindings = new Map<string, Bindings>();
    const indices = new Map<string, number>();
    this.blocks = live.map((launch) => takeParameters(context, launch));
    this.commands = live.map((launch, index) => {
      const { buffer, offset, size } = this.blocks[index]!;
      const bound = { layout: launch.kernel.layout, ranges: [{ buffer, offset, size }, ...launch.ranges] };
      const key = context.bindGroups.keyOf(bound);
      const group = indices.get(key) ?? indices.size;
      indices.set(key, group);
      bindings.set(key, bound);
      return commandOf(launch, group);
    });
    this.bindings = bindings;
    this.submits = splitByTime(this.commands, context);
    this.checkCount();
  }

  get length(): number {
    return this.commands.length;
  }

  /** The buffers of its parameters. */
  get buffers(): readonly GPUBuffer[] {
    return this.blocks.map(({ buffer }) => buffer);
  }

  /** The bind groups that commands name by their index. */
  get groups(): readonly GPUBindGroup[] {
    return this.context.bindGroups.take(this);
  }

  /**
   * Encodes the dispatches, a command buffer for each submit.
   * @param finish adds what follows the last of them
   */
  encode(finish: (encoder: GPUCommandEncoder) => void = () => {}): GPUCommandBuffer[] {
    const { groups } = this;
    return this.submits.map((commands, index) => {
      const encoder = this.context.device.createCommandEncoder({ label: this.label });
      encodePass(encoder, { label: this.label, commands, groups });
      if (index === this.submits.length - 1) finish(encoder);
      return encoder.finish();
    });
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

/** Submits command buffers one after another, without waiting between. */
export function submitAll(gpu: GpuContext, buffers: readonly GPUCommandBuffer[]): void {
  gpu.issue(() => {
    for (const buffer of buffers) gpu.device.queue.submit([buffer]);
  });
}

function takeParameters({ parameters }: GpuContext, { spec, params, part }: Launch): ParameterBlock {
  return parameters.take(part?.spec ?? spec, part?.params ?? params);
}

function commandOf({ kernel, spec, params, scope = '', dispatch, part }: Launch, group: number): Command {
  const { flops, bytes } = spec.cost(params);
  const share = part?.share ?? 1;
  const cost = { flops: flops * share, bytes: bytes * share };
  return { label: kernel.label, scope, spec, params, cost, pipeline: kernel.pipeline, group, dispatch };
}

/** As many commands in a submit as take the time that one may take. */
function splitByTime(commands: readonly Command[], { pace }: GpuContext): readonly (readonly Command[])[] {
  const submits: Command[][] = [[]];
  let ms = 0;
  for (const command of commands) {
    const next = pace.msOf(command.cost);
    if (ms > 0 && ms + next > pace.submitMs) {
      submits.push([]);
      ms = 0;
    }
    submits.at(-1)!.push(command);
    ms += next;
  }
  return submits;
}

/** Encodes some commands as a pass, with the bind groups that they name. */
export function encodePass(
  encoder: GPUCommandEncoder,
  { commands, groups, label }: Pick<CommandList, 'commands' | 'groups' | 'label'>,
  timestampWrites?: GPUComputePassTimestampWrites,
): void {
  if (commands.length === 0) return;
  const pass = encoder.beginComputePass({ label, ...(timestampWrites ? { timestampWrites } : {}) });
  let pipeline: GPUComputePipeline | undefined;
  let bound: number | undefined;
  for (const command of commands) {
    if (command.pipeline !== pipeline) pass.setPipeline((pipeline = command.pipeline));
    if (command.group !== bound) pass.setBindGroup(0, groups[(bound = command.group)]!);
    pass.dispatchWorkgroups(...command.dispatch);
  }
  pass.end();
}

/** Copies a range of a buffer to the host. One-off; programs keep their own staging buffer. */
export async function readBuffer(context: GpuContext, { buffer, offset, size }: BufferRange): Promise<ArrayBuffer> {
  const bytes = Math.ceil(size / 4) * 4;
  const staging = context.createBuffer(bytes, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ, 'readback');
  try {
    context.issue(() => {
      const encoder = context.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
      context.device.queue.submit([encoder.finish()]);
    });
    const mapped = staging.mapAsync(GPUMapMode.READ, 0, bytes);
    mapped.catch(() => undefined);
    await context.allocated([buffer, staging]);
    await context.wait(mapped);
    return staging.getMappedRange(0, bytes).slice(0, size);
  } finally {
    staging.destroy();
  }
}
