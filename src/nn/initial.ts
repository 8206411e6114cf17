/**
 * Starting values of parameters. Weights are `[out, in]`, as `linear` takes them; of other shapes, `in` is everything
 * but the first dimension.
 */
import type { Random } from '../tensor/random.ts';
import { type Shape, sizeOf } from '../tensor/tensor.ts';

/**
 * A parameter before it has storage: its shape, and how it starts.
 * @example
 * const scale = new Initial([8], (random) => 1 + 0.01 * random.normal());
 */
export class Initial {
  /**
   * @param next a value, from the random numbers of this parameter alone
   * @param decay whether weight decay applies; default: to what has two dimensions or more
   */
  constructor(
    readonly shape: Shape,
    private readonly next: (random: Random) => number,
    readonly decay = shape.length > 1,
  ) {}

  /** All starting values, in row-major order. */
  values(random: Random): Float32Array<ArrayBuffer> {
    return Float32Array.from({ length: sizeOf(this.shape) }, () => this.next(random));
  }
}

/** Zeros, as biases start. */
export function zeros(shape: Shape): Initial {
  return new Initial(shape, () => 0);
}

/** Ones, as the weights of norms start. */
export function ones(shape: Shape): Initial {
  return new Initial(shape, () => 1);
}

/** Normal numbers with a mean of 0. */
export function normal(shape: Shape, deviation: number): Initial {
  return new Initial(shape, (random) => deviation * random.normal());
}

/** Numbers from −limit to limit, all alike. */
export function uniform(shape: Shape, limit: number): Initial {
  return new Initial(shape, (random) => limit * (2 * random.uniform() - 1));
}

/**
 * Uniform with variance 2 / (in + out): for tanh and sigmoid, and for last layers (Glorot and Bengio, AISTATS 2010,
 * equation 16).
 */
export function glorot(shape: Shape): Initial {
  const { inputs, outputs } = fan(shape);
  return uniform(shape, Math.sqrt(6 / (inputs + outputs)));
}

/** Normal with variance 2 / in: for ReLU (He et al., arXiv 1502.01852, equation 10). */
export function he(shape: Shape): Initial {
  return normal(shape, Math.sqrt(2 / fan(shape).inputs));
}

function fan([outputs = 1, ...rest]: Shape): { readonly inputs: number; readonly outputs: number } {
  return { inputs: Math.max(1, sizeOf(rest)), outputs };
}
