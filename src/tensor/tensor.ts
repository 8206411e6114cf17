/**
 * Symbolic tensors. Calling an op makes tensors and steps and runs nothing; `Engine.compile` turns the steps that some
 * outputs need into a program. A tensor is contiguous and row-major. Steps run in the order in which they were made.
 */
import { type Dtype, elementBytes, type Params, type RunnableKernel } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import { currentScope } from './scope.ts';
import type { Variable } from './variable.ts';

/** The extents of a tensor, the outermost first; `[]` is one number. */
export type Shape = readonly number[];

/** Where a tensor's values come from. */
export type Source =
  /** Written by the host before each run. */
  | { readonly kind: 'input'; readonly name: string }
  /** Fixed when the program is compiled. */
  | { readonly kind: 'constant'; readonly data: ArrayLike<number> }
  /** Storage that outlives programs. */
  | { readonly kind: 'variable'; readonly variable: Variable }
  /** Storage within a program that holds nothing at first; the steps that use it write before they read. */
  | { readonly kind: 'scratch' }
  /** Written by a step. `inPlaceOf` is the tensor whose storage it updates, if any. */
  | { readonly kind: 'step'; readonly step: Step; readonly inPlaceOf: Tensor | null }
  /** A contiguous part of another tensor, from `offset` (in elements) on. */
  | { readonly kind: 'view'; readonly of: Tensor; readonly offset: number };

/**
 * One kernel launch, or an assignment of values to parts of a variable (which the planner turns into direct writes
 * where it can).
 */
export type Step = KernelStep | AssignStep;

export interface KernelStep {
  readonly kind: 'kernel';
  readonly id: number;
  readonly spec: RunnableKernel;
  readonly params: Params;
  /** The part of the model that it belongs to. */
  readonly scope: string;
  /** Tensors of the `read` and `readWrite` bindings. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Tensors of the `write` and `readWrite` bindings. Filled by `launch`. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly notes: LaunchNotes;
}

/** What is known of a launch beyond its kernel. */
export interface LaunchNotes {
  /** What its op was given though this kernel does not read it: a program's runs may give it as well. */
  readonly unread?: readonly Tensor[];
  /**
   * Of inputs that hold indices, by binding: each is below this number, or `paddingIndex`. Where the host writes them,
   * it checks that.
   */
  readonly below?: Readonly<Record<string, number>>;
}

/** An index that no table has: what is gathered there is zeros, and no gradient flows from it. */
export const paddingIndex = 0xffffffff;

export interface AssignStep {
  readonly kind: 'assign';
  readonly id: number;
  readonly target: Tensor;
  readonly parts: readonly { readonly offset: number; readonly value: Tensor }[];
  /** Copies words of storage, x to y, where a value cannot be written in place. */
  readonly copy: RunnableKernel;
}

/** How gradients flow through the op that made a tensor. */
export interface OpRecord {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /**
   * Adds the backward pass to the graph.
   * @param gradients of the outputs, in their order; null where an output does not reach the loss
   * @returns gradients of the inputs, in their order; null where an input has none (indices)
   */
  readonly backward: (gradients: readonly (Tensor | null)[]) => readonly (Tensor | null)[];
}

let nextId = 0;

/** A number that grows with every tensor and step: the order of execution. */
export function takeId(): number {
  return nextId++;
}

/**
 * A value in a graph. It holds no numbers: a program computes them.
 * @example
 * const x = input('x', [2, 3]);
 * const flat = x.reshape([6]);
 */
export class Tensor {
  readonly id = takeId();
  /** The differentiable op that made it, if any. */
  op: OpRecord | null = null;
  /** Whether a gradient may be asked for it, or for something it was computed from. */
  requiresGrad = false;

  constructor(
    readonly shape: Shape,
    readonly dtype: Dtype,
    readonly source: Source,
  ) {
    if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) {
      throw new ProxmoError(
        'shape',
        `[${shape.join(', ')}] is no shape; every extent must be a whole number of 0 or more.`,
      );
    }
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** The extent of a dimension; negative numbers count from the last. */
  dim(index: number): number {
    const extent = this.shape.at(index);
    if (extent === undefined)
      throw new ProxmoError('shape', `a tensor of shape [${this.shape.join(', ')}] has no dimension ${index}.`);
    return extent;
  }

