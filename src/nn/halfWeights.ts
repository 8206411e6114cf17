/**
 * Weights in half precision: the matrices that products and embeddings read are stored in f16, in half the bytes; norms
 * and biases stay float32, and so do gradients and moments. A model with such weights also stores in f16 what its
 * products and its attention read (`Transformer.stored`). Products round their operands to f16 and sum in float32
 * (kernels/matmul.ts), so that nothing more is lost. Gradients that they read are kept in its range
 * (`lossScale.ts`).
 *
 * A model that is trained as a whole keeps float32 masters, which the optimiser updates, beside the f16 copies
 * (Micikevicius et al., arXiv 1710.03740, section 3.1). A frozen one (the base of adapters, a reference policy, a model
 * that only generates) has the f16 matrices alone. Both are a `ParameterSlab` with a `half`; whatever writes weights
 * does it through this file, so that masters and copies stay the same weights.
 */
import { narrow, widen } from '../../kernels/cast.ts';
import { largestHalf } from '../../kernels/storage.ts';
import { ProxmoError } from '../base/errors.ts';
import { firstRows } from '../ops/rowParts.ts';
import type { Engine } from '../tensor/engine.ts';
import { joined, partOf } from '../tensor/pieces.ts';
import { launch, type Tensor } from '../tensor/tensor.ts';
import { type ParameterRequest, ParameterSlab } from '../tensor/variable.ts';
import { PackedWeights, type Packing } from './packedWeights.ts';
import type { WeightStorage } from './precision.ts';

/**
 * Storage for parameters. Matrices are those with weight decay.
 * @param packing which of them stay packed, where they do
 * @throws {ProxmoError} `config` if a matrix in f16 has rows of an odd length, or it is not known how they are packed;
 * `shape` as `ParameterSlab`
 */
export function weightSlab(
  name: string,
  requests: readonly ParameterRequest[],
  storage: WeightStorage,
  largestPiece: number,
  packing: Packing | null = null,
): ParameterSlab {
  if (storage === 'packed') return packedSlab(name, requests, packing, largestPiece);
  if (storage === 'f32') return new ParameterSlab(name, requests, { largestPiece });
  const matrices = requests.filter(({ decay }) => decay);
  const odd = matrices.find(({ shape }) => (shape.at(-1) ?? 0) % 2 !== 0);
  if (odd) {
    throw new ProxmoError(
      'config',
      `${name}: ${odd.name} is [${odd.shape.join(', ')}], but f16 needs rows of an even length; use precision f32 or even sizes.`,
    );
  }
  const half = new ParameterSlab(`${name} in f16`, matrices, { largestPiece, dtype: 'f16' });
  return new ParameterSlab(name, storage === 'mixed' ? requests : requests.filter(({ decay }) => !decay), {
    largestPiece,
    half,
  });
}

function packedSlab(
  name: string,
  requests: readonly ParameterRequest[],
  packing: Packing | null,
  largestPiece: number,
): ParameterSlab {
  if (!packing) {
    throw new ProxmoError(
      'config',
      `${name}: only the matrices of a GGUF file stay packed; use precision f32 or f16, or a model from such a file.`,
    );
  }
  const [packed, others] = [true, false].map((isPacked) =>
    requests.filter((one) => packing.has(one.name) === isPacked),
  );
  return new ParameterSlab(name, others!, {
    largestPiece,
    packed: new PackedWeights(`${name}, packed`, packed!, packing, largestPiece),
  });
}

/**
 * Overwrites elements of a parameter from `start` on, its master and its copy.
 * @throws {ProxmoError} `config` if f16 cannot hold a value, or the parameter is packed; `shape` if they do not fit
 */
