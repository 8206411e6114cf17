/**
 * Storage that outlives programs: weights, gradients, moments, KV caches. The engine makes its buffers on first use:
 * one, or several for a variable that is larger than a buffer may be. A kernel can bind what lies within one of them.
 */
import { type Dtype, elementBytes } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import type { GpuContext } from '../gpu/context.ts';
import type { Matrix, PackedMatrix } from './packedMatrix.ts';
import { part } from './part.ts';
import { type LaidPart, type Piece, packPieces, paddedSize, partAlignment, partsOf } from './slabLayout.ts';
import { StoredVariable } from './storedVariable.ts';
import { type Shape, sizeOf, Tensor } from './tensor.ts';

/**
 * Storage on the device that outlives programs.
 * @example
 * const counts = new Variable('counts', [4]);
 * engine.write(counts, [1, 2, 3, 4]);
 * const values = await engine.read(counts);
 */
export class Variable {
  /** The variable's value at the start of a program. */
  readonly tensor: Tensor;
  /** What each buffer holds, in ascending order. */
  readonly pieces: readonly Piece[];

  /**
   * @param initial values to start from; zeros if absent
   * @param pieces how it is cut into buffers, all of it without gaps; one buffer by default
   */
  constructor(
    readonly name: string,
    readonly shape: Shape,
    readonly dtype: Dtype = 'f32',
    readonly initial: ArrayLike<number> | null = null,
    pieces: readonly Piece[] = [{ start: 0, size: sizeOf(shape) }],
  ) {
    this.pieces = pieces;
    if (initial && initial.length !== sizeOf(shape)) {
      throw new ProxmoError(
        'shape',
        `the variable ${name} of shape [${shape.join(', ')}] was given ${initial.length} values.`,
      );
    }
    this.tensor = new Tensor(shape, dtype, { kind: 'variable', variable: this });
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /**
   * Its storage on a device, whose buffers are made on first use. Engines ask for it, and so hold nothing that programs
   * without variables do not need.
   * @param largestPiece bytes that the device can bind at once
   */
  storedOn(gpu: GpuContext, largestPiece: number): StoredVariable {
    return new StoredVariable(gpu, this, largestPiece);
  }
}

/** A named part of a slab. */
export interface Parameter {
  readonly name: string;
  readonly shape: Shape;
  /** First element within the slab; a multiple of `partAlignment`. */
  readonly offset: number;
  /** Whether weight decay applies (matrices, not norms or biases). */
  readonly decay: boolean;
  /**
   * The parameter's value at the start of a program. Where there are several parts, no kernel can bind it and no
   * gradient is for it.
   */
  readonly tensor: Tensor;
  /**
   * Its rows as the slab's pieces hold them, in order: what ops read and gradients are for. Mostly one, which is
   * `tensor`.
   */
  readonly parts: readonly Tensor[];
}

/** What a module asks of the slab. */
export interface ParameterRequest {
  readonly name: string;
  readonly shape: Shape;
  readonly decay: boolean;
  /** Starting values, `sizeOf(shape)` of them; null for zeros. */
  readonly initial: ArrayLike<number> | null;
}

/** Bytes of a buffer that WebGPU lets every device bind. */
export const portablePieceBytes = 2 ** 27;

/** How a slab is stored. */
export interface SlabOptions {
  /** The storage of another slab of the same parameters and the same largest piece; they get no gradients here. */
  readonly frozen?: Variable;
  /** Most bytes of a piece: what the device can bind, `engine.largestBinding`. Default: what every device can. */
  readonly largestPiece?: number;
  /** Default: f32. What is stored otherwise gets no gradients of its own. */
  readonly dtype?: Dtype;
  /**
   * A slab that has some of the parameters, or others, in f16: ops read those there. Gradients of copies are those of
   * the parameters here.
   */
  readonly half?: ParameterSlab | null;
  /** Other parameters, matrices that stay packed: ops read them there, and they get no gradients. */
  readonly packed?: PackedParameters | null;
}

/** Matrices that stay packed, by name (`nn/packedWeights.ts`). */
export interface PackedParameters {
  /** In bytes, on the device. */
  readonly bytes: number;
  /** Shapes are in values. */
  readonly parameters: readonly Pick<Parameter, 'name' | 'shape' | 'decay'>[];
  has(name: string): boolean;
  /** Its rows in order, in runs of one type. */
  parts(name: string): readonly PackedMatrix[];
}

/**
 * All parameters of a model one after another, so that the optimiser, the gradient norm and checkpoints each handle one
 * flat array. Parameters with weight decay come first; `decaySize` is where they end.
 * @example
 * const slab = new ParameterSlab('line', [{ name: 'slope', shape: [1], decay: true, initial: [0] }]);
 * const slope = slab.get('slope'); // a tensor with a gradient
 */
export class ParameterSlab {
  readonly variable: Variable;
  readonly parameters: readonly Parameter[];
  readonly decaySize: number;
  /** In bytes. */
  readonly largestPiece: number;
  readonly half: ParameterSlab | null;
  readonly packed: PackedParameters | null;

