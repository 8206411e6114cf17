/** The trained weights of a policy as bytes, and back. */

import { ProxmoError } from '../base/errors.ts';
import { firstNonFinite } from '../base/finite.ts';
import { readParameter, writeParameter } from '../nn/halfWeights.ts';
import type { Transformer } from '../nn/transformer.ts';
import { Pace, piecesOf } from '../nn/weightTransfer.ts';
import type { Engine } from '../tensor/engine.ts';
import { sizeOf } from '../tensor/tensor.ts';

/** Every trained parameter in the order of its slab, float32, little-endian. */
export async function weightBytes(engine: Engine, { trainable }: Transformer): Promise<Uint8Array<ArrayBuffer>> {
  const values = new Float32Array(trainable.all.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
  let at = 0;
  for (const { name, shape } of trainable.all) {
    for (const [start, end] of piecesOf(sizeOf(shape))) {
      values.set(await readParameter(engine, trainable, name, start, end - start), at);
      at += end - start;
    }
  }
  return new Uint8Array(values.buffer);
}

/**
 * Puts weights into a policy of the same form.
 * @throws {ProxmoError} `data` if they are not as many, or no numbers
 */
export async function writeWeightBytes(
  engine: Engine,
  { trainable }: Transformer,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const size = trainable.all.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (bytes.length !== 4 * size)
    throw new ProxmoError('data', `The weights are ${bytes.length / 4} numbers, but this policy has ${size}.`);
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, size);
  if (firstNonFinite(values) >= 0) throw new ProxmoError('data', 'The weights hold what is no number.');
  const pace = new Pace(engine);
  let at = 0;
  for (const { name, shape } of trainable.all) {
    for (const [start, end] of piecesOf(sizeOf(shape))) {
      writeParameter(engine, trainable, name, values.slice(at, at + end - start), start);
      at += end - start;
      await pace.wrote(end - start);
    }
  }
}