export function writeParameter(
  engine: Engine,
  slab: ParameterSlab,
  name: string,
  values: Float32Array,
  start = 0,
): void {
  refusePacked(slab, name);
  const holders = [slab, slab.half].filter((holder) => holder?.has(name));
  if (holders.length === 0) throw new Error(`there is no parameter ${name}`);
  const tooLarge = slab.half?.has(name) ? values.find((value) => Math.abs(value) > largestHalf) : undefined;
  if (tooLarge !== undefined) {
    throw new ProxmoError(
      'config',
      `the weight ${name} has the value ${tooLarge}, which f16 cannot hold; use precision f32.`,
    );
  }
  for (const holder of holders) if (holder) engine.write(holder.variable, values, holder.offsetOf(name) + start);
}

/** Elements of a parameter in float32: of its master, or of its f16 or packed matrix where that is all there is. */
export async function readParameter(
  engine: Engine,
  slab: ParameterSlab,
  name: string,
  start: number,
  count: number,
): Promise<Float32Array> {
  if (slab.packed?.has(name)) return packedOf(slab)!.read(engine, name, start, count);
  const holder = slab.has(name) || !slab.half ? slab : slab.half;
  return Float32Array.from(await engine.read(holder.variable, holder.offsetOf(name) + start, count));
}

/**
 * Copies all weights of a model to another of the same form, on the device. The target may have f16 matrices alone
 * where the source has masters, too.
 * @throws {ProxmoError} `shape` if they are not of the same form
 */
export function copyWeights(engine: Engine, from: ParameterSlab, to: ParameterSlab): void {
  // Norms and biases are the last of a slab.
  engine.copy(from.variable, to.variable, from.size - to.size);
  if (from.half && to.half) engine.copy(from.half.variable, to.half.variable);
}

/** Frees all storage of a slab. */
export function releaseWeights(engine: Engine, slab: ParameterSlab): void {
  for (const holder of [slab, slab.half, packedOf(slab)]) if (holder) engine.release(holder.variable);
}

/**
 * The copies after an update of their masters, for a program's `updates`.
 * @param updated `slab.variable`'s tensor after that
 */
export function refreshed({ half }: ParameterSlab, updated: Tensor): Tensor[] {
  if (!half) return [];
  const { tensor, pieces } = half.variable;
  const copies = pieces.map((piece) => narrowed(partOf(updated, piece), partOf(tensor, piece)));
  return [joined(tensor, pieces, copies)];
}

/**
 * An update of a whole parameter on the device, as tensors for a program's `updates`.
 * @param update from a part of the weights in float32, whose storage it may take, and the number of its first row
 * @throws {ProxmoError} `config` if the parameter is packed
 */
export function updatedParameter(
  slab: ParameterSlab,
  name: string,
  update: (weights: Tensor, firstRow: number) => Tensor,
): Tensor[] {
  refusePacked(slab, name);
  const masters = slab.parameters.find((parameter) => parameter.name === name)?.parts ?? [];
  const copies = slab.half?.parameters.find((parameter) => parameter.name === name)?.parts ?? [];
  return firstRows(slab.parts(name)).flatMap((firstRow, index) => {
    const [master, copy] = [masters[index], copies[index]];
    const before = master ?? launch(widen, { count: copy!.size }, { x: copy! }, { y: copy!.shape }).y;
    const after = update(before, firstRow);
    return [...(master ? [after] : []), ...(copy ? [narrowed(after, copy)] : [])];
  });
}

function refusePacked({ packed }: ParameterSlab, name: string): void {
  if (packed?.has(name))
    throw new ProxmoError(
      'config',
      `The matrix ${name} is packed and cannot be changed; load the model in f32 or f16.`,
    );
}

/** The packed matrices of a slab; null if it has none. */
export function packedOf({ packed }: ParameterSlab): PackedWeights | null {
  return packed instanceof PackedWeights ? packed : null;
}

/** Values in f16, in the storage of `target`. */
function narrowed(values: Tensor, target: Tensor): Tensor {
  return launch(narrow, { count: target.size }, { x: values, y: target }, { y: target.shape }).y;
}
