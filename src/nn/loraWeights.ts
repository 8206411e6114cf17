/** Adapters between a checkpoint, or their base, and a device, one tensor at a time. */
import { ProxmoError } from '../base/errors.ts';
import { checkAdapterTensors } from '../models/adapterTensors.ts';
import { checkFinite } from '../models/finiteWeights.ts';
import type { HfModel } from '../models/hf/config.ts';
import { locateWeights } from '../models/hf/locate.ts';
import { type LoraConfig, type LoraSite, loraShape, loraTensorName } from '../models/peft.ts';
import type { WeightSource } from '../models/weightSource.ts';
import type { Engine } from '../tensor/engine.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { isTurned, LoraAdapters, loraMatrices } from './lora.ts';

/** A matrix `[rows, columns]` as `[columns, rows]`. */
function transposed(values: Float32Array, [rows, columns]: readonly [number, number]): Float32Array {
  return Float32Array.from(values, (_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** A tensor of adapters: how PEFT has it, and how to bring it to what the device has, and back. */
interface HeldTensor {
  readonly shape: readonly number[];
  readonly toDevice: (values: Float32Array) => Float32Array;
  readonly fromDevice: (values: Float32Array) => Float32Array;
}

function heldTensors({ sites, saved }: LoraAdapters): Map<string, HeldTensor> {
  const same = (values: Float32Array) => values;
  const ofSite = (site: LoraSite, matrix: 'A' | 'B'): HeldTensor => {
    const shape = loraShape(site, matrix);
    const [rows, columns] = shape;
    return isTurned(site, matrix)
      ? {
          shape,
          toDevice: (values) => transposed(values, shape),
          fromDevice: (values) => transposed(values, [columns, rows]),
        }
      : { shape, toDevice: same, fromDevice: same };
  };
  return new Map([
    ...sites.flatMap((site) =>
      loraMatrices.map((matrix) => [loraTensorName(site, matrix), ofSite(site, matrix)] as const),
    ),
    ...saved.map(({ name, placement: { shape, plus } }) => {
      const moved = (by: number) => (values: Float32Array) => (by === 0 ? values : values.map((value) => value + by));
      return [name, { shape, toDevice: moved(plus), fromDevice: moved(-plus) }] as const;
    }),
  ]);
}

/** Adapters on a device as a source of tensors under PEFT's names. */
export function adapterWeights(engine: Engine, adapters: LoraAdapters): WeightSource {
  const { slab } = adapters;
  const held = heldTensors(adapters);
  const find = (name: string) => {
    const found = held.get(name);
    if (!found) throw new ProxmoError('file', `The adapter has no tensor "${name}"; it has ${held.size} others.`);
    return found;
  };
  return {
    names: () => slab.parameters.map(({ name }) => name),
    shape: (name) => find(name).shape,
    read: async (name) => {
      const { shape, fromDevice } = find(name);
      return fromDevice(Float32Array.from(await engine.read(slab.variable, slab.offsetOf(name), sizeOf(shape))));
    },
  };
}

/**
 * Gives copies of whole modules the weights of the base, which they start from.
 * @param base the model's weights
 * @param where names it in messages
 * @throws {ProxmoError} `file`; `data` if a value is NaN or infinite
 */
export async function loadSavedModules(
  engine: Engine,
  adapters: LoraAdapters,
  base: WeightSource,
  where: string,
): Promise<void> {
  if (adapters.saved.length === 0) return;
  const { weights } = locateWeights(adapters.model, base, where);
  const held = heldTensors(adapters);
  for (const { name, original } of adapters.saved) {
    const { sourceName } = weights.find(({ placement }) => placement.name === original)!;
    const values = await base.read(sourceName);
    checkFinite(values, sourceName, where);
    engine.write(adapters.slab.variable, held.get(name)!.toDevice(values), adapters.slab.offsetOf(name));
  }
}

/**
 * Adapters with the weights of a checkpoint.
 * @param where names the checkpoint in messages
 * @param base the model's weights, which the checkpoint may have copies of
 * @throws {ProxmoError} as `checkAdapterTensors`; `data` if a value is NaN or infinite
 */
export async function loadAdapters(
  engine: Engine,
  model: Pick<HfModel, 'family' | 'transformer'>,
  config: LoraConfig,
  source: WeightSource,
  where: string,
  base: WeightSource | null = null,
): Promise<LoraAdapters> {
  await checkAdapterTensors(model, config, source, where, base);
  const adapters = new LoraAdapters(model, config, null);
  const { slab } = adapters;
  for (const [name, { toDevice }] of heldTensors(adapters)) {
    const values = await source.read(name);
    checkFinite(values, name, where);
    engine.write(slab.variable, toDevice(values), slab.offsetOf(name));
  }
  await engine.gpu.idle();
  return adapters;
}
