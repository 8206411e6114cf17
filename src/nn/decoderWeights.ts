/**
 * Weights between a checkpoint and a transformer on a device, one tensor at a time, so that the host never holds more
 * than the largest.
 */
import { ProxmoError } from '../base/errors.ts';
import { checkFinite } from '../models/finiteWeights.ts';
import type { HfModel } from '../models/hf/config.ts';
import { locateWeights } from '../models/hf/locate.ts';
import { type WeightPlacement, weightPlacements } from '../models/hf/weightNames.ts';
import type { WeightSource } from '../models/weightSource.ts';
import type { Engine } from '../tensor/engine.ts';
import { type Shape, sizeOf } from '../tensor/tensor.ts';
import type { ParameterSlab, Variable } from '../tensor/variable.ts';
import { decoderSlab } from './decoderParameters.ts';
import { packedOf, readParameter, writeParameter } from './halfWeights.ts';
import { haveFiniteScales } from './packedRows.ts';
import { type PackedWeights, packedTypeOf, packingOf } from './packedWeights.ts';
import type { WeightStorage } from './precision.ts';
import { Transformer } from './transformer.ts';
import { Pace, pieceSize, piecesOf } from './weightTransfer.ts';

/**
 * A transformer with the weights of a checkpoint.
 * @param where names the checkpoint in messages
 * @param storage of the matrices
 * @param allowNonFinite take NaN and infinities, to look at what such a model does
 * @throws {ProxmoError} `file` if a tensor is missing, superfluous or of another shape, `data` if one has NaN or
 * infinities, `config`, `shape` if the device has no room
 */
export async function loadPretrained(
  engine: Engine,
  model: HfModel,
  source: WeightSource,
  where: string,
  storage: WeightStorage = 'f32',
  allowNonFinite = false,
): Promise<Transformer> {
  const { weights, tiedCopy } = locateWeights(model, source, where);
  const packing = storage === 'packed' ? packingOf(model, source, where) : null;
  const transformer = new Transformer(
    model.transformer,
    decoderSlab(model.transformer, null, 'model', engine.largestBinding, storage, packing),
    'model',
  );
  const writer = new SlabWriter(engine, transformer.slab);
  const packed = packedOf(transformer.slab);
  let embedding = '';
  for (const { sourceName, placement } of weights) {
    if (packed?.has(placement.parameter)) {
      const { type, columns, read } = source.blocks!(sourceName)!;
      const blocks = await read();
      const isSound = allowNonFinite || haveFiniteScales(packedTypeOf(type)!, blocks);
      if (!isSound) checkFinite(await source.read(sourceName), sourceName, where);
      if (sourceName === tiedCopy?.embedding) embedding = fingerprint(await source.read(sourceName));
      await writer.writePacked(packed, placement, columns, blocks);
      continue;
    }
    const values = await source.read(sourceName);
    if (!allowNonFinite) checkFinite(values, sourceName, where);
    if (sourceName === tiedCopy?.embedding) embedding = fingerprint(values);
    await writer.write(placement, values);
  }
  if (tiedCopy && fingerprint(await source.read(tiedCopy.head)) !== embedding) {
    throw new ProxmoError(
      'file',
      `${where}: ${tiedCopy.head} differs from ${tiedCopy.embedding}, but config.json says that they are one; set tie_word_embeddings to false.`,
    );
  }
  await engine.gpu.idle();
  return transformer;
}

/**
 * A transformer on a device as a source of tensors under Hugging Face's names: its weights, or other values in the
 * layout of its parameters, as gradients.
 * @param variable `slab.variableLike(…)`; null for the weights
 */