  /**
   * @throws {ProxmoError} `config` if two parameters have the same name; `shape` if a piece cannot hold some rows of a
   * matrix
   */
  constructor(name: string, requests: readonly ParameterRequest[], options: SlabOptions = {}) {
    const { frozen, largestPiece = portablePieceBytes, dtype = 'f32', half = null, packed = null } = options;
    this.largestPiece = largestPiece;
    this.half = half;
    this.packed = packed;
    const ordered = [...requests.filter(({ decay }) => decay), ...requests.filter(({ decay }) => !decay)];
    checkNames(ordered);
    // As float32 whatever the dtype, so that copies in f16 are cut where their originals are.
    const largest = Math.floor(largestPiece / 4 / partAlignment) * partAlignment;
    let end = 0;
    const laid = ordered.map((request) => {
      const offset = end;
      end += paddedSize(request.shape);
      return { ...request, offset, parts: partsOf(request.name, request.shape, offset, largest) };
    });
    this.decaySize = laid.find(({ decay }) => !decay)?.offset ?? end;
    // Zeros take no memory on the host: weights that are loaded later may be larger than it.
    const values = ordered.some(({ initial }) => initial) ? new Float32Array(end) : null;
    for (const { initial, offset } of laid) if (initial) values?.set(initial, offset);
    const allParts = laid.flatMap(({ parts }) => parts);
    this.variable = frozen ?? new Variable(name, [end], dtype, values, packPieces(allParts, largest));
    const isTrained = frozen === undefined && dtype === 'f32';
    this.parameters = laid.map(({ parts, shape, offset, name, decay }) => {
      const tensors = parts.map((part) => this.tensorAt(part, isTrained));
      const tensor = tensors.length === 1 ? tensors[0]! : this.tensorAt({ offset, shape }, false);
      return { name, shape, decay, offset, tensor, parts: tensors };
    });
    if (half && isTrained)
      for (const { name, parts } of this.parameters) if (half.has(name)) passGradients(half.own(name).parts, parts);
  }

  /** The same parameters in the same storage, as constants of a graph: none gets a gradient. */
  frozen(): ParameterSlab {
    const requests = this.parameters.map(({ name, shape, decay }) => ({ name, shape, decay, initial: null }));
    const { name, dtype } = this.variable;
    return new ParameterSlab(name, requests, {
      frozen: this.variable,
      largestPiece: this.largestPiece,
      dtype,
      half: this.half?.frozen() ?? null,
      packed: this.packed,
    });
  }

  /** Storage of the same layout, at 0, for what goes with each parameter: gradients, moments. */
  variableLike(name: string): Variable {
    return new Variable(name, [this.size], 'f32', null, this.variable.pieces);
  }

  /** Number of elements, padding included, without those of `half`. */
  get size(): number {
    return this.variable.size;
  }

  /** Bytes on the device, those of `half` and `packed` included. */
  get bytes(): number {
    return this.size * elementBytes[this.variable.dtype] + (this.half?.bytes ?? 0) + (this.packed?.bytes ?? 0);
  }

  /** Every parameter once: those here, then those that only `half` or `packed` has. */
  get all(): readonly Pick<Parameter, 'name' | 'shape' | 'decay'>[] {
    const half = this.half?.parameters.filter(({ name }) => !this.has(name)) ?? [];
    return [...this.parameters, ...half, ...(this.packed?.parameters ?? [])];
  }

  /** Number of values of all parameters. */
  get parameterCount(): number {
    return this.all.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /** What gradients are for: the parts of all parameters, in their order. */
  get tensors(): Tensor[] {
    return this.parameters.flatMap(({ parts }) => parts);
  }

  /** Whether a parameter is stored here. */
  has(name: string): boolean {
    return this.parameters.some((parameter) => parameter.name === name);
  }

  /**
   * A parameter as one tensor, as ops read it.
   * @throws {ProxmoError} `config` if there is none of that name; `shape` if it is in several parts
   */
  get(name: string): Tensor {
    const { parts, shape } = this.find(name);
    if (parts.length > 1)
      throw new ProxmoError(
        'shape',
        `the parameter ${name} of shape [${shape.join(', ')}] lies in ${parts.length} buffers, and only its parts can be read.`,
      );
    return parts[0]!;
  }

  /**
   * The parts of a parameter, in the order of its rows, as ops read them.
   * @throws {ProxmoError} `config` if there is none of that name
   */
  parts(name: string): readonly Matrix[] {
    return this.packed?.has(name) ? this.packed.parts(name) : this.find(name).parts;
  }

  /** First element of a parameter within the slab. @throws {ProxmoError} `config` if it is not stored here */
  offsetOf(name: string): number {
    return this.own(name).offset;
  }

  private find(name: string): Parameter {
    return this.half?.has(name) ? this.half.own(name) : this.own(name);
  }

  private own(name: string): Parameter {
    const found = this.parameters.find((parameter) => parameter.name === name);
    if (!found)
      throw new ProxmoError(
        'config',
        `there is no parameter ${name}; there are ${this.all.map((parameter) => parameter.name).join(', ')}.`,
      );
    return found;
  }

  private tensorAt({ offset, shape }: LaidPart, requiresGrad: boolean): Tensor {
    const tensor = part(this.variable.tensor, offset, shape);
    tensor.requiresGrad = requiresGrad;
    return tensor;
  }
}

/** Gives copies in f16 the place of their originals in a graph: what is a gradient of one is that of the other. */
function passGradients(copies: readonly Tensor[], originals: readonly Tensor[]): void {
  copies.forEach((copy, index) => {
    copy.requiresGrad = true;
    copy.op = { name: 'half', inputs: [originals[index]!], outputs: [copy], backward: (gradients) => gradients };
  });
}

function checkNames(requests: readonly ParameterRequest[]): void {
  const names = new Set<string>();
  for (const { name } of requests) {
    if (names.has(name))
      throw new ProxmoError('config', `two parameters are called ${name}; give each a name of its own.`);
    names.add(name);
  }
}
