/** Storage that outlives programs: weights, gradients, moments, KV caches. Its buffer is made by the engine on first use. */
import type { Dtype } from '../../kernels/spec.ts';
import { ProxmoError } from '../errors.ts';
import { type Shape, sizeOf, Tensor } from './tensor.ts';

export class Variable {
  /** The variable's value at the start of a program. */
  readonly tensor: Tensor;

  /** @param initial values to start from; zeros if absent */
  constructor(
    readonly name: string,
    readonly shape: Shape,
    readonly dtype: Dtype = 'f32',
    readonly initial: ArrayLike<number> | null = null,
  ) {
    if (initial && initial.length !== sizeOf(shape)) {
      throw new ProxmoError('shape', `the variable ${name} of shape [${shape.join(', ')}] was given ${initial.length} values.`);
    }
    this.tensor = new Tensor(shape, dtype, { kind: 'variable', variable: this });
  }

  get size(): number {
    return sizeOf(this.shape);
  }
}

/** A trainable tensor: a named part of a slab. */
export interface Parameter {
  readonly name: string;
  readonly shape: Shape;
  /** First element within the slab; a multiple of 64. */
  readonly offset: number;
  /** Whether weight decay applies (matrices, not norms or biases). */
  readonly decay: boolean;
  /** The parameter's value at the start of a program. */
  readonly tensor: Tensor;
}

/** What a module asks of the slab. */
export interface ParameterRequest {
  readonly name: string;
  readonly shape: Shape;
  readonly decay: boolean;
  /** Starting values, `sizeOf(shape)` of them; null for zeros. */
  readonly initial: ArrayLike<number> | null;
}

/** Parts of a slab start at multiples of this many elements: 256 bytes, the alignment every device accepts for a binding. */
const partAlignment = 64;

/**
 * All parameters of a model in one buffer, so that the optimiser, the gradient norm and checkpoints each handle one flat array. Parameters with weight
 * decay come first; `decaySize` is where they end.
 */
export class ParameterSlab {
  readonly variable: Variable;
  readonly parameters: readonly Parameter[];
  readonly decaySize: number;

  /**
   * @param frozen the storage of another slab of the same parameters; they get no gradients here
   * @throws {ProxmoError} `config` if two parameters have the same name
   */
  constructor(name: string, requests: readonly ParameterRequest[], frozen: Variable | null = null) {
    const ordered = [...requests.filter(({ decay }) => decay), ...requests.filter(({ decay }) => !decay)];
    const names = new Set<string>();
    const offsets: number[] = [];
    let end = 0;
    let decayEnd = 0;
    for (const request of ordered) {
      if (names.has(request.name))
        throw new ProxmoError('config', `two parameters are called ${request.name}; give each a name of its own.`);
      names.add(request.name);
      offsets.push(end);
      end += Math.ceil(sizeOf(request.shape) / partAlignment) * partAlignment;
      if (request.decay) decayEnd = end;
    }
    // Zeros take no memory on the host: weights that are loaded later may be larger than it.
    const values = ordered.some(({ initial }) => initial) ? new Float32Array(end) : null;
    for (const [index, { initial }] of ordered.entries()) if (initial) values?.set(initial, offsets[index]);
    this.variable = frozen ?? new Variable(name, [end], 'f32', values);
    this.decaySize = decayEnd;
    this.parameters = ordered.map((request, index) => {
      const offset = offsets[index] ?? 0;
      const tensor = this.variable.tensor.part(offset, request.shape);
      tensor.requiresGrad = frozen === null;
      return { name: request.name, shape: request.shape, decay: request.decay, offset, tensor };
    });
  }

  /** The same parameters in the same storage, as constants of a graph: none gets a gradient. */
  frozen(): ParameterSlab {
    const requests = this.parameters.map(({ name, shape, decay }) => ({ name, shape, decay, initial: null }));
    return new ParameterSlab(this.variable.name, requests, this.variable);
  }

  /** Number of elements, padding included. */
  get size(): number {
    return this.variable.size;
  }

  /** Number of trainable values. */
  get parameterCount(): number {
    return this.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /** @throws {ProxmoError} `config` if there is none of that name */
  get(name: string): Tensor {
    const found = this.parameters.find((parameter) => parameter.name === name);
    if (!found)
      throw new ProxmoError(
        'config',
        `there is no parameter ${name}; there are ${this.parameters.map((parameter) => parameter.name).join(', ')}.`,
      );
    return found.tensor;
  }
}
