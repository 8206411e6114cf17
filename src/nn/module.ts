/**
 * Models of one's own: a plain object of parameters, nested as one likes. Its tensors are used as they are in a graph,
 * and its slab is what optimisers, checkpoints and files handle.
 */

import { ProxmoError } from '../base/errors.ts';
import { encodeSafetensors, parseSafetensors, type SafetensorsTensor, toFloat32 } from '../base/safetensors.ts';
import type { Engine } from '../tensor/engine.ts';
import { Random } from '../tensor/random.ts';
import { sizeOf, type Tensor } from '../tensor/tensor.ts';
import { type ParameterRequest, ParameterSlab } from '../tensor/variable.ts';
import { readParameter, writeParameter } from './halfWeights.ts';
import { Initial } from './initial.ts';

/** Parameters by name, nested, and in lists. */
export type ParameterTree = { readonly [name: string]: Initial | ParameterTree } | readonly (Initial | ParameterTree)[];

/** The same object with a tensor for each parameter. */
export type TensorTree<T> = { readonly [K in keyof T]: T[K] extends Initial ? Tensor : TensorTree<T[K]> };

/** A model's parameters. */
export interface Module<T> {
  /** The object that it was made from, with a tensor in each place. */
  readonly tensors: TensorTree<T>;
  /** All of them, for optimisers and files; names are paths, as `layers.0.weight`. */
  readonly slab: ParameterSlab;
}

/** How the parameters of a module begin and lie. */
export interface ModuleOptions {
  /** Of the starting values: each parameter has random numbers of its own. Default: 1. */
  readonly seed?: number;
  /** Most bytes of a buffer, `engine.largestBinding`. Default: what every device can bind. */
  readonly largestPiece?: number;
}

/**
 * Makes the parameters of a model.
 * @param name for error messages
 * @throws {ProxmoError} `config` if there are none, or a name has a dot in it; `shape` if one is in several buffers
 * @example
 * const { tensors, slab } = createModule('mlp', {
 *   hidden: { weight: init.he([32, 2]), bias: init.zeros([32]) },
 *   output: { weight: init.glorot([3, 32]), bias: init.zeros([3]) },
 * });
 * const logits = linear(relu(linear(x, tensors.hidden.weight, tensors.hidden.bias)), …);
 */
export function createModule<const T extends ParameterTree>(
  name: string,
  tree: T,
  { seed = 1, largestPiece }: ModuleOptions = {},
): Module<T> {
  const requests = requestsOf(name, tree, '', seed);
  if (requests.length === 0)
    throw new ProxmoError('config', `the module ${name} has no parameters; give it some, as init.zeros([3]).`);
  const slab = new ParameterSlab(name, requests, largestPiece === undefined ? {} : { largestPiece });
  return { tensors: tensorsOf(tree, '', slab) as TensorTree<T>, slab };
}

function requestsOf(module: string, tree: ParameterTree, prefix: string, seed: number): ParameterRequest[] {
  return Object.entries<Initial | ParameterTree>(tree).flatMap(([key, value]) => {
    const name = `${prefix}${key}`;
    if (key.includes('.'))
      throw new ProxmoError('config', `${module}: the name ${key} has a dot in it, which stands between levels.`);
    if (!(value instanceof Initial)) {
      if (typeof value !== 'object' || value === null)
        throw new ProxmoError('config', `${module}: ${name} is ${value}; give it starting values, as init.zeros([3]).`);
      return requestsOf(module, value, `${name}.`, seed);
    }
    const { shape, decay } = value;
    return [{ name, shape, decay, initial: value.values(new Random(seed, `${module} ${name}`)) }];
  });
}

function tensorsOf(tree: ParameterTree, prefix: string, slab: ParameterSlab): unknown {
  const entries = Object.entries<Initial | ParameterTree>(tree).map(([key, value]) => [
    key,
    value instanceof Initial ? slab.get(`${prefix}${key}`) : tensorsOf(value, `${prefix}${key}.`, slab),
  ]);
  return Array.isArray(tree) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

/**
 * All parameters of a slab as a safetensors file, in float32, for any program that reads the format.
 * @param metadata strings that the file holds beside them
 * @returns the file's bytes
 * @example await writeFile('model.safetensors', await saveParameters(engine, model.slab));
 */
export async function saveParameters(
  engine: Engine,
  slab: ParameterSlab,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const tensors: SafetensorsTensor[] = [];
  for (const { name, shape } of slab.all)
    tensors.push({ name, shape, dtype: 'F32', data: await readParameter(engine, slab, name, 0, sizeOf(shape)) });
  const parts = encodeSafetensors(tensors, metadata);
  const file = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  parts.reduce((at, part) => {
    file.set(part, at);
    return at + part.length;
  }, 0);
  return file;
}

/**
 * Overwrites all parameters of a slab with those of a safetensors file; nothing is written unless all fit.
 * @param file its bytes; numbers in float64, float32, float16 or bfloat16
 * @param where name of the file, for messages
 * @throws {ProxmoError} `file` if it is damaged, or has other parameters or shapes than the slab
 */
export function loadParameters(engine: Engine, slab: ParameterSlab, file: Uint8Array, where = 'the file'): void {
  const { tensors } = parseSafetensors(file, where);
  const found = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const values = slab.all.map(({ name, shape }) => {
    const tensor = found.get(name);
    const given = tensor ? `[${tensor.shape.join(', ')}]` : 'none';
    if (!tensor || given !== `[${shape.join(', ')}]`) {
      throw new ProxmoError(
        'file',
        `${where} has ${given} for ${name} of ${slab.variable.name}, which is [${shape.join(', ')}]; load what was saved of the same model.`,
      );
    }
    found.delete(name);
    return { name, data: toFloat32(tensor) };
  });
  const [other] = found.keys();
  if (other !== undefined)
    throw new ProxmoError(
      'file',
      `${where} has ${other}, which ${slab.variable.name} has not; load it into its own model.`,
    );
  for (const { name, data } of values) writeParameter(engine, slab, name, data);
}