export function pretrainedWeights(
  engine: Engine,
  { slab }: Pick<Transformer, 'slab'>,
  model: Pick<HfModel, 'family' | 'transformer'>,
  variable: Variable | null = null,
): WeightSource {
  const placements = new Map(weightPlacements(model).map((placement) => [placement.name, placement]));
  const placementOf = (name: string) => {
    const found = placements.get(name);
    if (!found) throw new ProxmoError('file', `The model has no tensor "${name}"; it has ${placements.size} others.`);
    return found;
  };
  const read = ({ parameter, offset }: WeightPlacement, start: number, end: number) =>
    variable
      ? engine.read(variable, slab.offsetOf(parameter) + offset + start, end - start)
      : readParameter(engine, slab, parameter, offset + start, end - start);
  return {
    names: () => [...placements.keys()],
    shape: (name) => placementOf(name).shape,
    read: async (name) => {
      const placement = placementOf(name);
      const values = new Float32Array(sizeOf(placement.shape));
      const { plus } = placement;
      for (const [start, end] of rangesOf(placement)) {
        const piece = await read(placement, start, end);
        if (placement.transposed) scatterRows(piece, values, placement.shape, start);
        else values.set(piece, start);
      }
      // Gradients and the like are those of the checkpoint's values as they are.
      if (plus !== 0 && !variable) for (const [at, value] of values.entries()) values[at] = value - plus;
      return values;
    },
  };
}

/** Writes tensors to the device. */
class SlabWriter {
  private readonly pace: Pace;

  constructor(
    private readonly engine: Engine,
    private readonly slab: ParameterSlab,
  ) {
    this.pace = new Pace(engine);
  }

  async write(placement: WeightPlacement, values: Float32Array): Promise<void> {
    for (const [start, end] of rangesOf(placement)) {
      const piece = placement.transposed
        ? gatherRows(values, placement.shape, start, end)
        : values.subarray(start, end);
      if (placement.plus !== 0) for (const [at, value] of piece.entries()) piece[at] = value + placement.plus;
      writeParameter(this.engine, this.slab, placement.parameter, piece, placement.offset + start);
      await this.pace.wrote(piece.length);
    }
  }

  /** Writes a tensor that stays packed, from the blocks of its file. */
  async writePacked(
    packed: PackedWeights,
    { parameter, offset }: WeightPlacement,
    columns: number,
    blocks: Uint8Array,
  ): Promise<void> {
    packed.write(this.engine, parameter, offset / columns, blocks);
    await this.pace.wrote(blocks.length / 4);
  }
}

/** A tensor in pieces, as ranges of its elements in the parameter: of whole rows, where the checkpoint has columns. */
function rangesOf({ shape, transposed }: WeightPlacement) {
  const [inputs = 1] = shape;
  return piecesOf(sizeOf(shape), transposed ? Math.max(1, Math.floor(pieceSize / inputs)) * inputs : pieceSize);
}

/** Elements `start` to before `end`, whole rows, of the parameter `[out, in]` whose transpose is `values`. */
function gatherRows(values: Float32Array, [inputs = 0, outputs = 0]: Shape, start: number, end: number): Float32Array {
  const rows = new Float32Array(end - start);
  for (let at = 0, output = start / inputs; at < rows.length; output++) {
    for (let index = 0; index < inputs; index++) rows[at++] = values[index * outputs + output]!;
  }
  return rows;
}

/** The reverse: puts elements of the parameter from `start` on into its transpose. */
function scatterRows(
  rows: ArrayLike<number>,
  values: Float32Array,
  [inputs = 0, outputs = 0]: Shape,
  start: number,
): void {
  for (let at = 0, output = start / inputs; at < rows.length; output++) {
    for (let index = 0; index < inputs; index++) values[index * outputs + output] = rows[at++]!;
  }
}

/** A hash of the values' bits, so that two tensors can be compared that are not in memory together. */
function fingerprint(values: Float32Array): string {
  let [a, b] = [0x2c1b3c6d, 0x297a2d39];
  for (const word of new Uint32Array(values.buffer, values.byteOffset, values.length)) {
    a = Math.imul(a ^ word, 0x9e3779b1);
    b = Math.imul(b ^ (word >>> 15) ^ a, 0x85ebca77);
  }
  return `${a >>> 0} ${b >>> 0} ${values.length}`;
}