  /**
   * The same values under another shape. Differentiable, costs nothing.
   * @throws {ProxmoError} `shape` if the number of elements differs
   */
  reshape(shape: Shape): Tensor {
    if (sizeOf(shape) !== this.size) {
      throw new ProxmoError(
        'shape',
        `[${this.shape.join(', ')}] cannot be reshaped to [${shape.join(', ')}]: the number of elements differs.`,
      );
    }
    return viewOf('reshape', this, 0, shape, (dy) => dy.reshape(this.shape));
  }
}

/**
 * Some of a tensor's elements under a shape, in the same storage.
 * @param backward of the op that this is: the tensor's gradient from that of the view
 */
export function viewOf(
  name: string,
  of: Tensor,
  offset: number,
  shape: Shape,
  backward: (dy: Tensor) => Tensor,
): Tensor {
  const view = new Tensor(shape, of.dtype, { kind: 'view', of, offset });
  if (of.requiresGrad) {
    view.requiresGrad = true;
    view.op = { name, inputs: [of], outputs: [view], backward: ([dy]) => [dy ? backward(dy) : null] };
  }
  return view;
}

/** Elements between places where every device can bind a buffer: 256 bytes. */
export function bindingGrain(dtype: Dtype): number {
  return 256 / elementBytes[dtype];
}

/** Where a view begins in the storage that it is a view of, in elements. */
export function startOf({ source }: Tensor): number {
  if (source.kind === 'view') return startOf(source.of) + source.offset;
  return source.kind === 'step' && source.inPlaceOf ? startOf(source.inPlaceOf) : 0;
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** A tensor that the host writes before each run of a program, under this name. */
export function input(name: string, shape: Shape, dtype: Dtype = 'f32'): Tensor {
  return new Tensor(shape, dtype, { kind: 'input', name });
}

/** A tensor with fixed values. */
export function constant(data: ArrayLike<number>, shape: Shape, dtype: Dtype = 'f32'): Tensor {
  if (data.length !== sizeOf(shape))
    throw new ProxmoError('shape', `a constant of shape [${shape.join(', ')}] was given ${data.length} values.`);
  return new Tensor(shape, dtype, { kind: 'constant', data });
}

/** Storage of a program for a kernel that writes before it reads, or for an `assign` of all its parts. */
export function scratch(shape: Shape): Tensor {
  return new Tensor(shape, 'f32', { kind: 'scratch' });
}

/**
 * Adds one kernel launch to the graph.
 * @param inputs a tensor for each `read` and `readWrite` binding
 * @param outputs the shape of each `write` and `readWrite` binding; a `readWrite` output is its input's storage after
 * the launch
 * @throws {ProxmoError} `shape` if a tensor does not have the size that the kernel expects
 */
export function launch<P extends Params, O extends string>(
  spec: RunnableKernel<P>,
  params: P,
  inputs: Readonly<Record<string, Tensor>>,
  outputs: Readonly<Record<O, Shape>>,
  notes: LaunchNotes = {},
): Record<O, Tensor> {
  const results: Record<string, Tensor> = {};
  const made = { kind: 'kernel', id: takeId(), scope: currentScope() } as const;
  const step: KernelStep = {
    ...made,
    spec: spec as unknown as RunnableKernel,
    params,
    inputs,
    outputs: results,
    notes,
  };
  for (const [name, shape] of Object.entries<Shape>(outputs)) {
    const binding = spec.bindings[name];
    if (!binding || binding.access === 'read')
      throw new ProxmoError('shape', `${spec.name} has no output ${name}; it has ${outputNames(spec).join(', ')}.`);
    const updated = binding.access === 'readWrite' ? (inputs[name] ?? null) : null;
    results[name] = new Tensor(shape, binding.dtype, { kind: 'step', step, inPlaceOf: updated });
  }
  checkBindings(spec, params, inputs, results);
  return results as Record<O, Tensor>;
}

/** Bindings that a kernel writes. */
function outputNames<P extends Params>({ bindings }: RunnableKernel<P>): string[] {
  return Object.keys(bindings).filter((name) => bindings[name]!.access !== 'read');
}

function checkBindings<P extends Params>(
  spec: RunnableKernel<P>,
  params: P,
  inputs: Readonly<Record<string, Tensor>>,
  outputs: Readonly<Record<string, Tensor>>,
): void {
  const sizes = spec.sizes(params);
  const unknown = Object.keys(inputs).find((name) => (spec.bindings[name]?.access ?? 'write') === 'write');
  if (unknown !== undefined) throw new ProxmoError('shape', `${spec.name} reads no ${unknown}; leave it out.`);
  for (const [name, { access, dtype }] of Object.entries(spec.bindings)) {
    if (!Number.isSafeInteger(sizes[name]))
      throw new ProxmoError(
        'config',
        `the kernel ${spec.name} gives ${sizes[name]} as the size of its binding ${name} for ${JSON.stringify(params)}; sizes() must give a whole number for each.`,
      );
    const given = [...(access === 'write' ? [] : [inputs[name]]), ...(access === 'read' ? [] : [outputs[name]])];
    for (const tensor of given) {
      if (!tensor) throw new ProxmoError('shape', `${spec.name} needs a tensor for its binding ${name}; give it one.`);
      if (tensor.size !== sizes[name] || tensor.dtype !== dtype) {
        throw new ProxmoError(
          'shape',
          `${spec.name}: ${name} is ${tensor.dtype}[${tensor.shape.join(', ')}], but ${sizes[name]} elements of ${dtype} are needed for ${JSON.stringify(params)}.`,
        );
      }
    }
  }
}
